"""Tables of the best small colour step towards a wanted phase, by residue and kind of pixel.

A pixel may move by an offset (dR, dG, dB). Its luma then changes by 299 dR + 587 dG + 114 dB thousandths.
Since only luma modulo one grey level counts, offsets of a step or two reach all parts of the circle. Given
the residue that remains to be cancelled, the best offset minimises

    wrapped_error^2 + lambda * rho * (dR^2 + dG^2 + dB^2)          (error in grey levels)

The best offset depends only on the residue (1000 values) and on the *kind* of the pixel: which offsets
clipping and parity allow, and the level of its cost rho. Choices are therefore tabulated once per image, and
the channel looks them up.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from stegcli.carriers.parity import parities
from stegcli.pictures.luma import MILLI, WEIGHTS


def _offsets_by_size() -> npt.NDArray[np.int8]:
    """Return (125, 3) int8 offsets of at most two steps per channel, smallest first: index 0 is no change."""
    steps = itertools.product(range(-2, 3), repeat=3)
    return np.array(sorted(steps, key=lambda step: (sum(s * s for s in step), step)), dtype=np.int8)


OFFSETS: Final = _offsets_by_size()
LUMA_STEPS: Final[npt.NDArray[np.int32]] = OFFSETS.astype(np.int32) @ np.array(WEIGHTS, dtype=np.int32)
"""(125,) int32 thousandths of luma that each offset adds."""
SQUARED_SIZES: Final[npt.NDArray[np.float32]] = (OFFSETS.astype(np.float32) ** 2).sum(axis=1)
"""(125,) float32 squared length of each offset, 0..12."""

# A pixel's kind is one number: (parity * 125 + clip) * COST_LEVELS + level.
FREE, EVEN, ODD = range(3)
"""Parity classes: the sum of an offset may be anything, or must be even, or must be odd."""
CLIP_CLASSES: Final = 125
_CLIP_OF_VALUE: Final = np.full(256, 2, dtype=np.uint8)
_CLIP_OF_VALUE[[0, 1, 254, 255]] = 0, 1, 3, 4
_UNCLIPPED: Final = 62  # the clip class (2, 2, 2): every offset fits
_CLIP_DIGITS: Final = np.array(list(itertools.product(range(5), repeat=3)), dtype=np.int8)
_TOUCHES_END: Final = ((_CLIP_DIGITS == 0) | (_CLIP_DIGITS == 4)).any(axis=1)
# Offsets of one step always fit a pixel that touches neither end, and a free pixel needs no others.
_CLIP_OF_FREE_PIXEL: Final = np.where(_TOUCHES_END, np.arange(CLIP_CLASSES), _UNCLIPPED).astype(np.uint8)

NEUTRAL_LEVEL: Final = 8
CHEAPEST_LEVEL: Final = 16
COST_LEVELS: Final = 17
LEVEL_COSTS: Final[npt.NDArray[np.float32]] = np.append(
    np.exp2((np.arange(CHEAPEST_LEVEL) - NEUTRAL_LEVEL) / 2), 1e4
).astype(np.float32)
"""(17,) float32 rho of each cost level: 16 levels 3 dB apart around 1, and one where only the size counts."""

KINDS: Final = 3 * CLIP_CLASSES * COST_LEVELS
FIRST_ODD_KIND: Final = ODD * CLIP_CLASSES * COST_LEVELS


def clip_classes(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(n, 3) uint8 -> (n,) uint8 in 0..124: distance of each channel from 0 and 255, in base 5."""
    digits = _CLIP_OF_VALUE[pixels[:, 0]]
    for channel in (1, 2):
        digits *= np.uint8(5)
        digits += _CLIP_OF_VALUE[pixels[:, channel]]
    return digits


