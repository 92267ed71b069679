"""Which pixels of a picture carry, in which order, and how they are put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stegcli.carriers.parity import MIN_PIXELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]

__all__ = ["alpha_notices", "carriers", "possible_pixels", "put_back", "usable_pixels"]

_OPAQUE = 255
_MOSTLY_OPAQUE = 0.5
"""Share of the visible pixels from which on the opaque ones carry alone."""


def usable_pixels(alpha: Gray | None) -> NDArray[np.bool_] | None:
    """(H, W) mask of the pixels that shall carry; None if that is all of them.

    Those are the opaque ones. A browser's canvas, Qt and Cairo multiply colours by alpha when they save, and
    what half-transparent pixels carry would be lost; where they are most of what is visible, they carry too.
    """
    first, *rest = possible_pixels(alpha)
    if first is None or not rest:
        return first
    visible = first.size if rest[0] is None else int(np.count_nonzero(rest[0]))
    opaque = int(np.count_nonzero(first))
    spares = opaque >= MIN_PIXELS and opaque >= _MOSTLY_OPAQUE * visible
    return first if spares else rest[0]


def possible_pixels(alpha: Gray | None) -> list[NDArray[np.bool_] | None]:
    """Masks of the pixels that a stego may carry in, the likeliest first; None stands for all.

    The opaque ones; and all that are visible, where half-transparent ones had to carry too, or where the file
    is of the time when they always did.
    """
    if alpha is None or int(alpha.min()) == _OPAQUE:
        return [None]
    opaque = alpha == _OPAQUE
    visible = None if alpha.all() else alpha > 0
    if visible is not None and np.array_equal(opaque, visible):
        return [opaque]
    return [opaque, visible]


def alpha_notices(alpha: Gray | None, usable: NDArray[np.bool_] | None) -> tuple[str, ...]:
    """What the user must know of pixels that carry though they are half-transparent."""
    if alpha is None or int((alpha if usable is None else alpha[usable]).min(initial=_OPAQUE)) == _OPAQUE:
        return ()
    return (
        "half-transparent pixels carry a part of the secret: a program that multiplies colours by "
        "transparency when it saves, as a browser's canvas does, destroys it",
    )


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
