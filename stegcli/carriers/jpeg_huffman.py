"""Huffman codes of a JPEG as tables that decode several symbols per look-up (ITU-T T.81, annexes C and F).

A window is the next 16 bits of the scan. For each of the 65,536 windows, a chunk table lists the whole
symbols in it, including the bits of their values: how far they advance in the scan and in the block, and the
values. In photographs a symbol takes five or six bits, so that one step of the Python loop reads two or
three of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BLOCK_END",
    "LARGEST_AC",
    "WINDOWS",
    "WRONG",
    "ZERO_RUN",
    "ChunkTables",
    "HuffmanSpec",
    "chunk_tables",
]

Ints = NDArray[np.int64]

WINDOWS: Final = 1 << 16
BLOCK_END: Final = 0
"""The AC symbol after which a block contains only zeros."""
ZERO_RUN: Final = 0xF0
"""The AC symbol for sixteen zeros."""
LARGEST_AC: Final = 1023
"""Largest magnitude of a baseline AC coefficient: ten bits (F.1.2.2)."""

ENDED: Final = 128
"""Added to the position in a block by its end, so that it differs from every position of a value."""
WRONG: Final = 255
"""Added by a window that begins with no valid code."""

_MOST_DC_BITS: Final = 11
_MOST_AC_BITS: Final = 10


@dataclass(frozen=True)
class HuffmanSpec:
    """A Huffman table as a file defines it.

    Attributes:
        counts: 16 bytes, the number of codes with 1 to 16 bits.
        symbols: one byte for each code, in the order of the codes.
    """

    counts: bytes
    symbols: bytes

    @property
    def is_prefix_code(self) -> bool:
        """Whether a prefix code with these lengths exists."""
        room = 0
        for bits, count in enumerate(self.counts, 1):
            room += count << (16 - bits)
        return room <= WINDOWS

    @cached_property
    def lengths(self) -> Ints:
        """(256,) bits of each symbol's code; 0 if the table has none."""
        return self._by_symbol(self._lengths_in_order())

    @cached_property
    def codes(self) -> Ints:
        """(256,) code of each symbol; 0 if the table has none."""
        lengths = self._lengths_in_order()
        starts = np.cumsum(1 << (16 - lengths)) - (1 << (16 - lengths))
        return self._by_symbol(starts >> (16 - lengths))

    def windows(self) -> tuple[Ints, Ints]:
        """Return (65536,) the symbol with which each window begins, and the bits of its code; 0 if none."""
        lengths = self._lengths_in_order()
        spans = 1 << (16 - lengths)
        symbols, bits = np.zeros(WINDOWS, np.int64), np.zeros(WINDOWS, np.int64)
        symbols[: spans.sum()] = np.repeat(np.frombuffer(self.symbols, np.uint8), spans)
        bits[: spans.sum()] = np.repeat(lengths, spans)
        return symbols, bits

    def _lengths_in_order(self) -> Ints:
        return np.repeat(np.arange(1, 17), np.frombuffer(self.counts, np.uint8))

    def _by_symbol(self, values: Ints) -> Ints:
        table = np.zeros(256, np.int64)
        table[np.frombuffer(self.symbols, np.uint8)] = values
        return table


@dataclass(frozen=True, eq=False)
class _Single:
    """The first symbol of each window; all arrays are (65536,).

    `bits` of code and value together (0 if invalid), `advance` in the block, `size` of the value in bits, and
    `value` if code and value fit into the window.
    """

    bits: Ints
    advance: Ints
    size: Ints
    value: Ints


def _single(spec: HuffmanSpec, *, is_dc: bool) -> _Single:
    symbols, lengths = spec.windows()
    size = symbols if is_dc else symbols & 15
    advance = np.ones_like(symbols) if is_dc else (symbols >> 4) + 1
    wrong = (lengths == 0) | (size > (_MOST_DC_BITS if is_dc else _MOST_AC_BITS))
    if not is_dc:
        wrong |= (size == 0) & (symbols != BLOCK_END) & (symbols != ZERO_RUN)
        advance[symbols == BLOCK_END] = ENDED
    bits = lengths + size
    bits[wrong], size[wrong], advance[wrong] = 0, 0, WRONG
    extra = np.arange(WINDOWS) >> np.maximum(16 - bits, 0) & ((1 << size) - 1)
    # F.2.2.1: values whose first bit is 0 are negative.
    value = np.where(extra < (1 << size) >> 1, extra - (1 << size) + 1, extra)
    value[size == 0] = 0
    return _Single(bits, advance, size, value)


