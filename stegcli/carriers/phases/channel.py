"""The two phase channels: `single`, and `joint`, for covers that are much larger than the secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from stegcli.carriers.parity import Parity
from stegcli.carriers.phases import joint, single
from stegcli.carriers.phases.choice import wrap
from stegcli.carriers.scatter import TRIAL_KEYS
from stegcli.carriers.streams import Keys, scaled, words32
from stegcli.pictures.luma import MILLI

__all__ = ["JOINT", "LUMA_JOINT", "LUMA_PHASE", "PLAIN", "SHARES", "Channel", "numbered", "suited"]

LUMA_PHASE, LUMA_JOINT = 1, 3
"""Numbers by which a header names the channels."""
SHARES: Final = {LUMA_PHASE: 1, LUMA_JOINT: joint.SHARE}
"""By that number, how many symbols share their pixels."""
_MAX_SPREAD: Final = (1 << 24) - 1  # the header has three bytes for it

_SAMPLE_PIXELS: Final = 1 << 18
_SAMPLE_GROUPS_MIN, _SAMPLE_GROUPS_MAX = 256, 16384
_SAMPLE_PIXELS_KEY: Final = b"s" * 32
_SAMPLE_TARGETS_KEY: Final = b"t" * 32


class Write(Protocol):
    """Signature of `single.write`."""

    def __call__(
        self,
        pixels: npt.NDArray[np.uint8],
        target_milli: npt.NDArray[np.integer],
        keys: Keys,
        *,
        spread: int,
        lam: float,
        parity: Parity | None = ...,
        cost: npt.NDArray[np.float32] | None = ...,
    ) -> npt.NDArray[np.uint8]:
        """Write symbols into pixels."""


@dataclass(frozen=True)
class Channel:
    """A channel that writes symbols into pixels and reads them again.

    Attributes:
        number: number by which a header names it.
        write: function with the signature of `single.write`.
        read: function with the signature of `single.read`.
        lost_symbols: function with the signature of `single.lost_symbols`.
    """

    number: int
    write: Write
    read: Callable[[npt.NDArray[np.uint8], Keys, int, int], npt.NDArray[np.int16]]
    lost_symbols: Callable[[npt.NDArray[np.bool_], Keys, int, int], npt.NDArray[np.bool_]]

    def reach(self, spread: int) -> int:
        """Return how many pixels each symbol depends on: if one is destroyed, the symbol is lost."""
        return SHARES[self.number] * spread

    def predict_sigma(
        self,
        pixels: npt.NDArray[np.uint8],
        cost: npt.NDArray[np.float32] | None,
        lam: float,
        spread: int,
        forced: int = 0,
    ) -> float:
        """Return the root mean square phase error, in turns, that `write` will leave, measured on a sample.

        Args:
            pixels: (n, 3) uint8 cover.
            cost: as for `write`.
            lam: as for `write`.
            spread: pixels per symbol.
            forced: number of the n pixels whose parity will be prescribed.
        """
        count, share = len(pixels), SHARES[self.number]
        symbols = min(count // spread, max(_SAMPLE_PIXELS // spread, _SAMPLE_GROUPS_MIN), _SAMPLE_GROUPS_MAX)
        symbols = max(share, symbols - symbols % share)
        picks = scaled(words32(_SAMPLE_PIXELS_KEY, symbols * spread), count)
        targets = scaled(words32(_SAMPLE_TARGETS_KEY, symbols), MILLI).astype(np.int32)
        positions = (
            np.arange(len(picks) * forced // count) * count // max(forced, 1)
        )  # the same share, evenly
        parity = positions, (picks[positions] & 1).astype(np.uint8)
        sample_cost = None if cost is None else cost[picks]
        stego = self.write(
            pixels[picks], targets, TRIAL_KEYS, spread=spread, lam=lam, parity=parity, cost=sample_cost
        )
        error = wrap(self.read(stego, TRIAL_KEYS, symbols, spread) - targets) / MILLI
        return float(np.sqrt(np.mean(error**2)))


PLAIN: Final = Channel(LUMA_PHASE, single.write, single.read, single.lost_symbols)
JOINT: Final = Channel(LUMA_JOINT, joint.write, joint.read, joint.lost_symbols)


def suited(room: int, symbols: int) -> tuple[Channel, int]:
    """Return the channel for a number of symbols in a cover of `room` pixels, and its pixels per symbol."""
    spread = min(room // (joint.SHARE * joint.block_count(symbols)), _MAX_SPREAD)
    if spread >= joint.MIN_SPREAD:
        return JOINT, spread
    return PLAIN, min(room // symbols, _MAX_SPREAD)


def numbered(number: int) -> Channel:
    """Return the channel that a header names."""
    return {each.number: each for each in (PLAIN, JOINT)}[number]
