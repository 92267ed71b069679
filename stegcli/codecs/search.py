"""Find the level of quality that meets a goal in few encodes.

A slow encoder takes most of a second for a picture, and bisecting 64 levels takes six runs. PSNR and
the logarithm of the length are nearly linear in the level, so that a secant search converges faster:
first with drafts, which take a tenth of the time, then with one or two final encodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from stegcli.codecs.base import Codec, Encoded, Picture
from stegcli.pictures import metrics

__all__ = ["Trials", "fitting", "reaching"]

_DB_PER_LEVEL: Final = 0.5
_BITS_PER_LEVEL: Final = 0.08
"""Slope of log2 of the length. First guesses, replaced by the result of two trials."""
_DRAFT_DB: Final = 0.45
_DRAFT_BITS: Final = -0.03
"""By how much PSNR in dB and log2 of the length of a final encode exceed those of a draft, for AVIF."""
_SECURE: Final = 0.9
"""If a result is nearer to the goal than this share of a level's step, the next level is not tried."""
_START: Final = 0.55
"""Starting point on the way from the worst to the best level: about 40 dB for AVIF."""
_ALIKE_DB: Final = 99.0
"""Replaces infinity, which a secant cannot use."""


@dataclass
class Trials:
    """Results of a codec on one picture at each level, each encoded only once.

    Attributes:
        codec: the codec.
        picture: the secret at the size that travels.
        judge: function from a decoded picture to the PSNR in dB that counts.
        encodes: number of times the encoder ran.
    """

    codec: Codec
    picture: Picture
    judge: Callable[[Picture], tuple[Picture, float]]
    encodes: int = 0
    _known: dict[tuple[int, bool], Encoded] = field(default_factory=dict)

    @classmethod
    def of(cls, codec: Codec, picture: Picture) -> Trials:
        """Return trials judged at the picture's own size."""
        return cls(codec, picture, lambda decoded: (decoded, metrics.psnr(picture, decoded)))

    def at(self, level: int, *, draft: bool = False) -> Encoded:
        """Return the picture at a level, and what the reader would see."""
        if (level, draft) not in self._known:
            payload = self.codec.encode(self.picture, level, draft=draft)
            self.encodes += 1
            seen, psnr_db = self.judge(self.codec.decode(payload, self.picture.shape))
            shape = tuple(self.picture.shape)
            self._known[level, draft] = Encoded(self.codec.codec_id, payload, shape, seen, psnr_db)
        return self._known[level, draft]


@dataclass(frozen=True)
class Found:
    """Result of a search.

    Attributes:
        level: level of quality.
        excess: by how much its PSNR in dB, or log2 of its length, exceeds the goal.
        slope: by how much that rises from one level to the next.
    """

    level: int
    excess: float
    slope: float


def reaching(
    trials: Trials, psnr_db: float, *, draft: bool = False, near: Found | None = None
) -> Found | None:
    """Return the lowest level that reaches a PSNR, or one close enough to it; None if none does.

    Args:
        trials: trials of a codec on a picture.
        psnr_db: the goal.
        draft: try drafts only.
        near: result of a search with drafts, as the starting point.
    """

    def excess(level: int) -> float:
        return min(trials.at(level, draft=draft).psnr_db, _ALIKE_DB) - psnr_db

    first = _first(trials, near, _DRAFT_DB, _DB_PER_LEVEL)
    return _crossing(excess, trials.codec.levels, first, above=True)


def fitting(
    trials: Trials, max_bytes: int, *, draft: bool = False, near: Found | None = None
) -> Found | None:
    """Return the highest level that fits into `max_bytes`, or one close enough to it; None if none does."""
    # Half a byte more, so that a payload of exactly `max_bytes` lies below the crossing.
    room = math.log2(max_bytes + 0.5)

    def excess(level: int) -> float:
        return math.log2(max(1, len(trials.at(level, draft=draft).payload))) - room

    first = _first(trials, near, _DRAFT_BITS, _BITS_PER_LEVEL)
    return _crossing(excess, trials.codec.levels, first, above=False)


def _first(trials: Trials, near: Found | None, gain: float, slope: float) -> Found:
    """Return where to begin and the expected slope; `gain`: of a final encode over a draft."""
    if near is None:
        return Found(round(_START * (trials.codec.levels - 1)), 0.0, slope)
    return Found(near.level - math.floor((near.excess + gain) / near.slope), 0.0, near.slope)


def _crossing(excess: Callable[[int], float], levels: int, first: Found, *, above: bool) -> Found | None:
    """Find where an increasing function of the level becomes positive or zero.

    Returns:
        The first level from there on (`above`), or the last one before; None if there is no such level.
    """
    low, high, slope, best, last = -1, levels, first.slope, None, None
    level = min(max(first.level, 0), levels - 1)
    while high - low > 1:
        value = excess(level)
        low, high = (level, high) if value < 0 else (low, level)
        slope = slope if last is None else _secant(last, (level, value), slope)
        last = (level, value)
        if (value >= 0) == above:
            best = last
            if abs(value) < _SECURE * slope:
                break
        level = min(max(_next(level, value / slope, above=above), low + 1), high - 1)
    return None if best is None else Found(*best, slope)


def _secant(last: tuple[int, float], now: tuple[int, float], slope: float) -> float:
    """Return the slope between two trials, kept within a factor of the last one: further away it differs."""
    return min(max((now[1] - last[1]) / (now[0] - last[0]), slope / 4), slope * 4)


def _next(level: int, steps_over: float, *, above: bool) -> int:
    """Return the next level along the secant towards the wanted side, at least one level further."""
    steps = math.ceil(-steps_over) if above else math.floor(-steps_over)
    return level + (steps or (1 if steps_over < 0 else -1))