@dataclass(frozen=True, eq=False)
class ChunkTables:
    """Tables for every kind of position in a scan, concatenated; `table << 16 | window` is an index.

    Attributes:
        steps: for each table, `advance << 6 | bits` of each window, as a list for the Python loop.
        advance: (T * 65536,) uint8, how far the chunk advances in the block; see `ENDED` and `WRONG`.
        count: (T * 65536,) uint8, number of non-zero values (and DC differences) in the chunk.
        first: (T * 65536,) int32, index of its first value in `places` and `values`.
        long_size: (T * 65536,) uint8, bits of the value of a symbol that exceeds the window, or 0.
        long_bits: (T * 65536,) uint8, bits of that symbol with its code.
        places, values: distance of each value in the block from the chunk's start; and the value, int16.
    """

    steps: tuple[list[int], ...]
    advance: NDArray[np.uint8]
    count: NDArray[np.uint8]
    first: NDArray[np.int32]
    long_size: NDArray[np.uint8]
    long_bits: NDArray[np.uint8]
    places: NDArray[np.uint8]
    values: NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class _Chunks:
    bits: Ints
    advance: Ints
    count: Ints
    long_size: Ints
    places: Ints
    values: Ints


def _alone(one: _Single) -> _Chunks:
    """Return the first symbol of each window."""
    taken = one.size > 0
    long_size = np.where(one.bits > 16, one.size, 0)
    places = (one.advance - 1)[taken]
    return _Chunks(one.bits, one.advance, taken.astype(np.int64), long_size, places, one.value[taken])


def _several(first: _Single, rest: _Single) -> _Chunks:
    """Return as many whole symbols as fit into each window: one of `first`, then those of `rest`."""
    bits, advance = first.bits.copy(), first.advance.copy()
    owner = np.flatnonzero(first.size)
    owners, places, values = [owner], [advance[owner] - 1], [first.value[owner]]
    going = np.arange(WINDOWS)
    while len(going := going[(bits[going] < 16) & (advance[going] < ENDED)]):
        ahead = (going << bits[going]) & (WINDOWS - 1)
        more_bits, more = rest.bits[ahead], rest.advance[ahead]
        inside = (more == ENDED) | (advance[going] + more <= 64)
        fits = inside & (more_bits > 0) & (bits[going] + more_bits <= 16)
        going, ahead = going[fits], ahead[fits]
        advance[going] += rest.advance[ahead]
        bits[going] += rest.bits[ahead]
        valued = rest.size[ahead] > 0
        owners.append(going[valued])
        places.append(advance[going[valued]] - 1)
        values.append(rest.value[ahead[valued]])
    owner = np.concatenate(owners)
    order = np.argsort(owner.astype(np.uint16), kind="stable")
    return _Chunks(
        bits,
        advance,
        np.bincount(owner, minlength=WINDOWS),
        np.where(first.bits > 16, first.size, 0),
        np.concatenate(places)[order],
        np.concatenate(values)[order],
    )


@lru_cache(maxsize=8)
def chunk_tables(pairs: tuple[tuple[HuffmanSpec, HuffmanSpec], ...]) -> ChunkTables:
    """Return four tables for each component with these (DC, AC) codes.

    They are: DC and what follows, AC and what follows, DC alone, AC alone. The last two are for blocks whose
    last coefficient is not zero: they have no end symbol, and a chunk could extend beyond the block.
    """
    tables: list[_Chunks] = []
    for dc, ac in pairs:
        one_dc, one_ac = _single(dc, is_dc=True), _single(ac, is_dc=False)
        tables += [
            _several(one_dc, one_ac),
            _several(one_ac, one_ac),
            _alone(one_dc),
            _alone(one_ac),
        ]
    count = np.concatenate([each.count for each in tables])
    bits = np.concatenate([each.bits for each in tables])
    return ChunkTables(
        steps=tuple((each.advance << 6 | each.bits).tolist() for each in tables),
        advance=np.concatenate([each.advance for each in tables]).astype(np.uint8),
        count=count.astype(np.uint8),
        first=(np.cumsum(count) - count).astype(np.int32),
        long_size=np.concatenate([each.long_size for each in tables]).astype(np.uint8),
        long_bits=bits.astype(np.uint8),
        places=np.concatenate([each.places for each in tables]).astype(np.uint8),
        values=np.concatenate([each.values for each in tables]).astype(np.int16),
    )
