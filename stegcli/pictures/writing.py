"""Write image files: only in lossless formats, and a file appears whole or not at all."""

from __future__ import annotations

import io
import os
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from stegcli.errors import OutputError, one_line
from stegcli.pictures.drafts import check_place, explained, refuse_existing, replacing

if TYPE_CHECKING:
    from stegcli.pictures.png import Chunk

__all__ = [
    "check_absent",
    "check_holds",
    "check_jpeg_holds",
    "check_writable",
    "is_jpeg_name",
    "output_format",
    "png_bytes",
    "save_bytes",
    "save_gray",
    "save_stego",
    "save_text",
    "stego_draft",
]

GrayArray = NDArray[np.uint8]
RgbArray = NDArray[np.uint8]
PathLike = str | os.PathLike[str]

_FORMATS = {".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP"}
_LOSSY = re.compile(r"\.(jpe|jpe?g|jfif|jif|mpo|avif|hei[cf]|jp2|j2k|jpx|jxl)")
_JPEG = frozenset({".jpg", ".jpeg", ".jpe"})
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    # None: chunks, zlib header, filters and sizes of IDAT are then those of every PNG saved with Pillow. A
    # faster setting of zlib, three seconds less at 12 megapixels, would identify a stego by its header.
    "PNG": {},
    # exact: keep the colours of transparent pixels.
    "WEBP": {"lossless": True, "quality": 30, "method": 2, "exact": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "BMP": {},
}

# What Pillow raises for pictures too large for a format, and for EXIF values that do not match their tags.
_NOT_HELD = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError, struct.error)

_OPAQUE = 255
_LONGEST_WEBP = 16383
_LONGEST_JPEG = 65500
"""Limit of libjpeg; that of the format is 65535."""


def output_format(path: PathLike) -> str:
    """Return Pillow's name of the lossless format that a file name implies; OutputError if there is none."""
    suffix = Path(path).suffix.lower()
    if suffix in _FORMATS:
        return _FORMATS[suffix]
    cure = "Name the file .png (or .webp, .tif, .bmp, which are written without loss)."
    if _LOSSY.fullmatch(suffix):
        raise OutputError(
            f"{path}: a lossy format changes pixels, and would destroy what is hidden in them", cure
        )
    if suffix == ".gif":
        raise OutputError(f"{path}: a GIF holds only 256 colours", cure)
    raise OutputError(f"{path}: the file name does not say which format to write", cure)


def is_jpeg_name(path: PathLike) -> bool:
    """Whether a file name implies a JPEG, in whose coefficients some methods hide."""
    return Path(path).suffix.lower() in _JPEG


def check_writable(path: PathLike, force: bool, *, inputs: Sequence[PathLike] = ()) -> None:
    """Raise an OutputError now if the file could not be written later; call it before any work is done.

    Args:
        path: the file to be written.
        force: whether an existing file may be replaced.
        inputs: files that must never be replaced, `force` or not.
    """
    output_format(path)
    check_place(path, force, inputs)


def check_holds(path: PathLike, shape: tuple[int, ...], alpha: GrayArray | None = None) -> None:
    """Raise an OutputError now if the format that the file name implies cannot hold such a picture.

    Args:
        path: the file to be written.
        shape: (height, width, ...).
        alpha: (H, W) uint8, or None.
    """
    file_format = output_format(path)
    if file_format == "BMP" and alpha is not None and int(alpha.min()) < _OPAQUE:
        raise OutputError(f"{path}: BMP has no transparency", "Name the file .png, .webp or .tif.")
    if file_format == "WEBP" and max(shape[:2]) > _LONGEST_WEBP:
        raise OutputError(
            f"{path}: cannot be written: a WebP has at most {_LONGEST_WEBP} pixels a side",
            "Choose another format: name the file .png or .tif.",
        )


def check_jpeg_holds(path: PathLike, shape: tuple[int, ...], alpha: GrayArray | None = None) -> None:
    """Do the same as `check_holds` for a JPEG."""
    cure = "Name the file .png, .webp or .tif."
    if alpha is not None and int(alpha.min()) < _OPAQUE:
        raise OutputError(f"{path}: JPEG has no transparency", cure)
    if max(shape[:2]) > _LONGEST_JPEG:
        raise OutputError(
            f"{path}: cannot be written: a JPEG has at most {_LONGEST_JPEG} pixels a side", cure
        )


