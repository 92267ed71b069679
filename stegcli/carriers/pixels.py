"""Select the pixels of a picture that carry, in raster order, and put them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers.parity import MIN_PIXELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]

__all__ = ["OPAQUE", "carrier_masks", "carriers", "put_back", "usable_pixels"]

OPAQUE: Final = 255
_MOSTLY_OPAQUE: Final = 0.5
"""If at least this share of the visible pixels is opaque, only the opaque ones carry."""


def usable_pixels(alpha: Gray | None) -> NDArray[np.bool_] | None:
    """Return the (H, W) mask of the pixels that carry, or None if all do.

    The opaque pixels carry. A browser's canvas, Qt and Cairo multiply colours by alpha when they save, which
    destroys what half-transparent pixels carry; these carry only if there are too few opaque ones.
    """
    opaque, *rest = carrier_masks(alpha)
    if not rest:
        return opaque
    visible = rest[0]
    count, all_count = _count(opaque, alpha), _count(visible, alpha)
    spares = count >= MIN_PIXELS and count >= _MOSTLY_OPAQUE * all_count
    return opaque if spares else visible


def carrier_masks(alpha: Gray | None) -> list[NDArray[np.bool_] | None]:
    """Return the possible masks: the opaque pixels, then all visible ones, if there are more; None is all."""
    if alpha is None or int(alpha.min()) == OPAQUE:
        return [None]
    opaque = alpha == OPAQUE
    visible = None if alpha.all() else alpha > 0
    return [opaque] if _count(opaque, alpha) == _count(visible, alpha) else [opaque, visible]


def _count(mask: NDArray[np.bool_] | None, alpha: Gray | None) -> int:
    if mask is None:
        return 0 if alpha is None else alpha.size
    return int(np.count_nonzero(mask))


def carriers(rgb: Rgb, usable: NDArray[np.bool_] | None) -> Rgb:
    """Return the (n, 3) pixels that carry, in raster order."""
    return np.ascontiguousarray(rgb).reshape(-1, 3) if usable is None else rgb[usable]


def put_back(cover_rgb: Rgb, usable: NDArray[np.bool_] | None, written: Rgb) -> Rgb:
    """Return the cover, (H, W, 3), with its carrying pixels replaced by `written`, (n, 3)."""
    if usable is None:
        return written.reshape(cover_rgb.shape)
    stego_rgb = cover_rgb.copy()
    stego_rgb[usable] = written
    return stego_rgb