def free_kinds(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """(n, 3) uint8 -> (n,) uint16 kinds at cost level 0 of pixels whose parity is free."""
    return _CLIP_OF_FREE_PIXEL[clip_classes(pixels)].astype(np.uint16) * np.uint16(COST_LEVELS)


def forced_kinds(pixels: npt.NDArray[np.uint8], bits: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """(k, 3) and (k,) uint8 -> (k,) uint16 kinds at cost level 0 of pixels that must get parity `bits`."""
    parity = np.where(parities(pixels) != bits, np.uint16(ODD), np.uint16(EVEN))
    return (parity * np.uint16(CLIP_CLASSES) + clip_classes(pixels)) * np.uint16(COST_LEVELS)


def cost_levels(cost: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """(n,) float32 rho > 0 -> (n,) uint16 nearest level, 0..15."""
    level: npt.NDArray[np.float32] = np.rint(2 * np.log2(cost)) + NEUTRAL_LEVEL
    return np.clip(level, 0, CHEAPEST_LEVEL - 1).astype(np.uint16)


def wrap(milli: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Thousandths on the circle -> their representatives in -500..499."""
    return (milli + MILLI // 2) % MILLI - MILLI // 2


def allowed_offsets(parity: int, clip: int) -> npt.NDArray[np.intp]:
    """Return indices into OFFSETS of the offsets that a pixel of this parity and clip class may take."""
    if parity == FREE and clip == _UNCLIPPED:
        return np.flatnonzero(np.abs(OFFSETS).max(axis=1) <= 1)
    digits = _CLIP_DIGITS[clip]
    allowed = ((-digits <= OFFSETS) & (4 - digits >= OFFSETS)).all(axis=1)
    if parity != FREE:
        allowed &= OFFSETS.sum(axis=1) % 2 == parity - EVEN
    return np.flatnonzero(allowed)


# (1000, 125) float32: squared error, in grey levels, of each offset at each residue.
_SQUARED_ERRORS: Final = np.square(
    wrap(np.arange(MILLI, dtype=np.int32)[:, None] + LUMA_STEPS).astype(np.float32) / np.float32(MILLI)
)


@dataclass(frozen=True)
class ChoiceTable:
    """Best offset and its price for each kind of pixel and residue; the index is kind * 1000 + residue.

    Attributes:
        offset: (KINDS * 1000,) uint8, indices into OFFSETS; only the requested rows are defined.
        price: (KINDS * 1000,) float32, wrapped_error^2 + lambda * rho * squared size.
        size_price: (COST_LEVELS,) float32, lambda * rho.
    """

    offset: npt.NDArray[np.uint8]
    price: npt.NDArray[np.float32]
    size_price: npt.NDArray[np.float32]

    @classmethod
    def for_kinds(cls, kinds: npt.NDArray[np.intp], lam: float) -> ChoiceTable:
        """The rows of `kinds`, and maybe more, for the trade-off `lam`; nobody may change them."""
        kept = _kept(lam)
        for kind in kinds[~kept.is_there[kinds]]:
            kept.offset[kind], kept.price[kind] = _row(int(kind), lam)
            kept.is_there[kind] = True  # last: another thread may look
        return cls(kept.offset.ravel(), kept.price.ravel(), LEVEL_COSTS * np.float32(lam))


@dataclass(frozen=True)
class _Kept:
    """Rows that some picture has asked for; others have most of their kinds in common with it.

    Attributes:
        offset: (KINDS, 1000) uint8.
        price: (KINDS, 1000) float32.
        is_there: (KINDS,) bool, which rows are filled: the memory of the others is never touched.
    """

    offset: npt.NDArray[np.uint8]
    price: npt.NDArray[np.float32]
    is_there: npt.NDArray[np.bool_]


@lru_cache(maxsize=3)
def _kept(lam: float) -> _Kept:
    """Of one trade-off, empty at first."""
    return _Kept(
        np.empty((KINDS, MILLI), dtype=np.uint8),
        np.empty((KINDS, MILLI), dtype=np.float32),
        np.zeros(KINDS, dtype=np.bool_),
    )


def _row(kind: int, lam: float) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return offset and price at each residue for one kind."""
    constraint, level = divmod(kind, COST_LEVELS)
    allowed = allowed_offsets(*divmod(constraint, CLIP_CLASSES))
    size_price = LEVEL_COSTS * np.float32(lam)
    candidates = _SQUARED_ERRORS[:, allowed] + size_price[level] * SQUARED_SIZES[allowed]
    best = candidates.argmin(axis=1)
    return allowed[best].astype(np.uint8), candidates[np.arange(MILLI), best]


def noise_table(lam: float) -> npt.NDArray[np.float32]:
    """Return (1000,) float32 phase errors in grey levels, one per residue, that the channel leaves.

    They are those of spread 1. Residues are uniform under a key, so that a random entry of this table is a
    sample of the channel's noise.
    """
    kind = _UNCLIPPED * COST_LEVELS + NEUTRAL_LEVEL
    table = ChoiceTable.for_kinds(np.array([kind]), lam)
    residues = np.arange(MILLI, dtype=np.int32)
    chosen = table.offset[kind * MILLI + residues]
    return wrap(residues + LUMA_STEPS[chosen]).astype(np.float32) / np.float32(MILLI)
