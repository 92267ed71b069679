"""Similarity of two pictures (PSNR, SSIM), and how much is hidden (bpp).

SSIM: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE Transactions on Image Processing 13(4), 2004, with their constants:
Gaussian window of 11x11, sigma 1.5, K1 = 0.01, K2 = 0.03, valid area only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from stegcli.cores import cores

__all__ = ["SSIM_WINDOW", "bpp", "psnr", "psnr_of_parts", "ssim", "ssim_of_parts"]

PEAK = 255.0
SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
C1 = (0.01 * PEAK) ** 2
C2 = (0.03 * PEAK) ** 2

_MARGIN = SSIM_WINDOW - 1
_TILE = 48  # window positions along a block's side: products stay below the size at which BLAS starts threads
_BLOCK = _TILE + _MARGIN
_CHUNK = 16  # blocks processed at a time: four float32 maps of them fit into the cache
_STRIP_PIXELS = 1 << 20  # values of a difference image that are squared at a time

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


def psnr(first: U8, second: U8) -> float:
    """Return the PSNR in dB (peak 255) of two uint8 pictures of the same shape; infinite if equal."""
    _check_alike(first, second)
    rows = max(1, _STRIP_PIXELS // max(1, first[:1].size))
    return psnr_of_parts((first[i : i + rows], second[i : i + rows]) for i in range(0, len(first), rows))


def psnr_of_parts(pairs: Iterable[tuple[U8, U8]]) -> float:
    """Return the PSNR in dB of two pictures, given some parts of them: that of their mean squared error."""
    total, count = 0, 0
    for first, second in pairs:
        total, count = total + _squared_error(first, second), count + first.size
    return math.inf if total == 0 else 10 * math.log10(PEAK**2 * count / total)


def ssim(first: U8, second: U8) -> float:
    """Return the mean structural similarity of two uint8 pictures, (H, W) or (H, W, 3) (channels' mean)."""
    _check_alike(first, second)
    if min(first.shape[:2]) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs pictures of at least {SSIM_WINDOW}x{SSIM_WINDOW}, not {first.shape}")
    a, b = np.atleast_3d(first), np.atleast_3d(second)
    with _mapping() as each:
        total: float = sum(each(lambda part: _ssim_sum(a[part], b[part]), _parts(a.shape)))
    height, width, channels = a.shape
    positions = (height - _MARGIN) * (width - _MARGIN) * channels
    return float(total / positions)


@contextmanager
def _mapping() -> Iterator[Callable[..., Iterator[float]]]:
    """`map` over two threads, or over none where there is one core: they cost a tenth of the work."""
    if cores() == 1:
        yield map
        return
    with ThreadPoolExecutor(2) as pool:
        yield pool.map


def ssim_of_parts(pairs: Sequence[tuple[U8, U8]]) -> float:
    """Return the SSIM of two pictures, given some parts of them: the mean weighted by size."""
    sizes = np.array([first.size for first, _ in pairs])
    return float(sizes @ np.array([ssim(first, second) for first, second in pairs]) / sizes.sum())


def bpp(hidden_pixels: int, cover_pixels: int) -> float:
    """Secret bits per cover pixel; a gray pixel counts as 8 bits."""
    return 8 * hidden_pixels / cover_pixels


def _check_alike(first: U8, second: U8) -> None:
    if first.shape != second.shape:
        raise ValueError(f"pictures of shapes {first.shape} and {second.shape} cannot be compared")
    if first.dtype != np.uint8 or second.dtype != np.uint8:
        raise TypeError(f"pictures must be uint8, not {first.dtype} and {second.dtype}")


def _squared_error(first: U8, second: U8) -> int:
    difference = np.subtract(first, second, dtype=np.int32)
    return int(np.square(difference, out=difference).sum(dtype=np.int64))


def _parts(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice, int]]:
    """Yield rows, columns and channel of parts, one block high and `_CHUNK` wide, that tile the area."""
    height, width, channels = shape
    step = _TILE * _CHUNK
    for channel in range(channels):
        for top in range(0, height - _MARGIN, _TILE):
            for left in range(0, width - _MARGIN, step):
                yield slice(top, top + _BLOCK), slice(left, left + step + _MARGIN), channel


def _ssim_sum(a: U8, b: U8) -> float:
    """Return the sum of the SSIM map of one part.

    Only the sum of the variances is needed: four filtered maps instead of five. Both passes of the window
    are products with a band matrix, which BLAS computes faster than eleven shifted sums.
    """
    rows, columns = a.shape[0] - _MARGIN, a.shape[1] - _MARGIN
    centre = np.float32(a.mean())  # subtracted first, so that float32 also represents small variances
    x, y = _blocks(a, centre), _blocks(b, centre)
    maps = np.stack((x, y, x * x + y * y, x * y))
    mean_x, mean_y, moments, cross = _BAND @ maps @ _BAND.T
    product = mean_x * mean_y
    squares = mean_x * mean_x + mean_y * mean_y
    contrast = (2 * (cross - product) + C2) / (moments - squares + C2)
    shift = centre * (mean_x + mean_y + centre)  # from centred means back to grey levels
    luminance = (2 * (product + shift) + C1) / (squares + 2 * shift + C1)
    in_raster = (contrast * luminance).transpose(1, 0, 2).reshape(_TILE, -1)
    return float(in_raster[:rows, :columns].sum(dtype=np.float64))


def _blocks(part: U8, centre: np.float32) -> F32:
    """(h, w) uint8 -> (count, _BLOCK, _BLOCK) float32: overlapping blocks, 0 where there are no pixels."""
    count = -(-(part.shape[1] - _MARGIN) // _TILE)
    padded = np.zeros((_BLOCK, count * _TILE + _MARGIN), np.float32)
    padded[: part.shape[0], : part.shape[1]] = part - centre
    every_column = np.lib.stride_tricks.sliding_window_view(padded, _BLOCK, axis=1)
    return np.ascontiguousarray(every_column[:, ::_TILE].transpose(1, 0, 2))


def _band() -> F32:
    """(_TILE, _BLOCK) float32: row i has the Gaussian window at position i."""
    taps = np.exp(-0.5 * ((np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) / SSIM_SIGMA) ** 2)
    band = np.zeros((_TILE, _BLOCK), np.float32)
    for tap, weight in enumerate(taps / taps.sum()):
        band[np.arange(_TILE), np.arange(_TILE) + tap] = weight
    return band


_BAND = _band()
