"""Parse what a JPEG states before its scan, and find where the scan begins and ends (ITU-T T.81, annex B).

    SOI  APPn DQT SOF0 DHT DRI ...  SOS | scan | EOI  trailer
    '----------- read here ----------'   found   '- kept as it is -'

Only files that `jpeg_scan` can write again byte for byte are accepted: one Huffman-coded sequential scan with
8 bits per sample and one component (gray) or three (luma and two chroma). For everything else an `ImageError`
says what the file is. Every size that a file states is checked before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers.jpeg_frame import CONVERT, ZIGZAG, Component, Frame, Layout, damaged
from stegcli.carriers.jpeg_huffman import HuffmanSpec
from stegcli.errors import ImageError

__all__ = ["read_layout"]

T = TypeVar("T")

_SOI, _EOI, _SOS, _DQT, _DNL, _DRI, _DHT = 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xC4
_APP0, _APP14 = 0xE0, 0xEE
_RESTARTS: Final = range(0xD0, 0xD8)
_STANDALONE: Final = frozenset({0x01, *_RESTARTS})
"""Markers without a segment: TEM and the restart markers."""

_FRAMES: Final = {
    0xC0: "",
    0xC1: "",
    0xC2: "is progressive",
    0xC3: "is lossless",
    0xC5: "is hierarchical",
    0xC6: "is hierarchical",
    0xC7: "is hierarchical",
    0xC9: "uses arithmetic coding",
    0xCA: "uses arithmetic coding",
    0xCB: "uses arithmetic coding",
    0xCD: "is hierarchical",
    0xCE: "is hierarchical",
    0xCF: "is hierarchical",
    0xDE: "is hierarchical",  # DHP, which goes before the frames
    0xF7: "is a JPEG-LS, a format of its own",
}
"""Frame markers: what rules out a file that has one; empty if the file can carry."""

_MOST_BLOCKS: Final = 10
"""Largest number of blocks in a minimum coded unit (B.2.3)."""


@dataclass
class _Header:
    """State of the parser."""

    quantization: dict[int, NDArray[np.int32]] = field(default_factory=dict)
    huffman: dict[int, HuffmanSpec] = field(default_factory=dict)
    frame: bytes = b""
    restart_interval: int = 0
    is_jfif: bool = False
    adobe_transform: int | None = None

    @property
    def is_rgb(self) -> bool:
        """Whether three components are red, green and blue, decided as libjpeg does (jdapimin.c)."""
        if self.is_jfif:
            return False
        if self.adobe_transform is not None:
            return self.adobe_transform == 0
        return self.frame[6::3] == b"RGB"


def _unfit(what: str) -> ImageError:
    return ImageError(f"the JPEG {what}, so that nothing can be hidden in its coefficients", CONVERT)


def read_layout(data: bytes, max_pixels: int) -> Layout:
    """Return the frame of a JPEG file and the position of its scan.

    Raises:
        ImageError: not a JPEG, truncated, damaged, larger than `max_pixels`, or of a kind that cannot carry.
    """
    if data[:2] != bytes((0xFF, _SOI)):
        raise ImageError("not a JPEG", "Give a JPEG file, or name the stego .png.")
    header, place = _Header(), 2
    while True:
        marker, place = _next_marker(data, place)
        if marker in _STANDALONE:
            continue
        if marker == _EOI:
            raise damaged("it ends before its scan")
        body, place = _segment(data, place)
        if marker == _SOS:
            break
        _take(header, marker, body)
    frame = _frame(header, body, max_pixels)
    return Layout(frame, place, _scan_end(data, place))


def _next_marker(data: bytes, place: int) -> tuple[int, int]:
    """Return the marker at `place`, skipping fill bytes, and the position after it."""
    if data[place : place + 1] != b"\xff":
        raise damaged("a marker is missing" if place < len(data) else "it ends within its header")
    while data[place : place + 1] == b"\xff":
        place += 1
    if place >= len(data):
        raise damaged("it ends within its header")
    return data[place], place + 1


def _segment(data: bytes, place: int) -> tuple[bytes, int]:
    length = int.from_bytes(data[place : place + 2], "big")
    if length < 2 or place + length > len(data):
        raise damaged("a segment is longer than the file")
    return data[place + 2 : place + length], place + length


def _take(header: _Header, marker: int, body: bytes) -> None:
    """Record the content of one segment."""
    if marker == _DQT:
        _take_quantization(header, body)
    elif marker == _DHT:
        _take_huffman(header, body)
    elif marker == _DRI:
        header.restart_interval = int.from_bytes(body[:2], "big")
    elif marker == _APP0 and body[:5] == b"JFIF\0":
        header.is_jfif = True
    elif marker == _APP14 and body[:5] == b"Adobe" and len(body) >= 12:
        header.adobe_transform = body[11]
    elif marker in _FRAMES:
        if _FRAMES[marker]:
            raise _unfit(_FRAMES[marker])
        if header.frame:
            raise damaged("it has two frames")
        header.frame = body


def _take_quantization(header: _Header, body: bytes) -> None:
    while body:
        sixteen_bit, number = body[0] >> 4, body[0] & 15
        length = 65 + 64 * sixteen_bit
        if sixteen_bit > 1 or number > 3 or len(body) < length:
            raise damaged("a quantisation table is wrong")
        values = np.frombuffer(body[1:length], ">u2" if sixteen_bit else "u1")
        if not values.all():
            raise damaged("a quantisation table is wrong")
        table = np.empty(64, np.int32)
        table[ZIGZAG] = values
        table.flags.writeable = False
        header.quantization[number] = table.reshape(8, 8)
        body = body[length:]


def _take_huffman(header: _Header, body: bytes) -> None:
    while body:
        counts, length = body[1:17], 17 + sum(body[1:17])
        if body[0] & 0xEC or len(counts) != 16 or len(body) < length:
            raise damaged("a Huffman table is wrong")
        spec = HuffmanSpec(counts, body[17:length])
        if not spec.is_prefix_code:
            raise damaged("a Huffman table is wrong")
        header.huffman[body[0]] = spec
        body = body[length:]


def _frame(header: _Header, scan: bytes, max_pixels: int) -> Frame:
    """Combine the frame and scan headers; `scan` is the body of the SOS segment."""
    body = header.frame
    if not body:
        raise damaged("its scan has no frame")
    if len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise damaged("its frame header is wrong")
    _check_kind(header, body[5])
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    _check_size(height, width, max_pixels)
    _check_scan(scan, body[6::3])
    down, across = _factors(body[7::3])
    mcu_rows, mcu_cols = -(-height // (8 * max(down))), -(-width // (8 * max(across)))
    components = tuple(
        Component(
            horizontal=across[i],
            vertical=down[i],
            rows=_blocks(height, down[i], max(down)),
            cols=_blocks(width, across[i], max(across)),
            padded_rows=mcu_rows * down[i],
            padded_cols=mcu_cols * across[i],
            quantization=_table(header.quantization, body[8 + 3 * i]),
            dc=_table(header.huffman, scan[2 + 2 * i] >> 4),
            ac=_table(header.huffman, 0x10 | scan[2 + 2 * i] & 15),
        )
        for i in range(body[5])
    )
    return Frame(height, width, components, mcu_rows, mcu_cols, header.restart_interval)


def _factors(bytes_: bytes) -> tuple[list[int], list[int]]:
    """Return the sampling factors down and across, given one byte for each component."""
    down, across = [each & 15 for each in bytes_], [each >> 4 for each in bytes_]
    if len(bytes_) == 1:
        return [1], [1]  # A.2.2: a single component is not interleaved, whatever its factors are
    if not all(1 <= factor <= 4 for factor in down + across):
        raise damaged("a sampling factor is wrong")
    if sum(one * other for one, other in zip(down, across, strict=True)) > _MOST_BLOCKS:
        raise damaged("its minimum coded unit is too large")
    return down, across


def _blocks(pixels: int, factor: int, most: int) -> int:
    samples = -(-pixels * factor // most)
    return -(-samples // 8)


def _check_kind(header: _Header, count: int) -> None:
    if header.frame[0] != 8:
        raise _unfit(f"has {header.frame[0]} bits a sample instead of 8")
    if count == 4:
        raise _unfit("is in CMYK")
    if count not in {1, 3}:
        raise _unfit(f"has {count} components")
    if count == 3 and header.is_rgb:
        raise _unfit("stores red, green and blue instead of luma and chroma")


def _check_size(height: int, width: int, max_pixels: int) -> None:
    if not height or not width:
        raise _unfit("does not say its size in its header")
    if height * width > max_pixels:
        hint = "If you trust the file and have the memory, raise the limit with --max-pixels."
        raise ImageError(f"the JPEG has more than {max_pixels:,} pixels", hint)


def _check_scan(scan: bytes, ids: bytes) -> None:
    count = scan[0] if scan else 0
    if len(scan) != 4 + 2 * count:
        raise damaged("its scan header is wrong")
    if 0 < count < len(ids):
        raise _unfit("has several scans")
    if scan[1:-3:2] != ids or scan[-3:] != b"\x00\x3f\x00":
        raise damaged("its scan header is wrong")


def _table(tables: dict[int, T], number: int) -> T:
    if number not in tables:
        raise damaged("a table that its scan needs is missing")
    return tables[number]


def _scan_end(data: bytes, begin: int) -> int:
    """Return where the scan ends: at EOI or its fill bytes; only restart markers may precede it."""
    place = begin
    while True:
        place = data.find(b"\xff", place)
        if place < 0:
            raise damaged("it ends within its scan")
        behind = place + 1
        while data[behind : behind + 1] == b"\xff":
            behind += 1
        if behind >= len(data):
            raise damaged("it ends within its scan")
        marker = data[behind]
        if marker == _EOI:
            return place
        if behind > place + 1 or not (marker == 0 or marker in _RESTARTS):
            raise _wrong_end(marker)
        place = behind + 1


def _wrong_end(marker: int) -> ImageError:
    if marker in {_SOS, _DHT, _DRI, _DQT}:
        return _unfit("has several scans")
    if marker == _DNL:
        return _unfit("does not say its size in its header")
    if marker in _RESTARTS:
        return _unfit("has bytes between its segments that say nothing")
    return damaged("its scan breaks off")
