"""Files that nobody should be able to hurt the program with, made by code."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def png_bytes(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def truncated(pixels: np.ndarray) -> bytes:
    whole = png_bytes(pixels)
    return whole[: len(whole) // 2]


def garbage() -> bytes:
    return np.random.default_rng(0).bytes(4096)


def garbage_inside(pixels: np.ndarray) -> bytes:
    """A right header, then noise."""
    whole = png_bytes(pixels)
    return whole[:64] + garbage()


def header_bomb(side: int = 100_000) -> bytes:
    """A PNG of a few bytes that claims side x side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def sixteen_bit_rgb(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint16 -> PNG, which Pillow cannot write."""
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    rows = pixels.astype(">u2").reshape(height, -1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def animation(pixels: np.ndarray, file_format: str) -> bytes:
    buffer = io.BytesIO()
    frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    frames[0].save(buffer, file_format, save_all=True, append_images=frames[1:], duration=100)
    return buffer.getvalue()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
