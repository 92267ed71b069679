"""Files that hold pictures: opened, told apart by their content, and refused with the true reason.

Every limit belongs to one call. Pillow's own are process-wide, and two threads would see each other's: so
its `Image.open`, which looks at them, is not used, but the table of formats behind it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from PIL import Image, UnidentifiedImageError, _imaging

from stegcli.errors import ImageError, one_line
from stegcli.pictures import depths, foreign, png, tiff
from stegcli.pictures.encoded import Encoded, read_once

__all__ = ["DECODER_ERRORS", "OpenedPicture", "is_jpeg", "opened"]

PathLike = str | os.PathLike[str]

# Whatever a decoder may raise on a damaged file; Pillow promises no base class.
DECODER_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    EOFError,
    RuntimeError,  # the AVIF decoder's
    struct.error,
    zlib.error,
)

_NOT_THIS_FORMAT: Final = (SyntaxError, IndexError, TypeError, struct.error)
"""What Pillow's own `open` treats as "try the next format"."""
_PROGRAMS: Final = frozenset({"EPS", "WMF"})
"""Formats that Pillow hands to other programs, which run code from the file."""
_ONE_PICTURE: Final = frozenset({"MPO", "PSD", "TIFF", "HEIF"})
"""Formats whose further frames are not frames: a telephone's second view, layers, copies (see `tiff`)."""

_JPEG_START: Final = b"\xff\xd8"
_JPEG_MARKER: Final = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
_SCAN, _END, _EIGHT_BITS = 0xDA, 0xD9, 8
_FRAME: Final = struct.Struct(">HBHH")  # length, bits per sample, height, width
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_FEW_SCANS: Final = 24
_SCANNED_PIXELS: Final = 1_000_000_000
"""Limit on pixels times scans of a progressive JPEG: so many take more than a second."""

_CODE_POINTS: Final = re.compile(rb"colrnclx\0(.)\0(.)", re.DOTALL)
_USUAL_PRIMARIES: Final = frozenset({1, 2})
_USUAL_TRANSFERS: Final = frozenset({1, 2, 6, 13, 14, 15})
"""BT.709's curve, an unspecified one, and curves that viewers treat as sRGB's (ITU-T H.273)."""

_TIFF_STARTS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Pillow warns about what it repairs or skips. Warning filters belong to the process, and setting them for one
# call would be a race, so that these are silenced once. What matters to a user becomes a notice.
warnings.filterwarnings("ignore", module=r"PIL\b")


@dataclass(frozen=True)
class OpenedPicture:
    """A picture whose pixels have not been decoded yet.

    Attributes:
        image: Pillow's image, at the right page.
        colour: what a PNG says about its colours; see `png.PngFacts`.
        icc: the colour profile, or None.
        jpeg: the whole file, if it is a JPEG.
    """

    image: Image.Image
    colour: tuple[png.Chunk, ...]
    icc: bytes | None
    jpeg: bytes | None


@contextmanager
def opened(path: PathLike, max_pixels: int) -> Iterator[OpenedPicture]:
    """Open a file, or `-` for stdin, as a picture; any failure, also in the block, becomes an ImageError."""
    try:
        with _source(path, max_pixels) as file:
            head = file.read(foreign.HEAD_BYTES)
            _refuse_foreign(path, head)
            _refuse_large(path, _webp_size(head), max_pixels)
            jpeg = _checked_jpeg(path, file) if head.startswith(_JPEG_START) else None
            page = _page_of(path, file) if head.startswith(_TIFF_STARTS) else 0
            facts, file = _png_facts(path, file, head)
            with _identified(path, file, head) as image:
                if page:
                    image.seek(page)
                _refuse_large(path, image.size, max_pixels)
                _refuse_unfit(path, image)
                icc = facts.icc or image.info.get("icc_profile")
                colour = facts.colour or (() if icc else _box_colour(head))
                yield OpenedPicture(image, colour, icc, jpeg)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        hint = "Give a smaller picture, or raise PIL.Image.MAX_IMAGE_PIXELS."
        raise ImageError(f"{path}: larger than Pillow can decode ({one_line(error)})", hint) from error
    except MemoryError as error:
        raise ImageError(f"{path}: needs more memory than is free", "Give a smaller picture.") from error
    except DECODER_ERRORS as error:
        raise ImageError(f"{path}: cannot be decoded ({one_line(error)})", _DAMAGED) from error


