"""Read what a PNG says besides its pixels: its chunks, without a library's limits on text.

Pillow treats a megabyte of text as an attack and rejects the picture. Text is not needed here, so that it is
removed before Pillow sees it; the chunks about colour (gAMA, cHRM, cICP, sRGB) are kept unchanged.
Source: "Portable Network Graphics (PNG) Specification (Third Edition)", W3C, 2025.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import IO, Final

__all__ = ["COLOUR_CHUNKS", "SIGNATURE", "Chunk", "PngFacts", "examined"]

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

Chunk = tuple[bytes, bytes]
"""Name and data."""

COLOUR_CHUNKS: Final = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4}
"""Chunks about the meaning of pixel values, and their lengths in bytes."""

_EARLY: Final = {name: frozenset({name, b"PLTE", b"IDAT"}) for name in (*COLOUR_CHUNKS, b"iCCP")}
"""Chunks that viewers, most of which use libpng, ignore after the palette or pixels, or the second time."""

_HEAD: Final = struct.Struct(">I4s")
_CRC_BYTES: Final = 4
_TEXT: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_METADATA: Final = (b"Raw profile type", b"XML:com.adobe.xmp")
"""Keywords of texts that contain EXIF, and with it an orientation."""
_LONGEST_TEXT: Final = 1 << 18
_LONGEST_PROFILE: Final = 1 << 24
_PILLOWS_PROFILE: Final = 1 << 20
_INDEXED: Final = 3
_PALETTES: Final = range(3, 3 * 256 + 1, 3)
"""Lengths that a palette may have."""


@dataclass(frozen=True)
class PngFacts:
    """What was found in a PNG.

    Attributes:
        colour: chunks among `COLOUR_CHUNKS`, in the file's order.
        icc: the colour profile, or None.
        lacks_palette: whether the pixels are indices into a palette that is missing, or is none.
    """

    colour: tuple[Chunk, ...]
    icc: bytes | None
    lacks_palette: bool


def examined(file: IO[bytes]) -> tuple[PngFacts, IO[bytes]]:
    """Return what a PNG says, even a damaged one, and the file without what Pillow would reject."""
    found: dict[bytes, bytes] = {}
    dropped: list[tuple[int, int]] = []
    colour: list[Chunk] = []
    seen: set[bytes] = set()
    for name, start, length in _chunks(file):
        is_needless = name in _TEXT and _is_needless(file, name, start, length)
        is_ignored = name in _EARLY and not _EARLY[name].isdisjoint(seen)
        if is_needless or is_ignored or _is_damaged(file, name, start, length):
            dropped.append((start, length))
            continue
        seen.add(name)
        if name in COLOUR_CHUNKS and length == COLOUR_CHUNKS[name]:
            colour.append((name, _data(file, start, length)))
        elif name == b"IHDR" or (name == b"PLTE" and length in _PALETTES and b"IDAT" not in seen):
            found[name] = _data(file, start, min(length, 16))
        elif name == b"iCCP":
            found[name] = _profile(_data(file, start, min(length, _LONGEST_PROFILE)))
            if not 0 < len(found[name]) <= _PILLOWS_PROFILE:
                dropped.append((start, length))
    indexed = found.get(b"IHDR", b"")[9:10] == bytes([_INDEXED])
    facts = PngFacts(tuple(colour), found.get(b"iCCP") or None, indexed and b"PLTE" not in found)
    return facts, _without(file, dropped) if dropped else file


def _chunks(file: IO[bytes]) -> list[tuple[bytes, int, int]]:
    """Return (name, start of its data, length) of every complete chunk."""
    end = file.seek(0, io.SEEK_END)
    found, place = [], len(SIGNATURE)
    while place + _HEAD.size + _CRC_BYTES <= end:
        length, name = _HEAD.unpack(_data(file, place, _HEAD.size))
        start = place + _HEAD.size
        place = start + length + _CRC_BYTES
        if place > end:
            break
        found.append((name, start, length))
    return found


def _data(file: IO[bytes], start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)


def _is_needless(file: IO[bytes], name: bytes, start: int, length: int) -> bool:
    """Whether a text is long, or expands to something long, or is compressed and of no use here."""
    if length > _LONGEST_TEXT:
        return True
    keyword, _, rest = _data(file, start, length).partition(b"\0")
    packed = name == b"zTXt" or (name == b"iTXt" and rest[:1] == b"\1")
    if not packed:
        return False
    if not keyword.startswith(_METADATA):
        return True
    # zTXt: method, data. iTXt: flag, method, language, translated keyword, data.
    body = rest[1:] if name == b"zTXt" else rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return _unpacked(body, _LONGEST_TEXT) is None


def _is_damaged(file: IO[bytes], name: bytes, start: int, length: int) -> bool:
    """Whether an optional chunk fails its checksum, for which Pillow would reject the picture."""
    if not name[:1].islower() or length > _LONGEST_PROFILE:
        return False
    data = _data(file, start, length)
    return zlib.crc32(name + data) != int.from_bytes(file.read(_CRC_BYTES), "big")


def _profile(data: bytes) -> bytes:
    """Return the profile in an iCCP chunk; empty if it is damaged."""
    return _unpacked(data.partition(b"\0")[2][1:], _LONGEST_PROFILE) or b""


def _unpacked(data: bytes, limit: int) -> bytes | None:
    """Decompress with zlib; None if the data is damaged or longer than the limit."""
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(data, limit)
    except zlib.error:
        return None
    return content if stream.eof else None


def _without(file: IO[bytes], dropped: list[tuple[int, int]]) -> IO[bytes]:
    """Return a copy of the file in memory without these chunks."""
    copy, place = io.BytesIO(), 0
    for start, length in dropped:
        copy.write(_data(file, place, start - _HEAD.size - place))
        place = start + length + _CRC_BYTES
    file.seek(place)
    copy.write(file.read())
    copy.seek(0)
    return copy
