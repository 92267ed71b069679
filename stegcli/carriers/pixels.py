"""Which pixels of a picture carry, in which order, and how they are put back."""

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
"""Share of the visible pixels from which on the opaque ones carry alone."""


def usable_pixels(alpha: Gray | None) -> NDArray[np.bool_] | None:
    """(H, W) mask of the pixels that shall carry; None if that is all of them.

    Those are the opaque ones. A browser's canvas, Qt and Cairo multiply colours by alpha when they save, and
    what half-transparent pixels carry would be lost; where they are most of what is visible, they carry too.
    """
    opaque, *rest = carrier_masks(alpha)
    if not rest:
        return opaque
    visible = rest[0]
    count, all_count = _count(opaque, alpha), _count(visible, alpha)
    spares = count >= MIN_PIXELS and count >= _MOSTLY_OPAQUE * all_count
    return opaque if spares else visible


def carrier_masks(alpha: Gray | None) -> list[NDArray[np.bool_] | None]:
    """Which pixels may carry: the opaque ones, then all that are visible, if there are more; None is all."""
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
    """(n, 3) pixels that carry, in raster order."""
    return np.ascontiguousarray(rgb).reshape(-1, 3) if usable is None else rgb[usable]


def put_back(cover_rgb: Rgb, usable: NDArray[np.bool_] | None, written: Rgb) -> Rgb:
    """(H, W, 3): the cover with its carriers replaced by `written`, (n, 3)."""
    if usable is None:
        return written.reshape(cover_rgb.shape)
    stego_rgb = cover_rgb.copy()
    stego_rgb[usable] = written
    return stego_rgb