def is_jpeg(path: PathLike) -> bool:
    """Whether a file begins like a JPEG; opening it will report what is wrong with it."""
    if isinstance(path, Encoded):
        return path.content.startswith(_JPEG_START)
    try:
        if not Path(path).is_file():  # a stream can be read only once
            return False
        with Path(path).open("rb") as file:
            return file.read(len(_JPEG_START)) == _JPEG_START
    except (OSError, ValueError):
        return False


_WHOLE: Final = "Get a whole copy of it."
_DAMAGED: Final = "The file is truncated or damaged: get a whole copy of it."


# --- bytes -


def _source(path: PathLike, max_pixels: int) -> IO[bytes]:
    """Return a seekable file; the content of a stream is held in memory."""
    whole = read_once(path, max_pixels)
    if isinstance(whole, Encoded):
        return io.BytesIO(whole.content)
    try:
        file = Path(whole).open("rb")  # noqa: SIM115  (closed by the caller's with)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file", "Check the name.") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path}: a folder, not a picture", "Give one picture file.") from error
    except (OSError, ValueError) as error:
        raise ImageError(
            f"{path}: cannot be opened ({one_line(error)})", "Check the name and the permissions."
        ) from error
    if os.fstat(file.fileno()).st_size == 0:
        file.close()
        raise ImageError(f"{path}: the file is empty", _WHOLE)
    return file


# --- formats -


def _refuse_foreign(path: PathLike, head: bytes) -> None:
    found = foreign.verdict(head)
    if found is None or (found is foreign.HEIC and _heif() is not None):
        return
    what, cure = found
    raise ImageError(f"{path}: {what}", cure)


def _identified(path: PathLike, file: IO[bytes], head: bytes) -> Image.Image:
    """Do what `Image.open` does, without checking a limit of the whole process."""
    if foreign.is_heic(head):
        return _heic(file)
    tried: set[str] = set(_PROGRAMS)
    for load_plugins in (Image.preinit, Image.init):
        load_plugins()
        for name in [name for name in Image.ID if name not in tried]:
            tried.add(name)
            image = _as_format(name, file, head)
            if image is not None:
                return image
    if head.startswith(_TIFF_STARTS):
        raise ImageError(
            f"{path}: a kind of TIFF that cannot be read here, or damaged at its start",
            "Save it with 8 or 16 bits per sample and a common compression, or as a PNG.",
        )
    hint = "Give a PNG, JPEG, WebP, TIFF, BMP or another picture that Pillow reads."
    raise ImageError(f"{path}: not a picture, or damaged at its start", hint)


def _as_format(name: str, file: IO[bytes], head: bytes) -> Image.Image | None:
    factory, accepts = Image.OPEN[name]
    try:
        accepted = accepts is None or accepts(head[:16])
        if isinstance(accepted, str) or not accepted:  # a str names missing support
            return None
        file.seek(0)
        return cast("Image.Image", factory(file, ""))
    except (*_NOT_THIS_FORMAT, UnidentifiedImageError):
        return None


def _heif() -> type[Image.Image] | None:
    """Return the reader for HEIC pictures, if the extra is installed."""
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        return None
    return cast("type[Image.Image]", HeifImageFile)


def _heic(file: IO[bytes]) -> Image.Image:
    reader = _heif()
    file.seek(0)
    return reader(file, "")  # type: ignore[misc, call-arg]


def _png_facts(path: PathLike, file: IO[bytes], head: bytes) -> tuple[png.PngFacts, IO[bytes]]:
    """Return what a PNG says besides its pixels, and the file for Pillow; empty for other files."""
    if not head.startswith(png.SIGNATURE):
        return png.PngFacts((), None, lacks_palette=False), file
    facts, file = png.examined(file)
    if facts.lacks_palette:
        raise ImageError(f"{path}: its colours are indices into a palette that is missing or damaged", _WHOLE)
    return facts, file


