"""Bits in steps of one in the channels of pixels, where a cover hides them best, by syndrome coding.

    writing   prices -> lambda, odds of 27 steps -> six layers of bits, each given those before -> stego
    reading   stego modulo 4 -> keyed order -> polar transform -> frozen positions

A pixel's sample is one byte: two bits each for green, red and blue, from the lowest bits up, which are the
channel's value modulo 4. Together with `syndrome` this is the file format. The reader needs the key, the
number of bytes and a rate for each layer (`Marks`), but not the prices.

Pixels are always the (n, 3) uint8 array of usable pixels in raster order; their positions do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers import syndrome
from stegcli.carriers.bands import Band, best_shape, code_bands
from stegcli.carriers.boltzmann import multiplier
from stegcli.carriers.prices import CHANNELS, LAYERS, Cells, greatest_entropy
from stegcli.carriers.scatter import chunks
from stegcli.carriers.syndrome import Layout, Marks
from stegcli.carriers.ternary import two_layers
from stegcli.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from stegcli.carriers.keyed_order import KeyedOrder
    from stegcli.carriers.streams import Keys
    from stegcli.carriers.ternary import Tilts

    U8 = NDArray[np.uint8]
    U16 = NDArray[np.uint16]
    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]

__all__ = ["LAYERS", "Written", "entropies", "read", "room", "write"]

_CHUNK: Final = 1 << 17
_DRAWS: Final = 4
"""Number of keyed orders that are tried before a step of more than one is accepted."""

_SAFE: Final = 0.85
"""Share of the greatest entropy, log2(27) bits per pixel, that is promised for any prices."""


@dataclass(frozen=True)
class Written:
    """A payload written into pixels.

    Attributes:
        pixels: (n, 3) uint8 stego.
        marks: marks for the reader, of six layers.
        oversteps: number of channel values that had to move by 2, or by 3 at an end of 0..255; nearly always
            0.
    """

    pixels: U8
    marks: Marks
    oversteps: int


def room(pixels: U8, bits_per_pixel: float = 8.0) -> int:
    """(n, 3) uint8 -> the most bytes that `write` accepts at any prices, within a limit in bits per pixel."""
    most = _SAFE * Layout(len(pixels)).usable * greatest_entropy(pixels)
    return int(min(most, bits_per_pixel * len(pixels)) / 8)


def entropies(pixels: U8, rho: F32, precision: F64) -> tuple[Callable[[float], float], float]:
    """Return the bits that pixels carry as a function of lambda > 0, decreasing, and a typical price.

    Covers that carry at the same lambda share a payload such that their total distortion is least, as if they
    were one picture (the "image merging sender" of Cogranne, Sedighi and Fridrich, "Practical strategies for
    content-adaptive batch steganography and pooled steganalysis", 2017).

    Args:
        pixels: (n, 3) uint8 cover.
        rho: as for `write`.
        precision: as for `write`.
    """
    cells, usable = Cells(pixels, rho, precision), Layout(len(pixels)).usable
    return lambda lam: usable * float(cells.layer_entropies(lam).sum()), cells.unit


def write(
    pixels: U8,
    rho: F32,
    precision: F64,
    payload: bytes,
    keys: Keys,
    threads: int = 2,
    marks: Marks | None = None,
) -> Written:
    """Write a payload in steps of the least expected price.

    Args:
        pixels: (n, 3) uint8 cover.
        rho: (n,) float32 > 0 and finite, any unit: cost of a step at each pixel.
        precision: (3, 3), positive definite: a step d costs rho d'Ad; see `prices.colour_precision`.
        payload: at most `room` bytes that look random (a ciphertext).
        keys: keys for the permutation and the keystream.
        threads: number of bands of blocks coded at a time.
        marks: marks that the reader knows beforehand; None to choose those that suit the cover best.

    Raises:
        ImageError: the payload is too large for these pixels.
    """
    most = room(pixels)
    if len(payload) > most:
        raise ImageError(
            f"the cover has room for {most:,} bytes, but {len(payload):,} are to be hidden",
            "Take a larger cover or a smaller secret.",
        )
    if not payload:
        return Written(pixels.copy(), Marks(0, 0, 0, (0,) * LAYERS), 0)
    job = _Job(pixels, Cells(pixels, rho, precision), Layout(len(pixels)), payload, keys, threads)
    lam = job.multiplier()
    if marks is not None:
        return job.written(job.coder(lam, marks.draw), marks)
    rates = job.rates(lam)
    coder = job.coder(lam, 0)
    shape = best_shape(
        job.layout, rates, keys, lambda band: job.cells.paid(band.of(coder.cells), coder.moves(band))
    )
    best = job.written(coder, Marks(len(payload), 0, shape, rates))
    for draw in range(1, _DRAWS):
        if not best.oversteps:
            break
        other = job.written(job.coder(lam, draw), Marks(len(payload), draw, shape, rates))
        best = min(best, other, key=lambda some: some.oversteps)
    return best


def read(pixels: U8, marks: Marks, keys: Keys) -> bytes:
    """(n, 3) uint8 stego -> the payload, as `syndrome.read`."""
    return syndrome.read(_residues(pixels), marks, keys)


@dataclass(frozen=True)
class _Job:
    """The arguments of `write`, with the cells of its pixels."""

    pixels: U8
    cells: Cells
    layout: Layout
    payload: bytes
    keys: Keys
    threads: int

    def multiplier(self) -> float:
        """Return the lambda at which the entropy equals the payload.

        The loss of blocks of finite length appears as a higher price, not as fewer bits.
        """
        return multiplier(
            lambda lam: float(self.cells.layer_entropies(lam).sum()),
            8 * len(self.payload) / self.layout.usable,
            self.cells.unit,
        )

    def rates(self, lam: float) -> tuple[int, ...]:
        """Return the rates of the layers that suit these prices."""
        return syndrome.rates_for(self.cells.layer_entropies(lam), self.layout, 8 * len(self.payload))

    def coder(self, lam: float, draw: int) -> _Coder:
        """Return the coder for one of the keyed orders."""
        order = self.layout.order(self.keys, draw)
        residues, cells = order.take(_residues(self.pixels)), order.take(self.cells.of_pixel)
        return _Coder(order, residues, cells, self.cells.tilts(lam))

    def written(self, coder: _Coder, marks: Marks) -> Written:
        """Write the payload in that order."""
        moves = code_bands(self.layout, marks, self.payload, self.keys, coder.moves, self.threads)
        stego, oversteps = _moved(self.pixels, coder.order.put(moves, len(self.pixels)))
        return Written(stego, marks, oversteps)


@dataclass(frozen=True)
class _Coder:
    """Coder of six layers for any band of blocks.

    Attributes:
        order: the keyed order.
        residues: (samples,) uint8 in that order, as returned by `_residues`.
        cells: (samples,) uint16 in that order.
        tilts: as returned by `Cells.tilts`.
    """

    order: KeyedOrder
    residues: U8
    cells: U16
    tilts: list[tuple[F32, F32]]

    def moves(self, band: Band) -> U8:
        """Return the steps modulo 4 of a band, (N, blocks) uint8, two bits each, as in a sample."""
        residues, cells = band.of(self.residues), band.of(self.cells)
        moves = np.zeros(residues.shape, dtype=np.uint8)
        earlier = np.zeros(residues.shape, dtype=np.uint8)
        for index, tables in enumerate(self.tilts):
            lowest, second = band.messages[2 * index : 2 * index + 2]
            own = residues >> np.uint8(2 * index) & np.uint8(3)
            steps = two_layers(own, _looked_up(tables, earlier, cells), second, lowest, band.shape)
            moves |= steps.view(np.uint8) % 4 << np.uint8(2 * index)
            earlier = (3 * earlier + np.minimum(steps, 1) + 1).astype(np.uint8)
        return moves


def _looked_up(tables: tuple[F32, F32], earlier: U8, cells: U16) -> Tilts:
    """Turn tables by earlier steps and cell into a function from rows to the tilts of their samples."""
    width = np.int32(tables[0].shape[1])

    def tilts(rows: slice) -> tuple[F32, F32]:
        place = earlier[rows] * width + cells[rows]
        return np.take(tables[0], place), np.take(tables[1], place)

    return tilts


def _residues(pixels: U8) -> U8:
    """(n, 3) -> (n,) uint8: each channel modulo 4, green in the two lowest bits, then red, then blue."""
    samples = np.zeros(len(pixels), dtype=np.uint8)
    for part in chunks(len(pixels), _CHUNK):
        for index, channel in enumerate(CHANNELS):
            samples[part] |= (pixels[part, channel] & np.uint8(3)) << np.uint8(2 * index)
    return samples


def _moved(pixels: U8, moves: U8) -> tuple[U8, int]:
    """(n, 3) pixels, (n,) steps modulo 4 -> (n, 3) stego, and how many values moved by more than 1."""
    stego = np.empty_like(pixels)
    oversteps = 0
    for part in chunks(len(pixels), _CHUNK):
        for index, channel in enumerate(CHANNELS):
            own = (moves[part] >> np.uint8(2 * index) & np.uint8(3)).astype(np.uint16)
            place = own << np.uint16(8) | pixels[part, channel]
            stego[part, channel] = np.take(_STEPPED, place)
            oversteps += int(np.count_nonzero(np.take(_FAR, place)))
    return stego, oversteps


def _nearest() -> NDArray[np.int64]:
    """(4, 256) int64: the nearest value in 0..255 to a value plus a step modulo 4; of two, the lower."""
    steps, values, results = np.ogrid[:4, :256, :256]
    far = np.where((results - values - steps) % 4 == 0, np.abs(results - values), 256)
    nearest: NDArray[np.int64] = far.argmin(axis=-1)
    return nearest


_NEAREST: Final = _nearest()
_STEPPED: Final = _NEAREST.astype(np.uint8)
_FAR: Final = np.abs(_NEAREST - np.arange(256)) > 1
