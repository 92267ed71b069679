"""Measure the syndrome coder: its loss compared with an ideal coder, and its speed.

    python benchmarks/syndrome.py [--samples N] [--megapixels 1 12]

First one layer of bits: prices of a flip spread as HILL's costs are (log-normal, deviation 1.5 of the
logarithm), alone, with a third of the samples wet, and all alike. The loss is 1 - payload / the payload
that an ideal coder carries at the price that was paid. Speeds are million samples a second of one thread's
processor time.

Then six layers of a photograph (scikit-image's, resized) at half a bit a pixel and at a secret of a twelfth
as many pixels at half a bit each: the loss in pixels, seconds of wall and of processor time with two
threads, of reading, and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from stegcli.carriers import polar, samples
from stegcli.carriers.boltzmann import binary_entropy, multiplier
from stegcli.carriers.costs import hill_cost
from stegcli.carriers.prices import Cells, colour_precision
from stegcli.carriers.streams import Keys
from stegcli.carriers.syndrome import WET, embed
from stegcli.pictures.luma import luma_milli

F64 = NDArray[np.float64]

RATES = (0.01, 0.05, 0.1, 0.2, 0.35, 0.55)
EXPONENTS = (10, 12, 14, 16, 18)
SPREAD = 1.5
SHAPES = {"spread": 0, "a third wet": 0, "alike": 15}
"""Kind of prices -> shape of the frozen sets."""
KEYS = Keys(bytes(32), bytes(range(1, 33)), bytes(range(32)))


@dataclass(frozen=True)
class Timed:
    """Result of a call, and the seconds it took."""

    result: object
    wall: float
    processor: float


def main() -> None:
    """Measure, and print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=1 << 20, help="samples per row of table 1")
    parser.add_argument("--megapixels", type=float, nargs="*", default=[0.25, 1, 12])
    options = parser.parse_args()
    print("| prices | length | bits a sample | loss | writing, Ms/s | reading, Ms/s |")
    print("|---|---|---|---|---|---|")
    for kind in SHAPES:
        for exponent in EXPONENTS:
            for rate in RATES:
                print(layer_row(kind, exponent, rate, options.samples), flush=True)
    print("\n| megapixels | bits a pixel | loss | wall s | processor s | reading s | oversteps | peak MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for megapixels in options.megapixels:
        for bits in (0.5, 0.5 / 12):
            print(pixel_row(megapixels, bits), flush=True)


def timed(call: Callable[[], object]) -> Timed:
    """Call it once, and measure it."""
    wall, processor = time.perf_counter(), time.process_time()
    result = call()
    return Timed(result, time.perf_counter() - wall, time.process_time() - processor)


def prices_of_flips(kind: str, count: int, rng: np.random.Generator) -> F64:
    """Draw (count,) float64 prices; 0 stands for wet."""
    if kind == "alike":
        return np.ones(count)
    prices = rng.lognormal(0, SPREAD, count)
    return np.where(rng.random(count) < 1 / 3, 0, prices) if kind == "a third wet" else prices


def layer_row(kind: str, exponent: int, rate: float, count: int) -> str:
    """Return a row: one layer of bits in blocks of one length."""
    rng = np.random.default_rng(exponent)
    blocks = max(1, count >> exponent)
    rho = prices_of_flips(kind, blocks << exponent, rng)
    free = rho[rho > 0]
    size = int(rate * 2**exponent)
    shape = SHAPES[kind]

    def flips(lam: float) -> F64:
        return 1 / (1 + np.exp(np.minimum(lam * free, 700)))

    lam = multiplier(lambda lam: float(binary_entropy(flips(lam)).sum()), size * blocks, 1.0)
    cover = rng.integers(0, 2, len(rho)).astype(np.uint8)
    odds = np.where(rho > 0, np.minimum(lam * rho, 64), WET).astype(np.float32)
    odds = np.where(cover, -odds, odds).reshape(-1, blocks)
    message = rng.integers(0, 2, (size, blocks)).astype(np.uint8)
    embed(
        odds[:, :1].copy(), message[:, :1].copy(), shape
    )  # fills the caches, which a picture does once for all
    writing = timed(lambda: embed(odds, message, shape))
    bits = np.asarray(writing.result)
    read = bits.copy()
    reading = timed(lambda: polar.transform(read))
    if not (read[polar.frozen_set(exponent, size, shape)] == message).all():
        raise AssertionError("the reader does not find what was written")
    moved = bits.ravel() != cover
    paid = float(rho[moved].sum())
    ideal = multiplier(lambda lam: float((flips(lam) * free).sum()), paid, 1.0)
    loss = 1 - size * blocks / float(binary_entropy(flips(ideal)).sum())
    wet = f" ({int((moved & (rho == 0)).sum())} wet moved)" if (moved & (rho == 0)).any() else ""
    speeds = " | ".join(f"{len(rho) / part.processor / 1e6:.0f}" for part in (writing, reading))
    return f"| {kind} | 2^{exponent} | {rate} | {loss:.3f}{wet} | {speeds} |"


def pixel_row(megapixels: float, bits_per_pixel: float) -> str:
    """Return a row: six layers of a photograph."""
    width = round((megapixels * 4e6 / 3) ** 0.5)
    size = (width, round(width * 3 / 4))
    cover = np.asarray(Image.fromarray(data.coffee()).resize(size, Image.Resampling.LANCZOS))
    pixels = np.ascontiguousarray(cover.reshape(-1, 3))
    rho = hill_cost((luma_milli(cover) / 1000).astype(np.float32)).ravel()
    precision = colour_precision(cover)
    payload = np.random.default_rng(0).bytes(int(bits_per_pixel * len(pixels) / 8))
    writing = timed(lambda: samples.write(pixels, rho, precision, payload, KEYS))
    written = writing.result
    if not isinstance(written, samples.Written):
        raise TypeError
    reading = timed(lambda: samples.read(written.pixels, written.marks, KEYS))
    if reading.result != payload:
        raise AssertionError("the reader does not find what was written")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    loss = 1 - 8 * len(payload) / ideal_bits(pixels, written.pixels, rho, precision)
    return (
        f"| {len(pixels) / 1e6:.2f} | {bits_per_pixel:.3f} | {loss:.3f} | {writing.wall:.2f} | "
        f"{writing.processor:.2f} | {reading.wall:.2f} | {written.oversteps} | {peak} |"
    )


def ideal_bits(
    pixels: NDArray[np.uint8], stego: NDArray[np.uint8], rho: NDArray[np.float32], precision: F64
) -> float:
    """Return the payload of an ideal coder at the price of these steps, in bits."""
    paid = 0.0
    for start in range(0, len(pixels), 1 << 18):
        part = slice(start, start + (1 << 18))
        steps = stego[part].astype(np.float64) - pixels[part]
        paid += float((rho[part] * ((steps @ precision) * steps).sum(axis=1)).sum())
    cells = Cells(pixels, rho, precision)
    lam = multiplier(cells.expected_price, paid, cells.unit)
    return float(cells.layer_entropies(lam).sum())


if __name__ == "__main__":
    main()
