"""Convert samples of any depth to 8 bits: the value of white counts, not the size in memory."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stegcli.errors import ImageError

__all__ = ["WHITE", "is_deep", "is_reduced", "refuse_rangeless", "to_eight_bits", "white_of"]

_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_MIN_IS_WHITE: Final = 0
_UNSIGNED: Final = frozenset({1, 4})
"""Sample formats: unsigned, and "undefined", which every reader treats as unsigned."""
WHITE: Final = 65535
"""The value of white in 16 bits."""
_SIXTEEN_BIT: Final = re.compile(r";16[BLN]?$")

GrayArray = NDArray[np.uint8]


def is_deep(image: Image.Image) -> bool:
    """Whether Pillow returns the samples of a gray picture with more than 8 bits."""
    return image.mode == "I" or image.mode.startswith("I;16")


def is_reduced(image: Image.Image) -> bool:
    """Whether samples of more than 8 bits are reduced to 8, here or by Pillow during decoding.

    For 16-bit RGB only the raw mode of the file's data still shows it.
    """
    if is_deep(image):
        return True
    raw_modes = [getattr(tile, "args", None) for tile in getattr(image, "tile", [])]
    names = [raw[0] if isinstance(raw, tuple) and raw else raw for raw in raw_modes]
    return image.format in {"PNG", "TIFF"} and any(
        isinstance(name, str) and _SIXTEEN_BIT.search(name) for name in names
    )


def refuse_rangeless(image: Image.Image, name: object) -> None:
    """Raise an ImageError for samples without a defined black and white."""
    cure = "Convert it to 8 or 16 bits first."
    if image.mode == "F":
        raise ImageError(f"{name}: floating-point pixels have no fixed range", cure)
    if max(_tag(image, _BITS, (1,))) > 16:
        raise ImageError(f"{name}: samples of more than 16 bits have no fixed range", cure)
    if not _UNSIGNED.issuperset(_tag(image, _SAMPLE_FORMAT, (1,))):
        raise ImageError(f"{name}: signed samples have no fixed range", cure)


def white_of(image: Image.Image) -> tuple[int, bool]:
    """Return the value of white in a deep gray picture, and whether the scale is inverted (0 is white)."""
    if not hasattr(image, "tag_v2"):
        return WHITE, False
    bits = _tag(image, _BITS, (16,))[0] if is_deep(image) else 16
    return (1 << bits) - 1, image.tag_v2.get(_PHOTOMETRIC) == _MIN_IS_WHITE


def to_eight_bits(values: NDArray[Any], white: int, turned: bool = False) -> GrayArray:
    """(H, W) 0..white -> (H, W) uint8, rounded; `turned` if 0 is white.

    Raises:
        ValueError: a value exceeds white.
    """
    if values.size and (int(values.min()) < 0 or int(values.max()) > white):
        raise ValueError(f"a sample beyond {white}")
    levels = ((values.astype(np.uint32) * 510 + white) // (2 * white)).astype(np.uint8)
    return np.subtract(255, levels, dtype=np.uint8) if turned else levels


def _tag(image: Image.Image, tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """Return a TIFF's tag, which may hold one or several numbers; the default for other files."""
    found = getattr(image, "tag_v2", {}).get(tag, default)
    return tuple(found) if isinstance(found, tuple | list) else (found,)
