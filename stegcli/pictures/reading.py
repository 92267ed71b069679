"""The only place that opens image files; those that are written go through `stegcli.pictures.writing`.

Anything that Pillow decodes becomes 8-bit RGB (and alpha) arrays, with a notice for every change that the
user may not expect.
"""

from __future__ import annotations

import io
import os
import re
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from stegcli.errors import ImageError, UsageError, one_line
from stegcli.pictures import luma
from stegcli.pictures.encoded import Encoded
from stegcli.pictures.writing import (
    check_writable,
    output_format,
    png_bytes,
    save_gray,
    save_stego,
    stego_draft,
)

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "Picture",
    "check_writable",
    "load_cover",
    "load_secret",
    "load_stego",
    "output_format",
    "png_bytes",
    "resize_gray",
    "save_gray",
    "save_stego",
    "stego_draft",
]

DEFAULT_MAX_PIXELS = 89_478_485
"""Pillow's own limit against decompression bombs (a quarter of a gibibyte of RGB)."""

STDIN = "-"

_ORIENTATION = 0x0112
_SIXTEEN_BIT = re.compile(r";16[BLN]?$")
_EXTERNAL_PROGRAMS = frozenset({"EPS"})  # Pillow hands these to Ghostscript, which runs code from the file
_JPEG_FORMATS = frozenset({"JPEG", "MPO"})
# Whatever a decoder may raise on a damaged file; Pillow promises no base class.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    EOFError,
    RuntimeError,  # the AVIF decoder's
    struct.error,
    zlib.error,
)

GrayArray = NDArray[np.uint8]
RgbArray = NDArray[np.uint8]
PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Picture:
    """A decoded picture, upright.

    Attributes:
        rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8, or None if the file has no transparency.
        icc: the colour profile that describes `rgb`, or None.
        exif: the EXIF block without its orientation, or None.
        notices: what was changed on the way, one sentence each.
        from_jpeg: whether the file was a JPEG (its 8x8 block grid is in the pixels).
    """

    rgb: RgbArray
    alpha: GrayArray | None
    icc: bytes | None
    exif: bytes | None
    notices: tuple[str, ...]
    from_jpeg: bool


def load_cover(path: PathLike, *, max_pixels: int = DEFAULT_MAX_PIXELS, scale: float = 1.0) -> Picture:
    """Read a cover: upright, 8-bit RGB, alpha kept; `scale` (0 < scale <= 1) shrinks it by Lanczos."""
    if not 0 < scale <= 1:
        raise UsageError(
            f"cannot scale the cover by {scale:g}", "Give a factor above 0 and up to 1, such as 0.7."
        )
    picture = _load(path, max_pixels, upright=True)
    if scale < 1:
        return _scaled(picture, scale)
    if picture.from_jpeg:
        notice = (
            "the cover was a JPEG, whose 8x8 block grid stays in the pixels and helps a detector; "
            "--scale-cover 0.7 removes it"
        )
        return replace(picture, notices=(*picture.notices, notice))
    return picture


