"""Features of a detector: statistics of the noise residuals of a colour picture, small and fast.

`colour` follows the colour rich model (Goljan, Fridrich and Cogranne, "Rich model for steganalysis of color
images", WIFS 2014): residuals of each channel by high-pass filters of order one to three, 3x3 and 5x5, and
the minima and maxima over their directions, quantised to -2..2; then co-occurrences of the three channels at
one place, and of three neighbours in one channel, added up over channels and directions. It has a fifth of
the dimensions of the original, which suits a few hundred training pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["colour"]

U8 = NDArray[np.uint8]
I16 = NDArray[np.int16]
F32 = NDArray[np.float32]

_LEVELS: Final = 5  # residuals are cut to -2..2
_CELLS: Final = _LEVELS**3
_MARGIN: Final = 2

_SIDES: Final = ((0, 1), (-1, 0), (0, -1), (1, 0))
_DIAGONALS: Final = ((-1, 1), (-1, -1), (1, -1), (1, 1))


def colour(rgb: U8) -> F32:
    """(H, W, 3) uint8 -> (d,) float32 relative frequencies."""
    pixels = rgb.astype(np.int16)
    parts = [_even(group, quantum) for group, quantum in _symmetric_groups(pixels)]
    parts += [_extreme(group, quantum) for group, quantum in _directed_groups(pixels)]
    return np.concatenate(parts).astype(np.float32)


# --- residuals, (H - 4, W - 4, 3) int16 each ---


def _shifted(pixels: I16, down: int, right: int) -> I16:
    height, width = pixels.shape[:2]
    return pixels[_MARGIN + down : height - _MARGIN + down, _MARGIN + right : width - _MARGIN + right]


def _first(pixels: I16, step: tuple[int, int]) -> I16:
    return _shifted(pixels, *step) - _shifted(pixels, 0, 0)


def _second(pixels: I16, step: tuple[int, int]) -> I16:
    return _shifted(pixels, -step[0], -step[1]) - 2 * _shifted(pixels, 0, 0) + _shifted(pixels, *step)


def _third(pixels: I16, step: tuple[int, int]) -> I16:
    return (
        _shifted(pixels, 2 * step[0], 2 * step[1])
        - 3 * _shifted(pixels, *step)
        + 3 * _shifted(pixels, 0, 0)
        - _shifted(pixels, -step[0], -step[1])
    )


_SQUARE_3: Final = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]])
_SQUARE_5: Final = np.array(
    [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]]
)


def _edges(square: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the four halves of a square filter, each with its middle row or column."""
    upper = square.copy()
    upper[len(square) // 2 + 1 :] = 0
    return [np.rot90(upper, turns) for turns in range(4)]


def _filtered(pixels: I16, kernel: NDArray[np.int64]) -> I16:
    reach = len(kernel) // 2
    taps = [(int(tap), place) for place, tap in np.ndenumerate(kernel) if tap]
    return reduce(
        np.add,
        (np.int16(tap) * _shifted(pixels, y - reach, x - reach) for tap, (y, x) in taps),
    )


def _symmetric_groups(pixels: I16) -> list[tuple[list[I16], int]]:
    """Residuals whose sign has no meaning, with their quantisation steps; a group's statistics are summed."""
    return [
        ([_first(pixels, step) for step in _SIDES[:2]], 1),
        ([_first(pixels, step) for step in _DIAGONALS[:2]], 1),
        ([_second(pixels, step) for step in _SIDES[:2]], 2),
        ([_second(pixels, step) for step in _DIAGONALS[:2]], 2),
        ([_third(pixels, step) for step in _SIDES[:2]], 3),
        ([_filtered(pixels, _SQUARE_3)], 4),
        ([_filtered(pixels, _SQUARE_5)], 12),
    ]


def _directed_groups(pixels: I16) -> list[tuple[list[I16], int]]:
    """Residuals of which the minimum and the maximum count, with their quantisation steps."""
    sides, seconds = [_first(pixels, step) for step in _SIDES], [_second(pixels, step) for step in _SIDES[:2]]
    return [
        (sides[:2], 1),
        (sides, 1),
        (seconds, 2),
        (seconds + [_second(pixels, step) for step in _DIAGONALS[:2]], 2),
        ([_third(pixels, step) for step in _SIDES], 3),
        ([_filtered(pixels, edge) for edge in _edges(_SQUARE_3)], 4),
        ([_filtered(pixels, edge) for edge in _edges(_SQUARE_5)], 12),
    ]


# --- co-occurrences ---


def _even(group: list[I16], quantum: int) -> F32:
    """Return statistics of a group; a pattern and its negative count as one."""
    found = []
    for counts in zip(*(_occurrences(_quantised(each, quantum)) for each in group), strict=True):
        total = np.sum(counts, axis=0)
        found.append((total + total[::-1])[: _CELLS // 2 + 1])
    return _shares(found)


def _extreme(group: list[I16], quantum: int) -> F32:
    """Return joint statistics of the minimum and of the maximum with reversed signs."""
    lowest = _occurrences(_quantised(reduce(np.minimum, group), quantum))
    highest = _occurrences(_quantised(reduce(np.maximum, group), quantum))
    return _shares([low + high[::-1] for low, high in zip(lowest, highest, strict=True)])


def _shares(counts: Sequence[NDArray[np.int64]]) -> F32:
    return np.concatenate([each / each.sum() for each in counts]).astype(np.float32)


def _quantised(residual: I16, quantum: int) -> U8:
    """Quantise to -2..2 as 0..4: the number of levels that a value reaches rounds and clips in one go."""
    levels = np.zeros(residual.shape, dtype=np.uint8)
    for step in _steps(quantum):
        levels += residual >= step
    return levels


@cache
def _steps(quantum: int) -> tuple[np.int16, ...]:
    """Return the smallest value of each level above -2; halves are rounded to even."""
    values = np.arange(-3 * quantum, 3 * quantum + 1)
    levels = np.rint(values / quantum)
    return tuple(np.int16(values[np.argmax(levels >= level)]) for level in (-1, 0, 1, 2))


def _occurrences(levels: U8) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (125,) counts each, of three channels at a place, and of neighbours along rows and columns."""
    return (
        _count(levels[..., 0], levels[..., 1], levels[..., 2]),
        _count(levels[:, :-2], levels[:, 1:-1], levels[:, 2:]),
        _count(levels[:-2], levels[1:-1], levels[2:]),
    )


def _count(first: U8, second: U8, third: U8) -> NDArray[np.int64]:
    cells = (first * np.uint8(_LEVELS) + second) * np.uint8(_LEVELS) + third
    return np.bincount(cells.reshape(-1), minlength=_CELLS)
