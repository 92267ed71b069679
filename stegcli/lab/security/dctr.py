"""DCTR features for detectors of changed JPEG coefficients: DCT residuals, 8000 numbers per picture.

Holub and Fridrich, "Low-complexity features for JPEG steganalysis using undecimated DCT", IEEE TIFS 10(2),
2015: the decoded luma, not rounded, is filtered with each of the 64 bases of the 8x8 DCT at every pixel;
magnitudes, quantised and truncated at four, are counted for each position in the block, with positions
that are mirror images of each other merged.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers import dct

__all__ = ["SIZE", "dctr"]

F32 = NDArray[np.float32]
I16 = NDArray[np.int16]

_CUT: Final = 4
_MERGED: Final = 5
"""Rows of a block that remain distinct when mirrored ones are merged; columns likewise."""
SIZE: Final = dct.SIDE**2 * _MERGED**2 * (_CUT + 1)
_FOLD: Final = np.minimum(np.arange(dct.SIDE), dct.SIDE - np.arange(dct.SIDE))


def dctr(luma: I16, table: NDArray[np.int32], step: float) -> F32:
    """Return the features of a JPEG.

    Args:
        luma: (R, C, 8, 8) quantised coefficients, vertical frequency first.
        table: (8, 8) quantisation table.
        step: quantisation step of residuals: 4 for quality 75, 1.6 for quality 90; in the paper
            8 (2 - quality / 50) from quality 50 on.

    Returns:
        (8000,) float32 shares: of 5 values, at each of 25 positions, for each of 64 bases.
    """
    picture = dct.join_blocks(dct.inverse(luma.astype(np.float32) * table.astype(np.float32)))
    places = _places(picture.shape[0] - dct.SIDE + 1, picture.shape[1] - dct.SIDE + 1)
    bases = (dct.BASIS / np.sqrt(step)).astype(np.float32)
    found = np.empty((dct.SIDE**2, _MERGED**2 * (_CUT + 1)))
    for horizontal in range(dct.SIDE):
        across = _filtered(picture.T, bases[horizontal]).T
        for vertical in range(dct.SIDE):
            levels = np.abs(_filtered(across, bases[vertical]))
            np.minimum(levels, _CUT, out=levels)
            bins = places + np.rint(levels, out=levels).astype(np.int64)
            found[dct.SIDE * vertical + horizontal] = np.bincount(bins.ravel(), minlength=found.shape[1])
    shares = found.reshape(-1, _CUT + 1)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares.reshape(-1).astype(np.float32)


def _filtered(lines: F32, weights: F32) -> F32:
    """(n, w) -> (n - 7, w): weighted sums of eight consecutive lines."""
    count = len(lines) - dct.SIDE + 1
    total: F32 = np.multiply(lines[:count], weights[0])
    for index in range(1, dct.SIDE):
        total += lines[index : index + count] * weights[index]
    return total


def _places(height: int, width: int) -> NDArray[np.int64]:
    """(height, width): where the bins of each pixel's position in its block begin."""
    rows, cols = (_FOLD[np.arange(length) % dct.SIDE] for length in (height, width))
    places: NDArray[np.int64] = (_MERGED * rows[:, None] + cols) * (_CUT + 1)
    return places