def load_stego(path: PathLike, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Read a stego as its pixels are stored: what it hides ignores an EXIF orientation."""
    return _load(path, max_pixels, upright=False)


def load_secret(path: PathLike, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> tuple[GrayArray, tuple[str, ...]]:
    """Read a secret as (H, W) uint8 gray, upright, transparent parts on white; and the notices."""
    picture = _load(path, max_pixels, upright=True)
    rgb, notices = picture.rgb, [n for n in picture.notices if n not in _COVER_ONLY_NOTICES]
    if picture.alpha is not None and int(picture.alpha.min()) < 255:
        rgb = _on_white(rgb, picture.alpha)
        notices.append("the secret's transparent parts were put on white")
    if _has_colour(rgb):
        notices.append("the secret is in colour; it is hidden in gray")
    return luma.gray(rgb), tuple(notices)


def resize_gray(gray: GrayArray, size: tuple[int, int]) -> GrayArray:
    """Resize (H, W) uint8 to `size` = (height, width) by Lanczos."""
    if gray.shape == size:
        return gray
    return np.asarray(Image.fromarray(gray).resize((size[1], size[0]), Image.Resampling.LANCZOS))


# --- reading -

_NOTICE_16_BIT = "16 bits per channel were reduced to 8"
_NOTICE_GRAY = "the gray cover is written as RGB"
_NOTICE_PALETTE = "the palette cover is written as RGB"
_COVER_ONLY_NOTICES = frozenset({_NOTICE_GRAY, _NOTICE_PALETTE})


def _load(path: PathLike, max_pixels: int, *, upright: bool) -> Picture:
    with _opened(path, max_pixels) as image:
        _refuse_unfit(image, path)
        notices = _mode_notices(image)
        image.load()
        exif, orientation, exif_notices = _split_exif(image)
        icc = image.info.get("icc_profile") if image.mode in {"RGB", "RGBA", "P"} else None
        if upright and orientation != 1:
            ImageOps.exif_transpose(image, in_place=True)
        rgb, alpha = _to_arrays(image)
        return Picture(rgb, alpha, icc, exif, (*notices, *exif_notices), image.format in _JPEG_FORMATS)


@contextmanager
def _opened(path: PathLike, max_pixels: int) -> Iterator[Image.Image]:
    """The file as a Pillow image, every way of failing translated to ImageError."""
    try:
        with _source(path) as file, _pixel_limit(max_pixels), Image.open(file) as image:
            yield image
    except UnidentifiedImageError as error:
        hint = "Give a PNG, JPEG, WebP, TIFF, BMP or another picture that Pillow reads."
        raise ImageError(f"{path}: not a picture, or damaged at its start", hint) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        hint = "If you trust the file and have the memory, raise the limit with --max-pixels."
        raise ImageError(f"{path}: more than {max_pixels:,} pixels", hint) from error
    except MemoryError as error:
        raise ImageError(f"{path}: needs more memory than there is", "Give a smaller picture.") from error
    except _DECODER_ERRORS as error:
        hint = "The file is truncated or damaged: get a whole copy of it."
        raise ImageError(f"{path}: cannot be decoded ({one_line(error)})", hint) from error


def _source(path: PathLike) -> IO[bytes]:
    if isinstance(path, Encoded):
        return io.BytesIO(path.content)
    if os.fspath(path) == STDIN:
        return io.BytesIO(sys.stdin.buffer.read())
    try:
        file = Path(path).open("rb")  # noqa: SIM115  (closed by the caller's with)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file", "Check the name.") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path}: a folder, not a picture", "Give one picture file.") from error
    except (OSError, ValueError) as error:
        raise ImageError(
            f"{path}: cannot be opened ({one_line(error)})", "Check the name and your rights."
        ) from error
    if os.fstat(file.fileno()).st_size == 0 and Path(path).is_file():
        file.close()
        raise ImageError(f"{path}: the file is empty", "Get a whole copy of it.")
    return file


@contextmanager
def _pixel_limit(max_pixels: int) -> Iterator[None]:
    """Make Pillow's bomb check, a module global that first only warns, a plain limit for one file."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _refuse_unfit(image: Image.Image, path: PathLike) -> None:
    # Telephones store a second, smaller picture in a JPEG (MPO): the first one is the photograph.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        hint = "Save one frame or page of it as a PNG and give that."
        raise ImageError(f"{path}: animated, or several pages in one file", hint)
    if image.format in _EXTERNAL_PROGRAMS:
        raise ImageError(f"{path}: {image.format} is a program, not a picture", "Convert it to PNG first.")
    if image.mode == "F":
        raise ImageError(f"{path}: floating-point pixels have no fixed range", "Convert it to 8 bits first.")


def _mode_notices(image: Image.Image) -> tuple[str, ...]:
    notices = [_NOTICE_16_BIT] if _is_16_bit(image) else []
    if image.mode == "P":
        notices.append(_NOTICE_PALETTE)
    elif image.mode in {"1", "L", "LA", "La", "I"} or image.mode.startswith("I;16"):
        notices.append(_NOTICE_GRAY)
    elif image.mode not in {"RGB", "RGBA", "RGBa", "RGBX"}:
        notices.append(f"{image.mode} colours were converted to RGB")
    return tuple(notices)


def _is_16_bit(image: Image.Image) -> bool:
    """Pillow reduces 16-bit RGB while decoding; only the raw mode of the file's data still tells."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        return True
    raw_modes = [getattr(tile, "args", None) for tile in getattr(image, "tile", [])]
    names = [raw[0] if isinstance(raw, tuple) and raw else raw for raw in raw_modes]
    return image.format in {"PNG", "TIFF"} and any(
        isinstance(name, str) and _SIXTEEN_BIT.search(name) for name in names
    )


def _split_exif(image: Image.Image) -> tuple[bytes | None, int, tuple[str, ...]]:
    """The EXIF block without orientation, the orientation (1 = upright), and notices."""
    try:
        exif = image.getexif()
        orientation = exif.pop(_ORIENTATION, 1)
        block = exif.tobytes() if len(exif) else None
        image.getexif()[_ORIENTATION] = orientation
    except _DECODER_ERRORS:
        return None, 1, ("its EXIF data is damaged and was ignored",)
    return block, orientation, ()


def _to_arrays(image: Image.Image) -> tuple[RgbArray, GrayArray | None]:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return np.repeat(_eight_bit(np.asarray(image))[..., None], 3, axis=2), None
    if image.has_transparency_data:
        rgba = np.array(image.convert("RGBA"))
        return np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
    return np.array(image.convert("RGB")), None


def _eight_bit(values: NDArray[Any]) -> GrayArray:
    """(H, W) 0..65535 -> (H, W) uint8, nearest."""
    if values.size and (int(values.min()) < 0 or int(values.max()) > 65535):
        raise ValueError("more than 16 bits per pixel")
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _on_white(rgb: RgbArray, alpha: GrayArray) -> RgbArray:
    """Composite (H, W, 3) over white, exactly: round(alpha * c + (255 - alpha) * 255) / 255."""
    weight = alpha[..., None].astype(np.uint32)
    return ((rgb * weight + (255 - weight) * 255 + 127) // 255).astype(np.uint8)


def _has_colour(rgb: RgbArray) -> bool:
    return bool((rgb[..., 0] != rgb[..., 1]).any() or (rgb[..., 1] != rgb[..., 2]).any())


def _scaled(picture: Picture, scale: float) -> Picture:
    height, width = (max(1, round(side * scale)) for side in picture.rgb.shape[:2])
    pixels = picture.rgb if picture.alpha is None else np.dstack((picture.rgb, picture.alpha))
    small = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
    alpha = None if picture.alpha is None else np.ascontiguousarray(small[..., 3])
    return replace(picture, rgb=np.ascontiguousarray(small[..., :3]), alpha=alpha)
