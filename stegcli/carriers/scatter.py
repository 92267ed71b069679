"""A keyed permutation of pixels into groups, and slices of bounded size to work on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stegcli.carriers.streams import Keys, words64


def embedding_groups(pixel_count: int, symbols: int, spread: int, keys: Keys) -> npt.NDArray[np.int32]:
    """Return (symbols, spread) int32: the pixels that carry each symbol, by a keyed permutation.

    Each pixel's index replaces the low bits of its own random 64-bit word; the low bits of the sorted words
    are then the permutation. No two words are equal, so that every sorting algorithm gives the same result.
    """
    index_bits = max(1, (pixel_count - 1).bit_length())
    index_mask = np.uint64((1 << index_bits) - 1)
    words = words64(keys.permutation, pixel_count)
    words &= ~index_mask
    words |= np.arange(pixel_count, dtype=np.uint64)
    words.sort()
    words = words[: symbols * spread]
    words &= index_mask
    return words.astype(np.int32).reshape(symbols, spread)


def chunks(count: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` that together cover 0..count-1."""
    size = max(1, size)
    for start in range(0, count, size):
        yield slice(start, min(count, start + size))
