"""A keyed order of many values that does not require sorting all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from stegcli.carriers.scatter import chunks, embedding_groups
from stegcli.carriers.streams import Keys, scaled, words32

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KeyedOrder", "subkey"]

_T = TypeVar("_T", bound=np.generic)
_CHUNK: Final = 1 << 16


def subkey(key: bytes, purpose: bytes) -> bytes:
    """Derive another 32-byte key from a secret one: SHA-256 of "stegcli/2/", the purpose and the key."""
    return sha256(b"stegcli/2/" + purpose + key).digest()


@dataclass(frozen=True)
class KeyedOrder:
    """The position of each sample among the values. Part of the file format: see rule 2 of `syndrome`.

    The values lie in S strips of C each, end to end. Sample j S + b is value order[j] of strip
    (b + turn[j]) mod S, where `order` is the permutation of C by `scatter.embedding_groups`, and `turn` is
    the stream of 32-bit words under `subkey(key, "turns")`, scaled to 0..S-1. The permutation key of both is
    `subkey(permutation, "draw" and one byte, the number of the draw)`.

    Samples b, S + b, 2 S + b, ... thus come equally from all strips and from anywhere in them, and only one
    strip's worth of words has to be sorted.
    """

    strips: int
    order: NDArray[np.int32]
    turns: NDArray[np.int64]

    @classmethod
    def of(cls, strips: int, columns: int, keys: Keys, draw: int = 0) -> KeyedOrder:
        """Return the order of `strips` times `columns` values under the permutation key; `draw` is 0..15."""
        key = subkey(keys.permutation, b"draw" + bytes([draw]))
        order = embedding_groups(columns, columns, 1, replace(keys, permutation=key))[:, 0]
        turns = scaled(words32(subkey(key, b"turns"), columns), strips)
        return cls(strips, order, turns)

    def take(self, values: NDArray[_T]) -> NDArray[_T]:
        """Put (S C or a few more,) values into the keyed order, (S C,)."""
        samples = np.empty((len(self.order), self.strips), dtype=values.dtype)
        for part in chunks(len(samples), _CHUNK // self.strips):
            np.take(values, self._places(part), out=samples[part], mode="clip")
        return samples.ravel()

    def put(self, samples: NDArray[_T], count: int) -> NDArray[_T]:
        """Put (S C,) samples back into the order of `count` values; the few without a sample become 0."""
        values = np.zeros(count, dtype=samples.dtype)
        rows = samples.reshape(-1, self.strips)
        for part in chunks(len(rows), _CHUNK // self.strips):
            values[self._places(part)] = rows[part]
        return values

    def _places(self, part: slice) -> NDArray[np.intp]:
        """Return (columns of `part`, S): the indices of these samples' values."""
        places = self.turns[part, None] + np.arange(self.strips)
        places[places >= self.strips] -= self.strips
        places *= len(self.order)
        places += self.order[part, None]
        return places.astype(np.intp, copy=False)
