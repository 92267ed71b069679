"""Files that must not be able to harm the program, made by code."""

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
    """A valid header, then noise."""
    whole = png_bytes(pixels)
    return whole[:64] + garbage()


def header_bomb(side: int = 100_000) -> bytes:
    """A PNG of a few bytes that claims to have side x side pixels."""
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


def png_with(content: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with more chunks before its pixels."""
    return _with(content, b"IDAT", chunks)


def png_ending_with(content: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with more chunks after its pixels."""
    return _with(content, b"IEND", chunks)


def _with(content: bytes, before: bytes, chunks: tuple[tuple[bytes, bytes], ...]) -> bytes:
    start = content.index(before) - 4
    return content[:start] + b"".join(_chunk(name, data) for name, data in chunks) + content[start:]


def without_palette(pixels: np.ndarray) -> bytes:
    """(H, W) uint8 indices -> a PNG of colour type 3 that has no PLTE."""
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    data = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def tiff(pages: list[tuple[np.ndarray, int, dict[int, int]]], order: str = "<") -> bytes:
    """An uncompressed TIFF of (samples, bits, further tags): gray, or RGB if there are three axes.

    Samples of 12 bits are packed; wider ones are written in the file's order of bytes.
    """
    content = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    link = 4
    for samples, bits, further in pages:
        data = _packed(samples, bits, order)
        height, width = samples.shape[:2]
        channels = samples.shape[2] if samples.ndim == 3 else 1
        place = len(content) + len(content) % 2
        tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1 if channels == 1 else 2, 277: channels}
        tags |= {278: height, 279: len(data)} | further
        end = place + 2 + 12 * (len(tags) + 1) + 4
        tags[273] = end
        content += bytes(place - len(content))
        struct.pack_into(order + "I", content, link, place)
        content += struct.pack(order + "H", len(tags))
        for tag, value in sorted(tags.items()):
            content += struct.pack(order + "HHII", tag, 4, 1, value)
        link = len(content)
        content += bytes(4) + data
    return bytes(content)


def _packed(samples: np.ndarray, bits: int, order: str) -> bytes:
    if bits == 12:
        first, second = samples.reshape(-1, 2).T.astype(int)
        triples = np.stack((first >> 4, (first & 15) << 4 | second >> 8, second & 255), axis=1)
        return triples.astype(np.uint8).tobytes()
    return samples.astype(f"{order}u{bits // 8}").tobytes()


def many_scans(pixels: np.ndarray, count: int) -> bytes:
    """A progressive JPEG that repeats its last scan `count` times."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", progressive=True)
    whole = buffer.getvalue()
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * count + b"\xff\xd9"


def boxes(*brands: bytes) -> bytes:
    """The start of a HEIC file: the box that names its brands."""
    return (
        struct.pack(">I", 16 + 4 * (len(brands) - 1)) + b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])
    )
