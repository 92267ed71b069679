"""Multi-scale SSIM and other figures that only the lab needs.

Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality assessment", Asilomar 2003:
contrast and structure at five scales, luminance at the last, with the weights that they found experimentally.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stegcli.pictures.metrics import C1, C2, SSIM_SIGMA, SSIM_WINDOW

__all__ = ["MS_SSIM_MIN_SIDE", "clipped_share", "ms_ssim"]

SCALE_WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MS_SSIM_MIN_SIDE: Final = SSIM_WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1)
"""Least side in pixels, so that the window fits at the last scale."""

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]


def ms_ssim(first: U8, second: U8) -> float | None:
    """Return the MS-SSIM of two (H, W) uint8 pictures, at most 1; None below `MS_SSIM_MIN_SIDE`."""
    if min(first.shape) < MS_SSIM_MIN_SIDE:
        return None
    a, b = first.astype(np.float64), second.astype(np.float64)
    product = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        luminance, contrast = _terms(a, b)
        last = scale == len(SCALE_WEIGHTS) - 1
        value = float((luminance * contrast).mean() if last else contrast.mean())
        product *= max(value, 0.0) ** weight  # a negative value has no real power
        a, b = _halved(a), _halved(b)
    return product


def clipped_share(rgb: U8) -> float:
    """Return the share of the samples of (..., 3) that are 0 or 255."""
    return float(((rgb == 0) | (rgb == 255)).mean())


def _terms(a: F64, b: F64) -> tuple[F64, F64]:
    """Return maps of luminance and of contrast times structure."""
    mean_a, mean_b = _blurred(a), _blurred(b)
    product, squares = mean_a * mean_b, mean_a**2 + mean_b**2
    covariance = _blurred(a * b) - product
    variances = _blurred(a * a) + _blurred(b * b) - squares
    return (2 * product + C1) / (squares + C1), (2 * covariance + C2) / (variances + C2)


def _blurred(values: F64) -> F64:
    """Filter with the Gaussian window, valid area only."""
    taps = np.exp(-0.5 * ((np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) / SSIM_SIGMA) ** 2)
    for _ in range(2):
        rows = len(values) - SSIM_WINDOW + 1
        values = sum(tap * values[i : i + rows] for i, tap in enumerate(taps / taps.sum())).T
    return values


def _halved(values: F64) -> F64:
    """Return means of 2x2 blocks; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in values.shape)
    blocks: F64 = values[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return blocks
