"""What detectors are shown: covers in which something is hidden, by every method that is compared.

The phase channel is shown without its networks. Its keystream is a one-time pad, so that the written phases
are uniform whatever the picture: random phases give stegos with the same distribution, a hundred times as
fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers import parity
from stegcli.carriers.phases import single
from stegcli.carriers.phases.channel import Channel, suited
from stegcli.carriers.streams import Keys
from stegcli.envelope import header
from stegcli.lab import writing
from stegcli.lab.quality.hiders import Hider, random_numbers, seed_bytes
from stegcli.lab.security.learned_costs import program_cost
from stegcli.pictures import luma, reading

__all__ = [
    "LSBM_CONTROL",
    "Cost",
    "HiderSubject",
    "LsbMatchingSubject",
    "PhaseSubject",
    "Subject",
    "smaller",
]

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Cost = Callable[[F32], F32]

LSBM_CONTROL: Final = "LSB matching, every sample"


class Subject(Protocol):
    """One row of a security table."""

    @property
    def name(self) -> str:
        """Name in the table."""

    def stego(self, cover_rgb: U8, secret_gray: U8, seed: str) -> U8:
        """(H, W, 3) and (H, W) uint8 -> (H, W, 3) uint8."""


@dataclass(frozen=True)
class LsbMatchingSubject:
    """Random bits written by LSB matching.

    Attributes:
        name: name in the table.
        rate: bits per sample; at 1, any useful detector notices.
    """

    name: str = LSBM_CONTROL
    rate: float = 1.0

    def stego(self, cover_rgb: U8, secret_gray: U8, seed: str) -> U8:
        """Return a stego; the secret is not used."""
        del secret_gray
        rng = random_numbers(seed, self.name)
        count = round(self.rate * cover_rgb.size)
        bits = rng.integers(2, size=count, dtype=np.uint8)
        return writing.lsb_match(cover_rgb, writing.carriers(cover_rgb.size, count, rng), bits, rng)


@dataclass(frozen=True)
class PhaseSubject:
    """The phase channel with its header, as `stegcli hide` writes it.

    Attributes:
        spread: cover pixels per symbol.
        name: name in the table.
        lam: see `single.LAMBDAS`.
        cost: (H, W) luma in grey levels -> costs; the program's own unless others are being tried.
        with_header: whether the parities of a header are written, too.
        spares: whether the most expensive of them are left wrong, as `hide` does.
        way: the channel; None for the one that `hide` uses at this spread.
    """

    spread: int
    name: str
    lam: float = single.LAMBDAS["balanced"]
    cost: Cost = program_cost
    with_header: bool = True
    spares: bool = True
    way: Channel | None = None

    def stego(self, cover_rgb: U8, secret_gray: U8, seed: str) -> U8:
        """Return a stego; the secret is not used: see the module's docstring."""
        del secret_gray
        stego, _ = self.write(cover_rgb, seed)
        return stego

    def write(self, cover_rgb: U8, seed: str) -> tuple[U8, float]:
        """Return the stego and the root mean square of its phase errors, in grey levels."""
        pixels = np.ascontiguousarray(cover_rgb).reshape(-1, 3)
        way, symbols = self._way(len(pixels))
        targets = random_numbers(seed, "targets").integers(luma.MILLI, size=symbols).astype(np.int16)
        subkeys = Keys(*(seed_bytes(seed, purpose) for purpose in ("header", "keystream", "permutation")))
        stego = way.write(
            pixels,
            targets,
            subkeys,
            spread=self.spread,
            lam=self.lam,
            parity=self._parity_for(cover_rgb, seed),
            cost=self._costs(cover_rgb),
        )
        error = (way.read(stego, subkeys, symbols, self.spread) - targets + 500) % luma.MILLI - 500
        sigma = float(np.sqrt(np.mean((error / luma.MILLI) ** 2)))
        return stego.reshape(cover_rgb.shape), sigma

    def _parity_for(self, cover_rgb: U8, seed: str) -> parity.Parity | None:
        if not self.with_header:
            return None
        pixels, costs = cover_rgb.reshape(-1, 3), self._costs(cover_rgb)
        sealed = random_numbers(seed, "sealed").bytes(header.SEALED_BYTES)
        salt, locator = seed_bytes(seed, "salt", 16), seed_bytes(seed, "locator")
        group = header.group_size(len(pixels), self._way(len(pixels))[0].reach(self.spread))
        places = header.draw_places(len(pixels), locator)
        plan = header.parity_plan(len(pixels), salt, sealed, places, group)
        if costs is not None and self.spares:
            plan = parity.spare_most_expensive(pixels, *plan, costs)
        return parity.pixel_parities(pixels, *plan, costs)

    def _way(self, room: int) -> tuple[Channel, int]:
        """Return the channel that `hide` uses at this spread, and how many symbols fill the cover."""
        way = self.way or suited(room, room // self.spread)[0]
        return way, room // way.reach(self.spread) * way.reach(1)

    def _costs(self, cover_rgb: U8) -> F32 | None:
        if self.spread == 1:
            return None
        return self.cost(luma.luma_levels(cover_rgb)).reshape(-1)


@dataclass(frozen=True)
class HiderSubject:
    """A model or baseline with real secrets.

    Attributes:
        hider: the hider.
        name: name in the table.
        spread: the secret's sides are divided by its square root.
    """

    hider: Hider
    name: str
    spread: int = 1

    def stego(self, cover_rgb: U8, secret_gray: U8, seed: str) -> U8:
        """Hide the secret."""
        return self.hider.hide(cover_rgb, smaller(secret_gray, self.spread), seed, None).stego_rgb


def smaller(secret_gray: U8, spread: int) -> U8:
    """(h, w) uint8 -> the same with its sides divided by the square root of the spread."""
    height, width = (max(1, round(side * spread**-0.5)) for side in secret_gray.shape)
    return reading.resize_gray(secret_gray, (height, width))
