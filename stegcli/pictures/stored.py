"""Luma as stored in a JPEG file: decoding to RGB clips, and most of what it clips belongs to the secret."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stegcli.pictures.files import DECODER_ERRORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["stored_luma"]

_FORMATS = ("JPEG", "MPO")


def stored_luma(jpeg: bytes) -> NDArray[np.uint8] | None:
    """Return the luma of a JPEG file, (H, W) uint8; None if it has none, such as CMYK, or is damaged.

    The file has been opened before, so that its size has been checked against a limit.
    """
    try:
        with Image.open(io.BytesIO(jpeg), formats=_FORMATS) as image:
            image.draft("YCbCr", image.size)
            image.load()
            if image.mode not in ("L", "YCbCr"):
                return None
            return np.asarray(image.getchannel(0))
    except DECODER_ERRORS:
        return None
