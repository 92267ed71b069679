"""Recognise files that are not pictures here, and say what each one is and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

__all__ = ["HEAD_BYTES", "HEIC", "RAW", "is_heic", "verdict"]

HEAD_BYTES: Final = 4096
"""Number of bytes of a file that `verdict` needs."""

HEIC: Final = (
    "a HEIC picture, as an iPhone takes them",
    "Install `pip install 'stegcli[heic]'`, or share it as a JPEG.",
)

_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_HEIC_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_CANON_RAW: Final = b"crx "
_JPEG_XL_BRAND: Final = b"jxl "

RAW: Final = (
    "a camera's raw file, not a developed picture",
    "Develop it and export a PNG or a JPEG (darktable, RawTherapee, the camera's own program).",
)
_SVG: Final = (
    "a drawing (SVG), which has no pixels",
    "Export it as a PNG of the size you need: rsvg-convert -w 1024 FILE -o picture.png.",
)
_PROGRAM: Final = ("EPS or PostScript is a program, not a picture", "Convert it to PNG first.")
_VIDEO: Final = (
    "a video, not a picture",
    "Save one picture of it: ffmpeg -i FILE -frames:v 1 picture.png.",
)
_JPEG_XL: Final = ("a JPEG XL picture, which is not read here", "Convert it first: djxl FILE picture.png.")
_ARCHIVE: Final = ("an archive or a packed file, not a picture", "Unpack it, and give a picture from it.")
_HIGH_RANGE: Final = (
    "a picture of high dynamic range, whose brightness has no upper end",
    "Export it with 8 or 16 bits per sample, as a PNG.",
)

_VERDICTS: Final[tuple[tuple[re.Pattern[bytes], tuple[str, str]], ...]] = (
    (
        re.compile(rb"version https://git-lfs\.github\.com/spec/"),
        ("a Git LFS pointer, not the picture that it stands for", "Fetch the picture: git lfs pull."),
    ),
    (
        re.compile(rb".{0,1024}%PDF-\d", re.DOTALL),
        ("a PDF document", "Save the page as a picture: pdftoppm -png -r 150 -singlefile FILE picture."),
    ),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), _PROGRAM),
    (
        re.compile(
            rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml.*?\?>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE html|<html)",
            re.I | re.S,
        ),
        ("a web page, not a picture", "Save the picture itself: right click on it, save image as."),
    ),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<[^\0]*?<?svg[\s>:/]", re.DOTALL), _SVG),
    (
        re.compile(
            rb"FUJIFILMCCD-RAW|II(?:RO|RS|U\0)|MMOR|FOVb|\0MRM|II\*\0....CR|II..\0\0HEAPCCDR", re.DOTALL
        ),
        RAW,
    ),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), _JPEG_XL),
    (
        re.compile(
            rb"PK\x03\x04|\x1f\x8b\x08|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07|BZh\d|\xfd7zXZ\0|\x28\xb5\x2f\xfd"
        ),
        _ARCHIVE,
    ),
    (re.compile(rb"\x76\x2f\x31\x01|#\?(?:RADIANCE|RGBE)"), _HIGH_RANGE),
    (
        re.compile(rb"gimp xcf"),
        ("a working file of GIMP, not a picture", "Export it from GIMP as a PNG."),
    ),
    (re.compile(rb"\x1aE\xdf\xa3|RIFF....AVI ", re.DOTALL), _VIDEO),
)


def verdict(head: bytes) -> tuple[str, str] | None:
    """First bytes of a file -> what it is, and the cure; None if it may be a picture."""
    for pattern, found in _VERDICTS:
        if pattern.match(head):
            return found
    return _of_boxes(head)


def is_heic(head: bytes) -> bool:
    """Whether these are the first bytes of a HEIC picture (not of an AVIF, which has the same structure)."""
    brands = _brands(head)
    return bool(_HEIC_BRANDS.intersection(brands)) and not _AVIF_BRANDS.intersection(brands)


def _of_boxes(head: bytes) -> tuple[str, str] | None:
    """Return the verdict on a file in the container of HEIC, AVIF and videos (ISO/IEC 14496-12)."""
    brands = _brands(head)
    tests: tuple[tuple[Callable[[], bool], tuple[str, str] | None], ...] = (
        (lambda: not brands or bool(_AVIF_BRANDS.intersection(brands)), None),
        (lambda: is_heic(head), HEIC),
        (lambda: brands[0] == _CANON_RAW, RAW),
        (lambda: brands[0] == _JPEG_XL_BRAND, _JPEG_XL),
        (lambda: brands[0].startswith((b"jp2", b"jpx", b"jpm")), None),
    )
    return next((found for test, found in tests if test()), _VIDEO)


def _brands(head: bytes) -> list[bytes]:
    """Return the major and compatible brands; empty if the file does not begin with their box."""
    if head[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12], *(head[i : i + 4] for i in range(16, end - 3, 4))]
