"""JPEG files of every kind that a test needs, made by Pillow or, where it cannot, by hand."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from PIL import Image

EOI = b"\xff\xd9"


def jpeg_bytes(pixels: np.ndarray, **options: Any) -> bytes:
    """(H, W) or (H, W, 3) uint8 as a JPEG file; options are Pillow's."""
    return saved(Image.fromarray(pixels), **options)


def saved(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def luma_of(data: bytes) -> np.ndarray:
    """(H, W) int64 luma as libjpeg decodes it, without chroma."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft("L", image.size)
        return np.asarray(image).astype(np.int64)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def after_start(data: bytes, inserted: bytes) -> bytes:
    """The file with more bytes behind SOI."""
    return data[:2] + inserted + data[2:]


def place_of(data: bytes, marker: int) -> int:
    """Position of the first segment with this marker."""
    place = 2
    while data[place + 1] != marker:
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return place


def with_marker(data: bytes, marker: int, other: int) -> bytes:
    """The file with one marker in place of another."""
    place = place_of(data, marker) + 1
    return data[:place] + bytes((other,)) + data[place + 1 :]


def with_size(data: bytes, height: int, width: int) -> bytes:
    """The file with another size in its frame header."""
    place = place_of(data, 0xC0) + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


def flat_gray(scan: bytes) -> bytes:
    """One gray block with libjpeg's standard tables and this scan."""
    data = jpeg_bytes(np.full((8, 8), 128, np.uint8))
    place = place_of(data, 0xDA)
    return data[: place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")] + scan + EOI


def multi_picture(first: bytes, second: bytes, order: str) -> bytes:
    """Two pictures in one file, with an index as in CIPA DC-007; `order` is ">" or "<"."""
    mark = {">": b"MM\0*", "<": b"II*\0"}[order]

    def index(size: int, offset: int) -> bytes:
        fields = [(0xB000, 7, 4, b"0100"), (0xB001, 4, 1, struct.pack(f"{order}I", 2))]
        fields.append((0xB002, 7, 32, struct.pack(f"{order}I", 50)))
        directory = b"".join(struct.pack(f"{order}HHI", *each[:3]) + each[3] for each in fields)
        entries = struct.pack(f"{order}IIIHH", 0x20030000, size, 0, 0, 0)
        entries += struct.pack(f"{order}IIIHH", 0, len(second), offset, 0, 0)
        head = mark + struct.pack(f"{order}IH", 8, 3)
        return segment(0xE2, b"MPF\0" + head + directory + b"\0\0\0\0" + entries)

    size = len(first) + len(index(0, 0))
    return after_start(first, index(size, size - 10)) + second