@contextmanager
def stego_draft(
    path: PathLike,
    rgb: RgbArray,
    alpha: GrayArray | None = None,
    icc: bytes | None = None,
    exif: bytes | None = None,
    force: bool = False,
    chunks: tuple[Chunk, ...] = (),
) -> Iterator[Path]:
    """Write (H, W, 3) uint8 (and alpha) losslessly, and yield the path of the draft, for checking.

    `chunks` are a PNG's own statements about colours (see `stegcli.pictures.png`); other formats cannot store
    them.

    The draft gets the name `path` if the block succeeds. If it fails, the draft is removed, and a file that
    had that name before is still there.
    """
    file_format = output_format(path)
    check_holds(path, rgb.shape, alpha)
    if file_format == "BMP":
        alpha = None
    pixels = rgb if alpha is None else np.dstack((rgb, alpha))
    with replacing(path, force) as draft:
        _write_image(draft.file, Path(path), pixels, file_format, _options(file_format, icc, exif, chunks))
        yield draft.path


def save_stego(
    path: PathLike,
    rgb: RgbArray,
    alpha: GrayArray | None = None,
    icc: bytes | None = None,
    exif: bytes | None = None,
    force: bool = False,
    chunks: tuple[Chunk, ...] = (),
) -> None:
    """Write (H, W, 3) uint8 (and alpha) losslessly in the format that the file name implies."""
    with stego_draft(path, rgb, alpha, icc, exif, force, chunks):
        pass


def save_gray(path: PathLike, gray: GrayArray, force: bool = False) -> None:
    """Write (H, W) uint8 losslessly in the format that the file name implies."""
    file_format = output_format(path)
    check_holds(path, gray.shape)
    with replacing(path, force) as draft:
        _write_image(draft.file, Path(path), gray, file_format, _SAVE_OPTIONS[file_format])


def png_bytes(
    pixels: NDArray[np.uint8],
    alpha: GrayArray | None = None,
    icc: bytes | None = None,
    exif: bytes | None = None,
    chunks: tuple[Chunk, ...] = (),
) -> bytes:
    """Return (H, W) or (H, W, 3) uint8 (and alpha) as a PNG in memory."""
    image = Image.fromarray(pixels if alpha is None else np.dstack((pixels, alpha)))
    file = io.BytesIO()
    image.save(file, format="PNG", **_options("PNG", icc, exif, chunks))
    return file.getvalue()


def check_absent(path: PathLike, force: bool) -> None:
    """Raise an OutputError now if a file of that name exists that must not be replaced."""
    with explained(Path(path)):
        refuse_existing(Path(path), force)


def save_text(path: PathLike, text: str, force: bool = False) -> None:
    """Write a text file in UTF-8."""
    save_bytes(path, text.encode("utf-8"), force)


def save_bytes(path: PathLike, content: bytes, force: bool = False) -> None:
    """Write a file."""
    with replacing(path, force) as draft, explained(Path(path)):
        draft.file.write(content)


def _options(
    file_format: str, icc: bytes | None, exif: bytes | None, chunks: tuple[Chunk, ...]
) -> dict[str, Any]:
    """Return Pillow's options for a picture in this format."""
    options = dict(_SAVE_OPTIONS[file_format])
    if file_format == "BMP":
        return options
    if icc:
        options["icc_profile"] = icc
    if exif:
        options["exif"] = exif
        if file_format == "TIFF":
            del options["compression"]  # libtiff, which compresses, cannot write directories in directories
    if file_format == "PNG" and chunks:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        for name, data in chunks:
            options["pnginfo"].add(name, data)
    return options


def _write_image(
    file: IO[bytes], target: Path, pixels: NDArray[np.uint8], file_format: str, options: dict[str, Any]
) -> None:
    try:
        with explained(target):
            Image.fromarray(pixels).save(file, format=file_format, **options)
            file.flush()
    except _NOT_HELD as error:
        hint = "Another format may hold it: name the file .png or .tif."
        if "exif" in options:
            hint = "Its EXIF data may be at fault: leave out --keep-metadata, or name the file .png."
        raise OutputError(f"{target}: cannot be written ({one_line(error)})", hint) from error
