"""What can be seen of a PNG without its pixels: chunks, the zlib header, filters; parsed by hand."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


@dataclass(frozen=True)
class Layout:
    """A file's envelope.

    Attributes:
        chunks: names and lengths, in order.
        header: the 13 bytes of IHDR.
        zlib_header: CMF and FLG, the first two bytes of the compressed stream.
        filters: the filter type of every row.
    """

    chunks: tuple[tuple[bytes, int], ...]
    header: bytes
    zlib_header: bytes
    filters: bytes


def layout_of(file: bytes) -> Layout:
    """A PNG without interlacing -> its envelope."""
    assert file.startswith(_SIGNATURE)
    chunks: list[tuple[bytes, bytes]] = []
    place = len(_SIGNATURE)
    while place < len(file):
        length, name = struct.unpack(">I4s", file[place : place + 8])
        data, crc = file[place + 8 : place + 8 + length], file[place + 8 + length : place + 12 + length]
        assert crc == struct.pack(">I", zlib.crc32(name + data))
        chunks.append((name, data))
        place += 12 + length
    header = dict(chunks)[b"IHDR"]
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    assert (depth, interlaced) == (8, 0)
    packed = b"".join(data for name, data in chunks if name == b"IDAT")
    rows = zlib.decompress(packed)
    stride = 1 + width * _CHANNELS[colour]
    assert len(rows) == stride * height
    return Layout(tuple((name, len(data)) for name, data in chunks), header, packed[:2], rows[::stride])
