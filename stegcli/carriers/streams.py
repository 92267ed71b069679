"""Streams of random words under a key, and numbers made from them. Both are part of the file format.

Streams are ChaCha20 output and nothing else: a library's random generator may change between releases, and
files written before could then no longer be read. Word i of a stream is its bytes 4i..4i+3 (or 8i..8i+7),
little-endian.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

_ZEROS: Final = bytes(1 << 16)


@dataclass(frozen=True)
class Keys:
    """Three independent 32-byte keys; their values stay out of `repr`, and so out of logs and tracebacks."""

    header: bytes = field(repr=False)
    keystream: bytes = field(repr=False)
    permutation: bytes = field(repr=False)


def words32(key: bytes, count: int) -> npt.NDArray[np.uint32]:
    """Return the first `count` 32-bit words of the stream under `key`: (count,) uint32, uniform."""
    return _stream(key, 4 * count).view("<u4").astype(np.uint32, copy=False)


def words64(key: bytes, count: int) -> npt.NDArray[np.uint64]:
    """Return the first `count` 64-bit words of the stream under `key`: (count,) uint64, uniform."""
    return _stream(key, 8 * count).view("<u8").astype(np.uint64, copy=False)


def scaled(words: npt.NDArray[np.uint32], limit: int) -> npt.NDArray[np.int64]:
    """Uniform 32-bit words -> int64 in 0..limit-1, uniform: floor(limit * word / 2^32)."""
    return ((words.astype(np.uint64) * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)


def _stream(key: bytes, size: int) -> npt.NDArray[np.uint8]:
    """Return the ChaCha20 keystream; counter and nonce are zero, since each key is used for one stream."""
    stream = np.empty(size, dtype=np.uint8)
    encryptor = Cipher(ChaCha20(key, nonce=bytes(16)), mode=None).encryptor()
    out = stream.data
    for start in range(0, size, len(_ZEROS)):
        block = out[start : start + len(_ZEROS)]
        encryptor.update_into(_ZEROS[: len(block)], block)
    return stream
