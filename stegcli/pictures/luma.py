"""Exact luma, the colour transform of the networks, and all rounding rules.

Luma is BT.601 full range, kept as an exact integer in thousandths of a grey level ("milli"):
``299 R + 587 G + 114 B``. A method that hides in fractions of a grey level cannot use a rounded one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

WEIGHTS: Final = (299, 587, 114)
"""Thousandths of a grey level of luma per step of R, G and B (ITU-R BT.601)."""

MILLI: Final = 1000
"""Thousandths in one grey level: the period of a phase."""

_CR_SCALE: Final = np.float32(1.402)
_CB_SCALE: Final = np.float32(1.772)
_CHROMA_CENTRE: Final = np.float32(128.0)


def luma_milli(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """(..., 3) uint8 -> (...) int32 luma in thousandths of a grey level, 0..255000, exact."""
    red, green, blue = (np.int32(weight) for weight in WEIGHTS)
    luma = np.multiply(rgb[..., 0], red, dtype=np.int32)
    luma += np.multiply(rgb[..., 1], green, dtype=np.int32)
    luma += np.multiply(rgb[..., 2], blue, dtype=np.int32)
    return luma


def luma_levels(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(..., 3) uint8 -> (...) float32 luma in grey levels, 0..255: the float32 nearest to the exact value."""
    return luma_milli(rgb).astype(np.float32) / np.float32(MILLI)


def gray(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(..., 3) uint8 -> (...) uint8 luma rounded to the nearest grey level (halves go up)."""
    return ((luma_milli(rgb) + MILLI // 2) // MILLI).astype(np.uint8)


def to_uint8(values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Grey levels of any range and shape -> uint8: round half to even, clip to 0..255, cast."""
    levels: npt.NDArray[np.floating] = np.clip(np.rint(values), 0, 255)
    return levels.astype(np.uint8)


def rgb_to_ycrcb(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(..., 3) uint8 RGB -> (..., 3) float32 Y, Cr, Cb, full range (ITU-T T.871).

    Y is in 0..255; Cr and Cb lie in 0.5..255.5 around 128 and are not clipped, so that the inverse is exact.
    """
    luma = luma_levels(rgb)
    red, blue = rgb[..., 0].astype(np.float32), rgb[..., 2].astype(np.float32)
    cr = (red - luma) / _CR_SCALE + _CHROMA_CENTRE
    cb = (blue - luma) / _CB_SCALE + _CHROMA_CENTRE
    return np.stack([luma, cr, cb], axis=-1)


def ycrcb_to_rgb(ycrcb: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """(..., 3) float32 Y, Cr, Cb, full range -> (..., 3) uint8 RGB: the inverse of `rgb_to_ycrcb`."""
    weight_red, weight_green, weight_blue = (np.float32(weight / MILLI) for weight in WEIGHTS)
    luma = ycrcb[..., 0]
    red = luma + (ycrcb[..., 1] - _CHROMA_CENTRE) * _CR_SCALE
    blue = luma + (ycrcb[..., 2] - _CHROMA_CENTRE) * _CB_SCALE
    green = (luma - weight_red * red - weight_blue * blue) / weight_green
    return to_uint8(np.stack([red, green, blue], axis=-1))
