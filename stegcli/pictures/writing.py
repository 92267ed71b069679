"""Writes image files: lossless formats only, and a file appears whole or not at all."""

from __future__ import annotations

import errno
import io
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

__all__ = [
    "check_absent",
    "check_writable",
    "output_format",
    "png_bytes",
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
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    # Measured on 12 megapixels: run-length matches only (zlib's Z_RLE) take 0.9 s where level 3 takes 1.3 s
    # for a file 7 % larger; the default 6 takes 4.8 s. Noise in the low bits leaves no longer matches.
    "PNG": {"compress_level": 1, "compress_type": 3},
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
    with _explained(target):
        _refuse_existing(target, force, inputs)
        probe = _temporary_beside(target)
        with probe.open("xb"):
            pass
        probe.unlink()


@contextmanager
def stego_draft(
    path: PathLike,
    rgb: RgbArray,
    alpha: GrayArray | None = None,
    icc: bytes | None = None,
    exif: bytes | None = None,
    force: bool = False,
) -> Iterator[Path]:
    """Write (H, W, 3) uint8 (and alpha) without loss, and give the draft's name to whoever wants to check it.

    The draft takes the name `path` when the block ends well. If it fails, the draft goes, and a file that had
    that name before is still there.
    """
    file_format = output_format(path)
    if file_format == "BMP" and alpha is not None:
        if int(alpha.min()) < 255:
            raise OutputError(f"{path}: BMP keeps no transparency", "Name the file .png, .webp or .tif.")
        alpha = None
    pixels = rgb if alpha is None else np.dstack((rgb, alpha))
    metadata = {"icc_profile": icc, "exif": exif} if file_format != "BMP" else {}
    with _replacing(Path(path), force) as draft:
        _write_image(draft, Path(path), pixels, file_format, {k: v for k, v in metadata.items() if v})
        yield draft


def save_stego(
    path: PathLike,
    rgb: RgbArray,
    alpha: GrayArray | None = None,
    icc: bytes | None = None,
    exif: bytes | None = None,
    force: bool = False,
) -> None:
    """Write (H, W, 3) uint8 (and alpha) without loss in the format of the file name."""
    with stego_draft(path, rgb, alpha, icc, exif, force):
        pass


def save_gray(path: PathLike, gray: GrayArray, force: bool = False) -> None:
    """Write (H, W) uint8 without loss in the format of the file name."""
    file_format = output_format(path)
    with _replacing(Path(path), force) as draft:
        _write_image(draft, Path(path), gray, file_format, {})


def png_bytes(
    pixels: NDArray[np.uint8],
    alpha: GrayArray | None = None,
    icc: bytes | None = None,
    exif: bytes | None = None,
) -> bytes:
    """(H, W) or (H, W, 3) uint8 (and alpha) as a PNG in memory, for those who write to no file."""
    metadata = {name: block for name, block in (("icc_profile", icc), ("exif", exif)) if block}
    image = Image.fromarray(pixels if alpha is None else np.dstack((pixels, alpha)))
    file = io.BytesIO()
    image.save(file, format="PNG", **_SAVE_OPTIONS["PNG"], **metadata)
    return file.getvalue()


def check_absent(path: PathLike, force: bool) -> None:
    """Raise OutputError now if a file of that name is there already and must not be replaced."""
    _refuse_existing(Path(path), force, ())


def save_text(path: PathLike, text: str, force: bool = False) -> None:
    """Write a text file in UTF-8."""
    target = Path(path)
    with _replacing(target, force) as draft, _explained(target), _synced(draft) as file:
        file.write(text.encode("utf-8"))


def _write_image(
    draft: Path, target: Path, pixels: NDArray[np.uint8], file_format: str, metadata: dict[str, bytes]
) -> None:
    image = Image.fromarray(pixels)
    try:
        with _explained(target), _synced(draft) as file:
            image.save(file, format=file_format, **_SAVE_OPTIONS[file_format], **metadata)
    except ValueError as error:  # a picture too large for the format
        hint = "Another format may hold it: name the file .png or .tif."
        raise OutputError(f"{target}: cannot be written ({one_line(error)})", hint) from error


@contextmanager
def _replacing(target: Path, force: bool) -> Iterator[Path]:
    """A temporary name beside `target` that becomes it when the block ends well, and goes when it fails."""
    draft = _temporary_beside(target)
    try:
        yield draft
        with _explained(target):
            _refuse_existing(target, force, ())
            draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextmanager
def _synced(draft: Path) -> Iterator[IO[bytes]]:
    """A new file that is on the disk, not only in its cache, when the block ends."""
    with draft.open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Say an OSError as an OutputError about `target`."""
    try:
        yield
    except OSError as error:
        raise _output_error(target, error) from error


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
