"""Pictures for a report: visible residuals, and files as text that a page can embed."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["amplified", "data_uri", "residual_picture"]

U8 = NDArray[np.uint8]

_MIDDLE = 128
_SHOWN_SHARE = 0.998
"""A few outliers must not hide the rest; they are clipped."""


def amplified(first: U8, second: U8) -> tuple[U8, int]:
    """Return second minus first around mid-gray, multiplied until all but one in 500 fit; and the factor.

    The factor is also written in the upper left corner, since pictures get separated from their pages.
    """
    residual = second.astype(np.int16) - first.astype(np.int16)
    largest = float(np.quantile(np.abs(residual), _SHOWN_SHARE)) or float(np.abs(residual).max())
    gain = max(1, int((_MIDDLE - 1) // largest)) if largest else 1
    return _labelled(residual_picture(first, second, gain), f"x{gain}"), gain


def residual_picture(first: U8, second: U8, gain: int) -> U8:
    """Return second minus first, times `gain`, around mid-gray; larger values are clipped."""
    residual = second.astype(np.int16) - first.astype(np.int16)
    return np.clip(residual * gain + _MIDDLE, 0, 255).astype(np.uint8)


def data_uri(pixels: U8, *, exact: bool = True) -> str:
    """Return a WebP picture as a data: URI; lossless, or a third as large."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=exact, quality=80, method=4)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _labelled(pixels: U8, text: str) -> U8:
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    white, black = (255, 0) if pixels.ndim == 2 else ((255,) * 3, (0,) * 3)
    draw.rectangle((0, 0, 7 * len(text) + 3, 13), fill=black)
    draw.text((2, 1), text, fill=white)
    return np.asarray(image)
