"""Pictures from files or from arrays, by one door."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from stegcli.errors import ImageError, UsageError
from stegcli.pictures import luma, reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.pictures.reading import Picture

    Array = NDArray[np.uint8]
    PathLike = str | os.PathLike[str]
    Source = PathLike | Array

__all__ = ["load_cover", "load_secret", "load_stego", "paths_among"]


def paths_among(*sources: Source) -> list[PathLike]:
    """The files among files and arrays."""
    return [source for source in sources if not isinstance(source, np.ndarray)]


def load_cover(cover: Source, max_pixels: int, scale: float) -> Picture:
    """A cover; `scale` is for files only."""
    if not isinstance(cover, np.ndarray):
        return reading.load_cover(cover, max_pixels=max_pixels, scale=scale)
    if scale != 1:
        raise UsageError("scale_cover is for files", "Scale the array before.")
    return _picture_of(cover, "cover", max_pixels)


def load_stego(stego: Source, max_pixels: int) -> Picture:
    """A stego, its pixels exactly as stored."""
    if not isinstance(stego, np.ndarray):
        return reading.load_stego(stego, max_pixels=max_pixels)
    return _picture_of(stego, "stego", max_pixels)


def load_secret(secret: Source, max_pixels: int) -> tuple[Array, tuple[str, ...]]:
    """A secret as (h, w) uint8 gray, and notices."""
    if not isinstance(secret, np.ndarray):
        return reading.load_secret(secret, max_pixels=max_pixels)
    if secret.ndim == 2:
        _check_array(secret, "secret", max_pixels)
        return secret, ()
    return luma.gray(_picture_of(secret, "secret", max_pixels).rgb), ()


def _picture_of(array: Array, name: str, max_pixels: int) -> Picture:
    """(H, W, 3 or 4) uint8 -> Picture."""
    if array.ndim != 3 or array.shape[2] not in (3, 4):
        raise ImageError(
            f"the {name} has shape {array.shape}", "Give (height, width, 3) or (height, width, 4)."
        )
    _check_array(array, name, max_pixels)
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    return reading.Picture(np.ascontiguousarray(array[..., :3]), alpha, None, None, (), from_jpeg=False)


def _check_array(array: Array, name: str, max_pixels: int) -> None:
    if array.dtype != np.uint8:
        raise ImageError(f"the {name} is {array.dtype}", "Give uint8 values, 0 to 255.")
    if array.size == 0:
        raise ImageError(f"the {name} is empty", "Give an array with pixels.")
    if array.shape[0] * array.shape[1] > max_pixels:
        raise ImageError(f"the {name} has more than {max_pixels:,} pixels", "Raise max_pixels.")
