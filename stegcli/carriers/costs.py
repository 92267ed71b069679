"""What a change costs at each pixel: little in texture, much where a detector would notice it."""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

_Signed = TypeVar("_Signed", np.float32, np.int16)

_NARROW: Final = 3
_WIDE: Final = 15
_MARGIN: Final = 1 + _NARROW // 2 + _WIDE // 2
"""Distance in pixels within which others influence a pixel's cost: high-pass, narrow mean, wide mean."""

_FLAT: Final = np.float32(1e-2)
"""Added to the local texture, in grey levels, so that the cost of perfectly flat areas is finite."""

_STRIP_PIXELS: Final = 1 << 18
_QUANTILE_SAMPLE: Final = 1 << 17


def hill_cost(luma: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """(H, W) luma in grey levels -> (H, W) float32 HILL costs > 0, in arbitrary units.

    Li, Wang, Huang and Li, "A new cost function for spatial image steganography", ICIP 2014: high-pass
    (Ker-Boehme), magnitude averaged over 3x3, inverse averaged over 15x15. Borders are mirrored.
    """
    height, width = luma.shape
    cost = np.empty((height, width), dtype=np.float32)
    # The three filters are symmetric, so that mirroring the image once equals mirroring before each.
    mirrored = np.pad(luma.astype(np.float32, copy=False), _MARGIN, mode="symmetric")
    strip_height = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, strip_height):
        strip = mirrored[top : top + strip_height + 2 * _MARGIN]
        texture = box_mean(np.abs(ker_boehme(strip)), _NARROW)
        cost[top : top + strip_height] = box_mean(np.reciprocal(texture + _FLAT), _WIDE)
    return cost


def relative_cost(cost: npt.NDArray[np.float32], spread: int) -> npt.NDArray[np.float32]:
    """(n,) costs -> the same in a unit that the cheapest pixel of a group stays below in three of four cases.

    rho is then about 1 where the changes go, so that a lambda leaves much the same phase error at any spread.
    """
    sample = cost[:: max(1, len(cost) // _QUANTILE_SAMPLE)]
    # The least of m draws exceeds the quantile q with probability (1 - q)^m.
    unit = np.quantile(sample, 1 - 0.25 ** (1 / spread))
    return cost / np.float32(unit)


def ker_boehme(samples: npt.NDArray[_Signed]) -> npt.NDArray[_Signed]:
    """(h, w) or (h, w, channels) -> residuals of [1 -2 1; -2 4 -2; 1 -2 1], two rows and columns fewer.

    They are two second differences, up to eight times the samples' range, in the samples' dtype: float32, or
    int16 for samples of 8 bits.
    """
    two = samples.dtype.type(2)
    across = samples[:, :-2] - two * samples[:, 1:-1] + samples[:, 2:]
    return across[:-2] - two * across[1:-1] + across[2:]


def box_mean(values: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.float32]:
    """(h, w) -> (h - side + 1, w - side + 1) means over side x side windows."""
    down = _sliding_sum(values, side)
    return _sliding_sum(down.T, side).T / np.float32(side * side)


def _sliding_sum(values: npt.NDArray[np.float32], length: int) -> npt.NDArray[np.float32]:
    """(h, w) -> (h - length + 1, w) sums of `length` consecutive rows, O(log length) additions each."""
    count = len(values) - length + 1
    total = np.zeros_like(values[:count])
    run, run_length, start = values, 1, 0  # run[i] is the sum of the run_length rows from row i
    while True:
        if length & run_length:
            total += run[start : start + count]
            start += run_length
        if start == length:
            return total
        run = run[:-run_length] + run[run_length:]
        run_length *= 2
