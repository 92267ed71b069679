"""Load pictures from files or from arrays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from stegcli.errors import ImageError, UsageError
from stegcli.pictures import reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.pictures.reading import Picture

    Array = NDArray[np.uint8]
    PathLike = str | os.PathLike[str]
    Source = PathLike | Array

__all__ = ["load_colour_secret", "load_cover", "load_secret", "load_stego", "load_upright", "paths_among"]


def paths_among(*sources: Source) -> list[PathLike]:
    """Return the files among files and arrays."""
    return [source for source in sources if not isinstance(source, np.ndarray)]


def load_cover(cover: Source, max_pixels: int, scale: float) -> Picture:
    """Load a cover, shrunk by `scale`."""
    if not isinstance(cover, np.ndarray):
        return reading.load_cover(_path(cover, "cover"), max_pixels=max_pixels, scale=scale)
    return reading.as_cover(_picture_of(cover, "cover", max_pixels), scale)


def load_upright(cover: Source, max_pixels: int) -> Picture:
    """Load a picture as a viewer shows it."""
    if not isinstance(cover, np.ndarray):
        return reading.load_upright(_path(cover, "cover"), max_pixels=max_pixels)
    return _picture_of(cover, "cover", max_pixels)


def load_stego(stego: Source, max_pixels: int) -> Picture:
    """Load a stego with its pixels exactly as stored."""
    if not isinstance(stego, np.ndarray):
        return reading.load_stego(_path(stego, "stego"), max_pixels=max_pixels)
    return _picture_of(stego, "stego", max_pixels)


def load_secret(secret: Source, max_pixels: int) -> tuple[Array, tuple[str, ...]]:
    """Load a secret as (h, w) uint8 gray, transparent parts on white; and notices."""
    if not isinstance(secret, np.ndarray):
        return reading.load_secret(_path(secret, "secret"), max_pixels=max_pixels)
    if secret.ndim == 2:
        _check_array(secret, "secret", max_pixels)
        return secret, ()
    return reading.as_secret(_picture_of(secret, "secret", max_pixels))


def load_colour_secret(secret: Source, max_pixels: int) -> tuple[Array, tuple[str, ...]]:
    """Load a secret in its own colours: (h, w) uint8 if it is entirely gray, else (h, w, 3); and notices."""
    if not isinstance(secret, np.ndarray):
        return reading.load_colour_secret(_path(secret, "secret"), max_pixels=max_pixels)
    if secret.ndim == 2:
        return load_secret(secret, max_pixels)
    picture = _picture_of(secret, "secret", max_pixels)
    return reading.in_colour(picture.rgb, picture.alpha)


def _path(source: object, name: str) -> PathLike:
    """Return the path of a file; UsageError for anything else."""
    if not isinstance(source, str | os.PathLike):
        raise UsageError(
            f"the {name} is a {type(source).__name__}", "Give a file name, or a uint8 numpy array."
        )
    return source


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
        raise ImageError(f"the {name} is of dtype {array.dtype}", "Give uint8 values, 0 to 255.")
    if array.size == 0:
        raise ImageError(f"the {name} is empty", "Give an array with pixels.")
    if array.shape[0] * array.shape[1] > max_pixels:
        raise ImageError(f"the {name} has more than {max_pixels:,} pixels", "Raise max_pixels.")
