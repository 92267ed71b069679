"""What a change costs at each luma coefficient of a JPEG: J-UNIWARD.

    coefficients -> samples -> three wavelet subbands W -> R = 1 / (sigma + |W|) -> costs
               (inverse DCT)  (Daubechies 8)           (|impact| of one step, summed over R)

Holub, Fridrich and Denemark, "Universal distortion function for steganography in an arbitrary domain",
EURASIP Journal on Information Security 2014:1. The cost of a step is the sum of |change of W| / (sigma + |W|)
over the 23 x 23 wavelet coefficients that it affects in each subband. The filters and the cosines are
separable, and so are the absolute values of a step's effect: both directions of the sum are matrix products.
Alignment follows the formula; the authors' code is off by one sample (Lorch, arXiv 2305.19776).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers import dct

__all__ = ["juniward_costs", "luma_samples"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_SIGMA: Final = np.float32(2**-6)
_THREADS: Final = 2
_BAND: Final = 8
"""Rows of blocks in a band."""
_CHUNK: Final = 4
"""Blocks side by side in one row of a matrix product."""

_HIGH_PASS: Final = np.array(
    [
        *(-0.0544158422, 0.3128715909, -0.6756307363, 0.5853546837),
        *(0.0158291053, -0.2840155430, -0.0004724846, 0.1287474266),
        *(0.0173693010, -0.0440882539, -0.0139810279, 0.0087460940),
        *(0.0048703530, -0.0003917404, -0.0006754494, -0.0001174768),
    ]
)
"""Daubechies' wavelet with eight vanishing moments."""
_LOW_PASS: Final = _HIGH_PASS[::-1] * (-1.0) ** np.arange(16)
_SUBBANDS: Final = ((0, 1), (1, 0), (1, 1))
"""Filter for the columns, filter for the rows: 0 is low-pass, 1 high-pass."""
_REACH: Final = 15
"""Samples that a filter looks ahead; a change of a block reaches back equally far in the coefficients."""


@dataclass(frozen=True, eq=False)
class _Matrices:
    """Matrices for a stretch of n blocks, or 8 * n samples, for each of the two filters.

    Attributes:
        filters: (8 * n + 15, 8 * n + 30), from samples to wavelet coefficients.
        impacts: (8 * n, 8 * n + 15), absolute effect on the wavelet coefficients of a unit step at each
            frequency of each block.
    """

    filters: tuple[F32, F32]
    impacts: tuple[F32, F32]


def luma_samples(luma: NDArray[np.int16], quantization: NDArray[np.integer]) -> F32:
    """Turn (R, C, 8, 8) coefficients and their (8, 8) table into (8 * R, 8 * C) float32 samples.

    The samples are about 0 to 255, neither rounded nor clipped.
    """
    rows, cols = luma.shape[:2]
    samples = np.empty((8 * rows, 8 * cols), np.float32)
    steps = quantization.astype(np.float32)
    for top in range(0, rows, _BAND):
        blocks = dct.inverse(luma[top : top + _BAND] * steps)
        samples[8 * top : 8 * (top + _BAND)] = dct.join_blocks(blocks)
    samples += np.float32(128)
    return samples


def juniward_costs(luma: NDArray[np.int16], quantization: NDArray[np.integer]) -> F32:
    """(R, C, 8, 8) int16 coefficients and (8, 8) table -> (R, C, 8, 8) float32 costs > 0, in arbitrary units.

    Borders are mirrored. The cost is infinite for DC and for blocks that are entirely white or black: the
    clipped highlights of a camera contain no noise that could mask a change.
    """
    samples = luma_samples(luma, quantization)
    clipped, padded = _clipped(samples), _padded(samples)
    del samples
    costs = np.empty(luma.shape, np.float32)

    def band(top: int) -> None:
        costs[top : top + _BAND] = _band_costs(padded, top, luma[top : top + _BAND].shape[:2])

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(band, range(0, len(luma), _BAND)))
    costs *= quantization.astype(np.float32)
    costs[..., 0, 0] = np.inf
    costs[clipped] = np.inf
    return costs


def _padded(samples: F32) -> F32:
    """Mirror the borders as far as the filters reach, and pad on the right to one more than whole chunks."""
    chunk = 8 * _CHUNK
    right = chunk * (-(-samples.shape[1] // chunk) + 1) - samples.shape[1]
    return np.pad(samples, ((_REACH, _REACH), (_REACH, right)), mode="symmetric")


def _clipped(samples: F32) -> NDArray[np.bool_]:
    """(8 * R, 8 * C) -> (R, C): whether all samples of a block are white, or all are black."""
    rows, cols = (side // 8 for side in samples.shape)
    blocks = samples.reshape(rows, 8, cols, 8)
    lightest, darkest = blocks.max(axis=(1, 3)), blocks.min(axis=(1, 3))
    clipped: NDArray[np.bool_] = (darkest >= 254.5) | (lightest < 0.5)
    return clipped


def _band_costs(padded: F32, top: int, shape: tuple[int, ...]) -> F32:
    """Return (n, C, 8, 8) costs of unit steps in the n rows of blocks from row `top` on."""
    rows, cols = shape
    down, along = _matrices(rows), _matrices(_CHUNK)
    strip = padded[8 * top : 8 * (top + rows) + 2 * _REACH]
    filtered = [matrix @ strip for matrix in down.filters]
    total = np.zeros(1, np.float32)
    for vertical, horizontal in _SUBBANDS:
        taps = along.filters[horizontal][: 8 * _CHUNK, : 8 * _CHUNK + _REACH]
        subband = _along(filtered[vertical], taps)
        weights = np.reciprocal(np.abs(subband) + _SIGMA)
        total = total + _along(down.impacts[vertical] @ weights, along.impacts[horizontal])
    costs = total[:, : 8 * cols].reshape(rows, 8, cols, 8)
    return costs.swapaxes(1, 2)


def _along(values: F32, matrix: F32) -> F32:
    """(h, w) -> (h, 8 * chunk * k): apply each row of `matrix` to every stretch of a row that it covers."""
    step, length = matrix.shape
    count = (values.shape[1] - length) // step + 1
    windows = np.lib.stride_tricks.sliding_window_view(values, length, axis=1)[:, ::step][:, :count]
    stretches = windows.reshape(len(values) * count, length)
    return (stretches @ matrix.T).reshape(len(values), count * step)


@cache
def _matrices(blocks: int) -> _Matrices:
    filters, impacts = [], []
    for taps in (_LOW_PASS, _HIGH_PASS):
        filters.append(_toeplitz(taps, 8 * blocks + _REACH))
        # The effect of unit steps at the eight frequencies on the wavelet coefficients, from 15 before the
        # block on.
        reach = np.abs(dct.BASIS @ _toeplitz(taps, 8 + _REACH)[:, _REACH : _REACH + 8].T)
        wide = np.zeros((blocks, 8, 8 * blocks + _REACH))
        for block in range(blocks):
            wide[block, :, 8 * block : 8 * block + 8 + _REACH] = reach
        impacts.append(wide.reshape(8 * blocks, -1))
    low, high = (each.astype(np.float32) for each in filters)
    low_impact, high_impact = (each.astype(np.float32) for each in impacts)
    return _Matrices((low, high), (low_impact, high_impact))


def _toeplitz(taps: F64, outputs: int) -> F64:
    """Return the correlation with a filter as a matrix, (n, n + 15)."""
    matrix = np.zeros((outputs, outputs + _REACH))
    for tap, value in enumerate(taps):
        matrix[np.arange(outputs), np.arange(outputs) + tap] = value
    return matrix
