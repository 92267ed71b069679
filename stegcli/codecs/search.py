"""The level of quality that meets a wish, in few encodes.

A slow encoder takes most of a second for a picture, and a bisection of 64 levels takes six of them. PSNR and
the logarithm of the length are nearly straight lines over the level, so that the search goes along a secant:
with drafts first, which take a tenth of the time, then with one or two encodes as they are wanted.
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
"""Of the logarithm to base 2 of the length. First guesses, replaced by what two trials say."""
_DRAFT_DB: Final = 0.6
_DRAFT_BITS: Final = -0.03
"""What a final encode has over a draft of the same level, for AVIF (benchmarks/codecs.py)."""
_SECURE: Final = 0.9
"""A result nearer to the goal than this part of a level's step is taken without looking at the next level."""
_START: Final = 0.55
"""Of the way from the worst to the best level: about 40 dB for AVIF."""
_ALIKE_DB: Final = 99.0
"""Stands for infinity, with which no secant can reckon."""


@dataclass
class Trials:
    """What a codec makes of one picture at each level, each encoded once.

    Attributes:
        codec: tried.
        picture: the secret, as it travels.
        judge: from what is decoded to the PSNR in dB that counts.
        encodes: how often the encoder ran.
    """

    codec: Codec
    picture: Picture
    judge: Callable[[Picture], tuple[Picture, float]]
    encodes: int = 0
    _known: dict[tuple[int, bool], Encoded] = field(default_factory=dict)

    @classmethod
    def of(cls, codec: Codec, picture: Picture) -> Trials:
        """Trials judged at the picture's own size."""
        return cls(codec, picture, lambda decoded: (decoded, metrics.psnr(picture, decoded)))

    def at(self, level: int, *, draft: bool = False) -> Encoded:
        """The picture at a level, and what the reader would see of it."""
        if (level, draft) not in self._known:
            payload = self.codec.encode(self.picture, level, draft=draft)
            self.encodes += 1
            seen, psnr_db = self.judge(self.codec.decode(payload, self.picture.shape))
            shape = tuple(self.picture.shape)
            self._known[level, draft] = Encoded(self.codec.codec_id, payload, shape, seen, psnr_db)
        return self._known[level, draft]


@dataclass(frozen=True)
class Found:
    """Where a search ended.

    Attributes:
        level: of quality.
        excess: of its PSNR in dB over the wanted one, or of the logarithm of its length over the budget's.
        slope: by how much that rises from one level to the next.
    """

    level: int
    excess: float
    slope: float


def reaching(
    trials: Trials, psnr_db: float, *, draft: bool = False, near: Found | None = None
) -> Found | None:
    """The lowest level that reaches this PSNR, or one that another hardly undercuts; None if none does.

    Args:
        trials: of a codec on a picture.
        psnr_db: the goal.
        draft: try drafts only.
        near: what drafts found, to begin there.
    """

    def excess(level: int) -> float:
        return min(trials.at(level, draft=draft).psnr_db, _ALIKE_DB) - psnr_db

    first = _first(trials, near, _DRAFT_DB, _DB_PER_LEVEL)
    return _crossing(excess, trials.codec.levels, first, above=True)


def fitting(
    trials: Trials, max_bytes: int, *, draft: bool = False, near: Found | None = None
) -> Found | None:
    """The highest level that fits in so many bytes, or one that another hardly exceeds; None if none does."""
    # Half a byte more, so that a payload of exactly `max_bytes` is below the crossing.
    room = math.log2(max_bytes + 0.5)

    def excess(level: int) -> float:
        return math.log2(max(1, len(trials.at(level, draft=draft).payload))) - room

    first = _first(trials, near, _DRAFT_BITS, _BITS_PER_LEVEL)
    return _crossing(excess, trials.codec.levels, first, above=False)


def _first(trials: Trials, near: Found | None, gain: float, slope: float) -> Found:
    """Where to begin, and the slope to expect; `gain`: of a final encode over a draft of the same level."""
    if near is None:
        return Found(round(_START * (trials.codec.levels - 1)), 0.0, slope)
    return Found(near.level - math.floor((near.excess + gain) / near.slope), 0.0, near.slope)


def _crossing(excess: Callable[[int], float], levels: int, first: Found, *, above: bool) -> Found | None:
    """Where a rising function of the level becomes positive or zero.

    Returns:
        the first level from there on (`above`), or the last one before; None if there is no such level.
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
    """The slope between two trials, kept within a factor of the one before: far away the line is bent."""
    return min(max((now[1] - last[1]) / (now[0] - last[0]), slope / 4), slope * 4)


def _next(level: int, steps_over: float, *, above: bool) -> int:
    """Along the secant to the wanted side of the crossing, by one level at least."""
    steps = math.ceil(-steps_over) if above else math.floor(-steps_over)
    return level + (steps or (1 if steps_over < 0 else -1))
