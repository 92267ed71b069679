"""Keys, symbols and covers that tests of both channels share."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from stegcli.carriers.parity import Parity, pixel_parities
from stegcli.carriers.phases import single
from stegcli.carriers.streams import Keys
from stegcli.envelope import header

PALETTES = {
    "white": [255],
    "black": [0],
    "ends": [0, 255],
    "near ends": [0, 1, 254, 255],
    "all": list(range(256)),
}


class Case(NamedTuple):
    """One call of a channel's `write`."""

    pixels: np.ndarray
    targets: np.ndarray
    keys: Keys
    spread: int
    lam: float
    parity: Parity
    cost: np.ndarray | None

    def written_by(self, write: Callable[..., np.ndarray]) -> np.ndarray:
        """The stego that a channel makes of it."""
        return write(
            self.pixels,
            self.targets,
            self.keys,
            spread=self.spread,
            lam=self.lam,
            parity=self.parity,
            cost=self.cost,
        )


def draw_case(draw: st.DrawFn, rng: np.random.Generator, n: int, symbols: int, spread: int) -> Case:
    """Any cover of n pixels, clipped or not, with any share of prescribed parities."""
    forced = draw(st.integers(0, n))
    return Case(
        pixels=rng.choice(PALETTES[draw(st.sampled_from(sorted(PALETTES)))], (n, 3)).astype(np.uint8),
        targets=rng.integers(0, 1000, symbols),
        keys=Keys(*(sha256(rng.bytes(8)).digest() for _ in range(3))),
        spread=spread,
        lam=draw(st.sampled_from(sorted(single.LAMBDAS.values()))),
        parity=(rng.permutation(n)[:forced], rng.integers(0, 2, forced).astype(np.uint8)),
        cost=draw(st.sampled_from([None, rng.lognormal(0, 3, n).astype(np.float32)])),
    )


def make_keys(seed: int) -> Keys:
    return Keys(*(sha256(bytes([seed, purpose])).digest() for purpose in range(3)))


def random_targets(symbols: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1000, symbols)


def header_parity(pixels: np.ndarray) -> Parity:
    places = header.draw_places(len(pixels), bytes(32))
    plan = header.parity_plan(len(pixels), sha256(b"salt").digest()[:16], bytes(range(42)), places)
    return pixel_parities(pixels, *plan, None)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=float))))


def psnr(cover: np.ndarray, stego: np.ndarray) -> float:
    return 20 * np.log10(255 / rms(stego.astype(int) - cover))