def _box_colour(head: bytes) -> tuple[png.Chunk, ...]:
    """Return the code points of an AVIF's or HEIC's colours as a PNG chunk; empty if they mean sRGB."""
    found = _CODE_POINTS.search(head) if head[4:8] == b"ftyp" else None
    if found is None:
        return ()
    primaries, transfer = found[1][0], found[2][0]
    if primaries in _USUAL_PRIMARIES and transfer in _USUAL_TRANSFERS:
        return ()
    return ((b"cICP", bytes([primaries, transfer, 0, 1])),)


def _page_of(path: PathLike, file: IO[bytes]) -> int:
    """Return the number of the page that is a TIFF's picture; ImageError for raw data or several pages."""
    _silence_libtiff()
    found = tiff.pages(file)
    if found and found[0].is_raw:
        what, cure = foreign.RAW
        raise ImageError(f"{path}: {what}", cure)
    full = [number for number, page in enumerate(found) if not page.is_beside] or list(range(len(found)))
    if len(full) > 1:
        raise ImageError(f"{path}: several pages in one file", "Save one page of it as a PNG and give that.")
    return full[0] if full else 0


# --- limits -


@functools.cache
def _silence_libtiff() -> None:
    """Keep libtiff from writing complaints to stderr: the exception that follows says as much.

    Pillow has no switch for that. Redirecting stderr meanwhile would capture other threads' output, too.
    """
    with contextlib.suppress(OSError, AttributeError):  # a Pillow that hides the library's symbols
        library = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            setter = getattr(library, name)
            setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
            setter(None)


def _refuse_large(path: PathLike, size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        hint = "If you trust the file and have the memory, raise the limit with --max-pixels."
        raise ImageError(f"{path}: more than {max_pixels:,} pixels", hint)


def _webp_size(head: bytes) -> tuple[int, int]:
    """(width, height) of a WebP, for whose canvas Pillow allocates memory on opening; else (0, 0)."""
    if head[:4] + head[8:12] != b"RIFFWEBP":
        return 0, 0
    kind, data = head[12:16], head[20:30]
    if kind == b"VP8X":
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    if kind == b"VP8L":
        sizes = int.from_bytes(data[1:5], "little")
        return (sizes & 0x3FFF) + 1, (sizes >> 14 & 0x3FFF) + 1
    return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF


def _refuse_unfit(path: PathLike, image: Image.Image) -> None:
    if image.format not in _ONE_PICTURE and getattr(image, "n_frames", 1) > 1:
        hint = "Save one frame or page of it as a PNG and give that."
        raise ImageError(f"{path}: animated, or several pages in one file", hint)
    depths.refuse_rangeless(image, path)


def _checked_jpeg(path: PathLike, file: IO[bytes]) -> bytes:
    """Return the whole file; ImageError for samples that libjpeg cannot read, or for too many scans."""
    file.seek(0)
    content = file.read()
    precision, pixels, scans = _jpeg_facts(content)
    if precision != _EIGHT_BITS:
        raise ImageError(
            f"{path}: a JPEG with {precision} bits per sample, which cannot be read here",
            "Convert it to PNG first.",
        )
    if scans > max(_FEW_SCANS, _SCANNED_PIXELS // max(pixels, 1)):
        raise ImageError(
            f"{path}: a progressive JPEG of {scans} scans, which would take too long to decode",
            "If you trust it, save it as a PNG with another program.",
        )
    return content


def _jpeg_facts(content: bytes) -> tuple[int, int, int]:
    """Return bits per sample, pixels, and the number of scans, up to the end of the first picture."""
    precision, pixels, scans, place = _EIGHT_BITS, 0, 0, len(_JPEG_START)
    while found := _JPEG_MARKER.search(content, place):
        kind, place = found[1][0], found.end()
        if kind == _END:
            break
        if kind in _FRAMES and place + _FRAME.size <= len(content):
            _, precision, height, width = _FRAME.unpack_from(content, place)
            pixels = height * width
        scans += kind == _SCAN
        place += int.from_bytes(content[place : place + 2], "big")
    return precision, pixels, scans
