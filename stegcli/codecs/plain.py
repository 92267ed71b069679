"""Any file as bytes: its name, then its content, stored or compressed, whichever is shortest.

| bytes | content |
|---|---|
| 1 | length n of the name |
| n | the name, UTF-8 |
| the rest | the content of the file |

The whole is stored, deflated (RFC 1951, raw) or compressed with LZMA1 (raw, with the filters below). The
shape of such a secret is (length of the whole before compression,): decompression stops there, whatever else
the payload might expand to.
"""

from __future__ import annotations

import math
import zlib
from typing import Any, Final

from stegcli.codecs.base import CodecId, Encoded, FileSecret, SecretError, Shape
from stegcli.codecs.names import safe_name
from stegcli.errors import MissingExtraError, UsageError, one_line

try:
    import lzma
except ImportError:  # a Python built without it
    lzma = None  # type: ignore[assignment]

__all__ = ["MAX_BYTES", "decode", "encode"]

MAX_BYTES: Final = 64 << 20
"""Largest file with its name: far more than a cover can carry, and held in memory several times."""

_RAW_DEFLATE: Final = -15
_LZMA1: Final = 0x4000000000000001
# Part of the file format: raw data does not state them, so that the reader has to know them.
_LZMA_FILTERS: Final[list[dict[str, Any]]] = [{"id": _LZMA1, "dict_size": 8 << 20, "lc": 3, "lp": 0, "pb": 0}]

_LEAST_DICTIONARY: Final = 4096


def encode(secret: FileSecret) -> Encoded:
    """Return the shortest of the three encodings.

    Raises:
        UsageError: the file has more than `MAX_BYTES`.
    """
    name = safe_name(secret.name)
    whole = bytes([len(name.encode())]) + name.encode() + secret.content
    if len(whole) > MAX_BYTES:
        raise UsageError(
            f"{name}: {len(secret.content):,} bytes are too many to hide",
            f"At most {MAX_BYTES >> 20} MiB can be hidden, if the cover has room for them.",
        )
    choices = [(CodecId.STORED, whole), (CodecId.DEFLATE, _deflated(whole))]
    if lzma is not None:
        choices.append((CodecId.LZMA, _packed(whole)))
    codec_id, payload = min(choices, key=lambda choice: len(choice[1]))
    return Encoded(codec_id, payload, (len(whole),), FileSecret(name, secret.content), math.inf)


def decode(codec_id: CodecId, payload: bytes, shape: Shape) -> FileSecret:
    """Decode a file and give it a safe name.

    Raises:
        SecretError: the payload is damaged, or its length differs from `shape`.
        MissingExtraError: it is compressed with LZMA, which this Python was built without.
    """
    (length,) = shape
    if not 0 < length <= MAX_BYTES:
        raise SecretError(f"a file cannot have {length:,} bytes")
    try:
        whole = _expanded(codec_id, payload, length)
    except (zlib.error, EOFError, ValueError, MemoryError) as error:
        raise SecretError(one_line(error)) from error
    name_length = whole[0] if whole else 0
    if len(whole) != length or length <= name_length:
        raise SecretError("its length differs from what its header states")
    name = whole[1 : 1 + name_length].decode(errors="replace")
    return FileSecret(safe_name(name), whole[1 + name_length :])


def _deflated(data: bytes) -> bytes:
    coder = zlib.compressobj(9, zlib.DEFLATED, _RAW_DEFLATE)
    return coder.compress(data) + coder.flush()


def _packed(data: bytes) -> bytes:
    # A dictionary no longer than the data, since the encoder fills it before it begins.
    size = min(max(len(data), _LEAST_DICTIONARY), _LZMA_FILTERS[0]["dict_size"])
    return lzma.compress(data, lzma.FORMAT_RAW, filters=[_LZMA_FILTERS[0] | {"dict_size": size}])


def _expanded(codec_id: CodecId, payload: bytes, length: int) -> bytes:
    """Decompress at most one byte more than `length`, enough to detect that there is too much."""
    if codec_id is CodecId.STORED:
        return payload
    if codec_id is CodecId.DEFLATE:
        return zlib.decompressobj(_RAW_DEFLATE).decompress(payload, length + 1)
    return _unpacked(payload, length)


def _unpacked(payload: bytes, length: int) -> bytes:
    if lzma is None:
        raise MissingExtraError(
            "this secret is compressed with LZMA, which this Python was built without",
            "Use a Python with the lzma module (install liblzma before building it).",
        )
    try:
        coder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_LZMA_FILTERS)
        return coder.decompress(payload, length + 1)
    except lzma.LZMAError as error:
        raise SecretError(one_line(error)) from error
