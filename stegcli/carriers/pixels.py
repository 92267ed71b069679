"""Which pixels of a picture carry, in which order, and how they are put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]

__all__ = ["carriers", "put_back", "usable_pixels"]


def usable_pixels(alpha: Gray | None) -> NDArray[np.bool_] | None:
    """(H, W) mask of the pixels that carry: those not fully transparent. None if that is all of them."""
    if alpha is None or alpha.all():
        return None
    return alpha > 0


def carriers(rgb: Rgb, usable: NDArray[np.bool_] | None) -> Rgb:
    """(n, 3) pixels that carry, in raster order."""
    return np.ascontiguousarray(rgb).reshape(-1, 3) if usable is None else rgb[usable]


def put_back(cover_rgb: Rgb, usable: NDArray[np.bool_] | None, written: Rgb) -> Rgb:
    """(H, W, 3): the cover with its carriers replaced by `written`, (n, 3)."""
    if usable is None:
        return written.reshape(cover_rgb.shape)
    stego_rgb = cover_rgb.copy()
    stego_rgb[usable] = written
    return stego_rgb
