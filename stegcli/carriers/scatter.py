"""A keyed permutation of pixels into groups, and slices of bounded size to work on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from stegcli.carriers.streams import Keys, words64

TRIAL_KEYS: Final = Keys(header=b"h" * 32, keystream=b"k" * 32, permutation=b"p" * 32)
"""Public and fixed, so that a prediction is the same each time it is made."""


_MOST_KEPT: Final = 1 << 24
"""Pixels up to which the last permutation is kept, in 64 MiB."""


def embedding_groups(pixel_count: int, symbols: int, spread: int, keys: Keys) -> npt.NDArray[np.int32]:
    """Return (symbols, spread) int32: the pixels that carry each symbol, by a keyed permutation.

    Each pixel's index replaces the low bits of its own random 64-bit word; the low bits of the sorted words
    are then the permutation. No two words are equal, so that every sorting algorithm gives the same result.

    The last result is kept, since who writes a stego also reads it back. Nobody may change it.
    """
    if keys is TRIAL_KEYS:
        return _trial_groups(pixel_count, symbols, spread)
    if pixel_count <= _MOST_KEPT:
        return _last_groups(pixel_count, symbols, spread, keys)
    return _groups(pixel_count, symbols, spread, keys)


@lru_cache(maxsize=1)
def _last_groups(pixel_count: int, symbols: int, spread: int, keys: Keys) -> npt.NDArray[np.int32]:
    return _groups(pixel_count, symbols, spread, keys)


@lru_cache(maxsize=2)
def _trial_groups(pixel_count: int, symbols: int, spread: int) -> npt.NDArray[np.int32]:
    """Asked for twice by every picture of one size."""
    return _groups(pixel_count, symbols, spread, TRIAL_KEYS)


def _groups(pixel_count: int, symbols: int, spread: int, keys: Keys) -> npt.NDArray[np.int32]:
    index_bits = max(1, (pixel_count - 1).bit_length())
    index_mask = np.uint64((1 << index_bits) - 1)
    words = words64(keys.permutation, pixel_count)
    words &= ~index_mask
    words |= np.arange(pixel_count, dtype=np.uint64)
    words.sort()
    words = words[: symbols * spread]
    words &= index_mask
    groups = words.astype(np.int32).reshape(symbols, spread)
    groups.setflags(write=False)
    return groups


def chunks(count: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` that together cover 0..count-1."""
    size = max(1, size)
    for start in range(0, count, size):
        yield slice(start, min(count, start + size))
