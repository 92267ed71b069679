"""The 8x8 discrete cosine transform of JPEG (ITU-T T.81, A.3.3), applied to stacks of blocks."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BASIS", "SIDE", "forward", "inverse", "join_blocks", "rows_of", "split_blocks"]

F32 = NDArray[np.float32]

SIDE: Final = 8
"""Rows and columns of a block."""


def _basis() -> NDArray[np.float64]:
    frequency, sample = np.mgrid[:SIDE, :SIDE]
    cosines: NDArray[np.float64] = np.cos((2 * sample + 1) * frequency * np.pi / (2 * SIDE))
    return cosines * np.where(frequency == 0, np.sqrt(1 / SIDE), np.sqrt(2 / SIDE))


BASIS: Final = _basis()
"""(8, 8) float64, orthonormal: row k holds the samples of frequency k."""

# The 64 samples of a block, row by row, times the transpose of this matrix are its 64 coefficients.
_BOTH_WAYS: Final = np.kron(BASIS, BASIS).astype(np.float32)


def forward(samples: F32) -> F32:
    """(..., 8, 8) float32 samples -> (..., 8, 8) float32 coefficients, vertical frequency first."""
    return (samples.reshape(-1, SIDE * SIDE) @ _BOTH_WAYS.T).reshape(samples.shape)


def inverse(coefficients: F32) -> F32:
    """(..., 8, 8) float32 coefficients, vertical frequency first -> (..., 8, 8) float32 samples."""
    return (coefficients.reshape(-1, SIDE * SIDE) @ _BOTH_WAYS).reshape(coefficients.shape)


def rows_of(frequencies: tuple[int, ...]) -> F32:
    """Return (k, 64) float32: the samples of unit coefficients at frequencies 8 * vertical + horizontal."""
    return _BOTH_WAYS[list(frequencies)]


def split_blocks(picture: F32) -> F32:
    """(8 * R, 8 * C) -> (R, C, 8, 8), a contiguous copy."""
    rows, cols = (side // SIDE for side in picture.shape)
    return np.ascontiguousarray(picture.reshape(rows, SIDE, cols, SIDE).swapaxes(1, 2))


def join_blocks(blocks: F32) -> F32:
    """(R, C, 8, 8) -> (8 * R, 8 * C), a contiguous copy."""
    rows, cols = blocks.shape[:2]
    return np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(rows * SIDE, cols * SIDE)
