"""Writes image files: lossless formats only, and a file appears whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stegcli.errors import OutputError, one_line

__all__ = ["check_absent", "check_writable", "output_format", "save_gray", "save_stego", "save_text"]

GrayArray = NDArray[np.uint8]
RgbArray = NDArray[np.uint8]
PathLike = str | os.PathLike[str]

_FORMATS = {".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP"}
_LOSSY = re.compile(r"\.(jpe|jpe?g|jfif|jif|mpo|avif|hei[cf]|jp2|j2k|jpx|jxl)")
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    # Measured on 12 megapixels: 4 takes 1.6 s, the default 6 takes 4.8 s for a file no smaller.
    "PNG": {"compress_level": 4},
    # exact: keep the colour of transparent pixels as it is.
    "WEBP": {"lossless": True, "quality": 30, "method": 2, "exact": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "BMP": {},
}


def output_format(path: PathLike) -> str:
    """Pillow's name of the lossless format that the file name asks for; OutputError if it is not one."""
    suffix = Path(path).suffix.lower()
    if suffix in _FORMATS:
        return _FORMATS[suffix]
    cure = "Name the file .png (or .webp, .tif, .bmp, which are written without loss)."
    if _LOSSY.fullmatch(suffix):
        raise OutputError(
            f"{path}: a lossy format does not keep every pixel, and so nothing hidden in them", cure
        )
    if suffix == ".gif":
        raise OutputError(f"{path}: a GIF holds only 256 colours", cure)
    raise OutputError(f"{path}: the file name does not say which format to write", cure)


def check_writable(path: PathLike, force: bool, *, inputs: Sequence[PathLike] = ()) -> None:
    """Raise OutputError now if the file could not be written later: called before any work is done.

    Args:
        path: the file to be written.
        force: whether an existing file may be replaced.
        inputs: files that must never be replaced, `force` or not.
    """
    target = Path(path)
    output_format(target)
    try:
        _refuse_existing(target, force, inputs)
        probe = _temporary_beside(target)
        with probe.open("xb"):
            pass
        probe.unlink()
    except OSError as error:
        raise _output_error(target, error) from error


def save_stego(
    path: PathLike,
    rgb: RgbArray,
    alpha: GrayArray | None = None,
    icc: bytes | None = None,
    exif: bytes | None = None,
    force: bool = False,
) -> None:
    """Write (H, W, 3) uint8 (and alpha) without loss in the format of the file name."""
    file_format = output_format(path)
    if file_format == "BMP" and alpha is not None:
        if int(alpha.min()) < 255:
            raise OutputError(f"{path}: BMP keeps no transparency", "Name the file .png, .webp or .tif.")
        alpha = None
    pixels = rgb if alpha is None else np.dstack((rgb, alpha))
    metadata = {"icc_profile": icc, "exif": exif} if file_format != "BMP" else {}
    _save(Path(path), pixels, file_format, {k: v for k, v in metadata.items() if v}, force)


def save_gray(path: PathLike, gray: GrayArray, force: bool = False) -> None:
    """Write (H, W) uint8 without loss in the format of the file name."""
    _save(Path(path), gray, output_format(path), {}, force)


def check_absent(path: PathLike, force: bool) -> None:
    """Raise OutputError now if a file that is no picture could not be written later for being there already."""
    _refuse_existing(Path(path), force, ())


def save_text(path: PathLike, text: str, force: bool = False) -> None:
    """Write a text file in UTF-8."""
    target = Path(path)
    try:
        with _replacing(target, force) as file:
            file.write(text.encode("utf-8"))
    except OSError as error:
        raise _output_error(target, error) from error


def _save(
    target: Path, pixels: NDArray[np.uint8], file_format: str, metadata: dict[str, bytes], force: bool
) -> None:
    image = Image.fromarray(pixels)
    try:
        with _replacing(target, force) as file:
            image.save(file, format=file_format, **_SAVE_OPTIONS[file_format], **metadata)
    except OSError as error:
        raise _output_error(target, error) from error
    except ValueError as error:  # a picture too large for the format
        hint = "Another format may hold it: name the file .png or .tif."
        raise OutputError(f"{target}: cannot be written ({one_line(error)})", hint) from error


@contextmanager
def _replacing(target: Path, force: bool) -> Iterator[IO[bytes]]:
    """A file that takes its name only when it is whole and on the disk; nothing stays if it fails."""
    temporary = _temporary_beside(target)
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _refuse_existing(target, force, ())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _temporary_beside(target: Path) -> Path:
    return target.with_name(f".stegcli-{secrets.token_hex(4)}.part")


def _refuse_existing(target: Path, force: bool, inputs: Sequence[PathLike]) -> None:
    try:
        target.lstat()
    except FileNotFoundError:
        return
    if target.is_dir():
        raise OutputError(f"{target}: a folder of that name is in the way", "Give a file name with -o.")
    if any(_is_same_file(target, Path(path)) for path in inputs):
        raise OutputError(f"{target}: this would replace an input", "Give another name with -o.")
    if not force:
        raise OutputError(
            f"{target}: exists already", "Give another name with -o, or replace it with --force."
        )


def _is_same_file(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and first.samefile(second)


def _output_error(target: Path, error: OSError) -> OutputError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return OutputError(f"{target}: the disk is full", "Free some space, or write elsewhere with -o.")
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return OutputError(
            f"{target}: its folder does not exist", "Create the folder, or write elsewhere with -o."
        )
    hint = "Write elsewhere with -o."
    return OutputError(f"{target}: cannot be written ({one_line(error)})", hint)
