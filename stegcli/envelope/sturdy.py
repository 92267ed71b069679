"""The sturdy head: what a reader must know before reading a body that was written to survive.

    salt (8 bytes) | fields (8 bytes), hidden by a stream | tag (4 bytes)          20 bytes that look random

Coded at rate 1/4, it forms the bits of a tile (see `carriers.tiles`). All its keys come from the locator for
zero pixels, so that it is found whatever size remains of a picture. The tag is short, since every byte
costs: one in four billion pictures that hold nothing seems to hold a head, and then the seal of the body does
not open.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b, sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers.keyed_order import subkey
from stegcli.carriers.sturdy import MOST_FREQUENCIES
from stegcli.carriers.tiles import BITS
from stegcli.envelope import convolution
from stegcli.envelope.keys import SALT_BYTES
from stegcli.envelope.later import later_version
from stegcli.errors import NothingFoundError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_BLOCKS", "MAX_BODY_BYTES", "SHORT_SALT_BYTES", "SturdyHead", "coded", "opened", "whole_salt"]

SHORT_SALT_BYTES: Final = 8
_FIELD_BYTES: Final = 8
_TAG_BYTES: Final = 4
MESSAGE_BYTES: Final = SHORT_SALT_BYTES + _FIELD_BYTES + _TAG_BYTES

_VERSION: Final = 1
_WIDTHS: Final = (3, 7, 6, 24, 12, 12)
"""Bits of version, quality, frequencies, bytes of the body, rows, columns: 64 in all."""
MAX_BODY_BYTES: Final = (1 << 24) - 1
MAX_BLOCKS: Final = (1 << 12) - 1
"""Largest number of blocks along a side."""
_BEST_QUALITY: Final = 100
_VOTES: Final = 16
"""Integer votes per unit of log-odds."""

if convolution.coded_length(8 * MESSAGE_BYTES) != BITS:
    raise ImportError("a coded head is not what a tile holds")


@dataclass(frozen=True)
class SturdyHead:
    """The data in every tile.

    Attributes:
        quality: quality, 1..100, whose luma table determines the body's lattice.
        frequencies: number of frequencies of each block that carry the body, 1..63.
        body_bytes: length of the sealed body.
        rows: number of rows of whole blocks in the picture.
        columns: number of columns of whole blocks in the picture.
    """

    quality: int
    frequencies: int
    body_bytes: int
    rows: int
    columns: int

    def __post_init__(self) -> None:
        """Refuse values that the layout cannot hold, or that no writer writes."""
        bounds = (_BEST_QUALITY, MOST_FREQUENCIES, MAX_BODY_BYTES, MAX_BLOCKS, MAX_BLOCKS)
        if not all(1 <= value <= most for value, most in zip(self._values(), bounds, strict=True)):
            raise ValueError(f"no sturdy head holds {self}")

    def to_bytes(self) -> bytes:
        """Pack the fields into 8 bytes, big-endian."""
        packed = 0
        for value, width in zip((_VERSION, *self._values()), _WIDTHS, strict=True):
            packed = packed << width | value
        return packed.to_bytes(_FIELD_BYTES, "big")

    @classmethod
    def from_bytes(cls, fields: bytes) -> SturdyHead:
        """Inverse of `to_bytes`.

        Raises:
            ValueError: an earlier version, or a field out of its range.
            ModelError: a later version.
        """
        packed, values = int.from_bytes(fields, "big"), []
        for width in reversed(_WIDTHS):
            values.append(packed & ((1 << width) - 1))
            packed >>= width
        version, *own = reversed(values)
        if version > _VERSION:
            raise later_version()
        if version != _VERSION:
            raise ValueError("another version of the sturdy head")
        return cls(*own)

    def _values(self) -> tuple[int, ...]:
        return self.quality, self.frequencies, self.body_bytes, self.rows, self.columns


def whole_salt(short: bytes) -> bytes:
    """8 bytes -> the 16 bytes from which keys are derived."""
    return sha256(b"stegcli/robust/salt" + short).digest()[:SALT_BYTES]


def coded(head: SturdyHead, short_salt: bytes, locator: bytes) -> NDArray[np.uint8]:
    """Return the coded bits of every tile, (BITS,) uint8."""
    stream, mac = _keys(locator)
    fields = _masked(head.to_bytes(), stream, short_salt)
    message = short_salt + fields + _tag(short_salt + fields, mac)
    return convolution.encode(np.unpackbits(np.frombuffer(message, dtype=np.uint8)))


def opened(soft: NDArray[np.float32], locator: bytes) -> tuple[SturdyHead, bytes]:
    """Decode and open the soft bits of all tiles (see `Tile.soft`); return the head and the 16-byte salt.

    Raises:
        NothingFoundError: they do not open.
        ModelError: a later version of the program wrote it.
    """
    votes = np.rint(-soft.astype(np.float64) * _VOTES).astype(np.int64)
    message = np.packbits(convolution.decode(votes)).tobytes()
    text, tag = message[:-_TAG_BYTES], message[-_TAG_BYTES:]
    stream, mac = _keys(locator)
    if not compare_digest(tag, _tag(text, mac)):
        raise NothingFoundError
    short_salt, fields = text[:SHORT_SALT_BYTES], text[SHORT_SALT_BYTES:]
    try:
        return SturdyHead.from_bytes(_masked(fields, stream, short_salt)), whole_salt(short_salt)
    except ValueError:
        raise NothingFoundError from None


def _keys(locator: bytes) -> tuple[bytes, bytes]:
    return subkey(locator, b"robust/fields"), subkey(locator, b"robust/tag")


def _masked(fields: bytes, key: bytes, salt: bytes) -> bytes:
    stream = blake2b(salt, key=key, digest_size=_FIELD_BYTES).digest()
    return bytes(field ^ mask for field, mask in zip(fields, stream, strict=True))


def _tag(text: bytes, key: bytes) -> bytes:
    return blake2b(text, key=key, digest_size=_TAG_BYTES).digest()
