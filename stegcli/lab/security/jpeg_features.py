"""Features for detectors of changed JPEG coefficients: DCTR and GFR, 17,000 numbers per picture.

    decoded luma ─> 64 cosines and 128 Gabor filters at every pixel ─> magnitudes, quantised, at most four
    ─> counted by position in the block, mirrored positions merged ─> shares

Holub and Fridrich, "Low-complexity features for JPEG steganalysis using undecimated DCT", IEEE TIFS 10(2),
2015 (DCTR); Song, Liu, Yang, Luo and Zhang, "Steganalysis of adaptive JPEG steganography using 2D Gabor
filters", IH&MMSec 2015 (GFR), here with 16 directions, and zero mean as in the authors' own code. The numbers
agree with those of sealwatch, at a fraction of its time.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from stegcli.carriers import dct

__all__ = ["SETS", "SIZE", "features"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I16 = NDArray[np.int16]
I64 = NDArray[np.int64]

_CUT: Final = 4
_MERGED: Final = 5
"""Rows of a block that remain distinct when mirrored ones are merged; columns likewise."""
_BINS: Final = _MERGED**2 * (_CUT + 1)
"""Number of features of one filter."""
_DIRECTIONS: Final = 16
_SCALES: Final = {0.5: 0.5, 0.75: 1.0, 1.0: 1.5, 1.25: 2.0}
"""Standard deviation of a Gabor filter -> quantisation step of its magnitudes, in units of DCTR's step."""
_DCTR: Final = dct.SIDE**2 * _BINS
_GFR: Final = 2 * len(_SCALES) * (_DIRECTIONS // 2 + 1) * _BINS
SIZE: Final = _DCTR + _GFR
SETS: Final = {"DCTR": slice(_DCTR), "DCTR + GFR": slice(SIZE)}
"""Detector -> indices of its features. GFR alone finds less than either."""


def features(luma: I16, table: NDArray[np.int32], step: float) -> F32:
    """Return the features of a JPEG.

    Args:
        luma: (R, C, 8, 8) quantised coefficients, vertical frequency first.
        table: (8, 8) quantisation table.
        step: quantisation step of magnitudes: 4 for quality 75, 1.6 for quality 90; in DCTR's paper
            8 (2 - quality / 50) from quality 50 on, with which GFR's steps are scaled here.

    Returns:
        (17000,) float32 shares: of 5 values, at each of 25 positions, for each filter.
    """
    picture = dct.join_blocks(dct.inverse(luma.astype(np.float32) * table.astype(np.float32)))
    halves = (_KERNELS / step)[:, : dct.SIDE**2 // 2].astype(np.float32)
    even, odd = (np.ascontiguousarray(halves[which].T) for which in (_EVEN, ~_EVEN))
    windows = sliding_window_view(picture, (dct.SIDE, dct.SIDE))
    counts = np.zeros((_MERGED, _MERGED, _CUT + 1, len(_KERNELS)), np.int64)
    for row, column in np.ndindex(dct.SIDE, dct.SIDE):
        patches = windows[row :: dct.SIDE, column :: dct.SIDE].reshape(-1, dct.SIDE**2)
        counts[min(row, dct.SIDE - row), min(column, dct.SIDE - column)] += _tally(patches, even, odd)
    shares = counts / counts.sum(axis=2, keepdims=True)
    by_filter = shares.reshape(_MERGED**2, _CUT + 1, -1).transpose(2, 0, 1)[_ORDER]
    cosines, gabor = by_filter[: dct.SIDE**2], by_filter[dct.SIDE**2 :]
    return np.concatenate([cosines.reshape(-1), _mirrored(gabor).reshape(-1)]).astype(np.float32)


def _tally(patches: F32, even: F32, odd: F32) -> I64:
    """(n, 64) pixels, and halves of filters -> (5, 192): how often each filter has each magnitude."""
    at_least = np.zeros((_CUT + 2, even.shape[1] + odd.shape[1]), np.int64)
    at_least[0] = len(patches)
    for start in range(0, len(patches), _ROWS):
        part = patches[start : start + _ROWS]
        near, far = part[:, : dct.SIDE**2 // 2], part[:, : dct.SIDE**2 // 2 - 1 : -1]
        sizes = np.abs(np.concatenate([(near + far) @ even, (near - far) @ odd], axis=1))
        for level in range(1, _CUT + 1):
            at_least[level] += (sizes >= level - _HALF).view(np.uint8).sum(axis=0, dtype=np.uint8)
    return at_least[:-1] - at_least[1:]


_HALF: Final = 0.499
"""Nearly: in step with the blocks, responses are multiples of the table's steps, and many of these lie half
way between two magnitudes, where the last bit would choose."""
_ROWS: Final = 255
"""Patches at once: as many as a byte can count, and few enough to stay in the cache."""


def _mirrored(shares: F64) -> F64:
    """(128, 25, 5) -> (2, 4, 9, 25, 5): with mirrored directions merged."""
    each = shares.reshape(2, len(_SCALES), _DIRECTIONS, _MERGED**2, _CUT + 1)
    half = _DIRECTIONS // 2
    merged = each[:, :, : half + 1].copy()
    merged[:, :, 1:half] = (each[:, :, 1:half] + each[:, :, :half:-1]) / 2
    return merged


def _gabor(scale: float, direction: float, phase: float) -> F64:
    """(8, 8): a wave of length scale / 0.56 under a Gaussian twice as long along its crests, mean 0."""
    places = np.arange(dct.SIDE) - (dct.SIDE - 1) / 2
    across = places * np.cos(direction) - places[:, None] * np.sin(direction)
    along = -places * np.sin(direction) - places[:, None] * np.cos(direction)
    faded = np.exp(-(across**2 + along**2 / 4) / (2 * scale**2))
    wave: F64 = faded * np.cos(2 * np.pi * 0.56 / scale * across + phase)
    wave -= wave.sum() / np.abs(wave).sum() * np.abs(wave)
    return wave


def _kernels() -> F64:
    """Return (192, 64) all filters for a step of 1, one per row."""
    cosines = [np.outer(vertical, horizontal) for vertical in dct.BASIS for horizontal in dct.BASIS]
    waves = [
        _gabor(scale, np.pi * turn / _DIRECTIONS, phase) / steps
        for phase in (0, np.pi / 2)
        for scale, steps in _SCALES.items()
        for turn in range(_DIRECTIONS)
    ]
    return np.stack([*cosines, *waves]).reshape(-1, dct.SIDE**2)


_KERNELS: Final = _kernels()
_EVEN: Final = (_KERNELS * _KERNELS[:, ::-1]).sum(axis=1) > 0
"""Filters that rotation by 180 degrees leaves unchanged; it negates the others. So half of the pixels, with
those opposite added or subtracted, are enough for either."""
_ORDER: Final = np.argsort(np.concatenate([np.flatnonzero(_EVEN), np.flatnonzero(~_EVEN)]))
"""Index of each filter's counts, which list even filters before odd ones."""
