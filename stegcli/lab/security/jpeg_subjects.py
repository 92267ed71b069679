"""Subjects in JPEG files: coded bits as the program writes them, and nsF5, which must be detected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers import coefficients, ternary
from stegcli.carriers.jpeg_scan import JpegCover, non_zero_ac
from stegcli.carriers.streams import Keys
from stegcli.carriers.ternary import Prices
from stegcli.envelope import head
from stegcli.lab.quality.hiders import random_numbers, seed_bytes

__all__ = ["CodedJpegSubject", "JpegSubject", "NsF5Subject"]

F32 = NDArray[np.float32]
I16 = NDArray[np.int16]


class JpegSubject(Protocol):
    """One row of a security table of JPEG files."""

    @property
    def name(self) -> str:
        """Name in the table."""

    def stego(self, cover: JpegCover, error: F32, seed: str) -> I16:
        """Return the stego's luma, (R, C, 8, 8) int16, given a cover and the rounding error of its luma."""


@dataclass(frozen=True)
class CodedJpegSubject:
    """Coded bits with their head, as `stegcli hide` writes them; random bytes replace the body.

    Attributes:
        name: name in the table.
        rate: bits, of head and body together, per non-zero AC coefficient of luma.
        informed: whether the rounding errors are known, as for a file that the program itself makes.
    """

    name: str
    rate: float
    informed: bool = False

    def stego(self, cover: JpegCover, error: F32, seed: str) -> I16:
        """See `JpegSubject.stego`."""
        values = coefficients.values(cover.luma)
        prices = coefficients.step_prices(cover, error if self.informed else None)
        rng, locator = random_numbers(seed, "body"), seed_bytes(seed, "locator")
        subkeys = Keys(*(seed_bytes(seed, purpose) for purpose in ("header", "keystream", "permutation")))
        places = head.COEFFICIENTS.draw(len(values), locator)
        rest = np.ones(len(values), dtype=np.bool_)
        rest[places] = False
        # In a few smooth squares the head alone exceeds the rate.
        body = rng.bytes(max(0, coefficients.most_bytes(cover, self.rate) - head.MESSAGE_BYTES))
        stego = np.empty_like(values)
        free = Prices(prices.up[rest], prices.down[rest])
        stego[rest] = ternary.write(values[rest], free, body, subkeys, threads=1).values
        own = Prices(prices.up[places], prices.down[places])
        message = rng.bytes(head.MESSAGE_BYTES)
        stego[places] = head.write_coefficients(values[places], own, message, locator)
        return coefficients.put_back(cover.luma, stego)


@dataclass(frozen=True)
class NsF5Subject:
    """Magnitudes decreased by one at random positions: a simulation of nsF5 with a coder without loss.

    Fridrich, Pevny and Kodovsky, "Statistically undetectable JPEG steganography: dead ends, challenges, and
    opportunities", 2007: F5 with wet paper codes, so that no bit is lost if a coefficient becomes zero.

    Attributes:
        name: name in the table.
        rate: bits per non-zero AC coefficient of luma.
    """

    name: str
    rate: float

    def stego(self, cover: JpegCover, error: F32, seed: str) -> I16:
        """See `JpegSubject.stego`."""
        del error
        luma = cover.luma.copy()
        places = luma != 0
        places[..., 0, 0] = False
        count = non_zero_ac(cover)
        changed = random_numbers(seed, "changes").random(count) < _flips(self.rate)
        luma[places] -= np.where(changed, np.sign(luma[places]), 0).astype(np.int16)
        return luma


def _flips(bits: float) -> float:
    """Return the probability, up to a half, of a change whose binary entropy is that many bits."""
    low, high = 0.0, 0.5
    for _ in range(50):
        middle = (low + high) / 2
        entropy = -(middle * np.log2(middle) + (1 - middle) * np.log2(1 - middle))
        low, high = (middle, high) if entropy < bits else (low, middle)
    return low
