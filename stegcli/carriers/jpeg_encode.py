"""Encode quantised coefficients as the bytes of a baseline scan with given codes (ITU-T T.81, annex F.1).

Each non-zero coefficient becomes a token: its code and the bits of its value as one number, with the number
of bits. Ends of blocks, runs of sixteen zeros and padding become tokens, too. numpy places the tokens by the
cumulative sum of their bits, band by band.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers.jpeg_frame import CONVERT, ZIGZAG, BlockOrder, Frame, Padding
from stegcli.carriers.jpeg_huffman import LARGEST_AC, ZERO_RUN
from stegcli.errors import ImageError

__all__ = ["bit_sizes", "encode_scan"]

I16 = NDArray[np.int16]
Ints = NDArray[np.int64]

_BAND_BLOCKS: Final = 1 << 13
_LARGEST_DC: Final = 2047
"""Largest magnitude of a DC difference: eleven bits (F.1.2.1)."""
_END: Final = 64
"""Column of the end of the block in a table of tokens; the last column, after it, is for padding."""
_COLUMNS: Final = 66
_KEYS: Final = 512
"""Keys per component: 256 AC symbols, then the DC symbols, then padding, which has no code."""
_DC_KEY: Final = 256
_PADDING_KEY: Final = _KEYS - 1


def _size_table() -> Ints:
    """Return (4096,) the number of bits of each magnitude; negative values index from the end."""
    values = np.arange(2 * (_LARGEST_DC + 1))
    return np.frexp(np.minimum(values, len(values) - values))[1].astype(np.int64)


_SIZES: Final = _size_table()


def bit_sizes(values: NDArray[np.signedinteger]) -> Ints:
    """Return the number of bits of each magnitude: 0 for 0, 1 for 1, 2 for 2 and 3, ... (-2047..2047)."""
    sizes: Ints = _SIZES[values]
    return sizes


class _Tokens(NamedTuple):
    """Numbers, the bits of the scan that each takes, and which of them are padding."""

    values: Ints
    bits: Ints
    padding: Ints


@dataclass
class _Carry:
    """State between bands: the bits of a byte that is not yet full, and the last DC of each component."""

    value: int
    bits: int
    previous: list[int]


def encode_scan(frame: Frame, coefficients: I16, padding: Padding) -> bytes:
    """Encode the scan, stuffed and with restart markers; padding bits are kept if their number is the same.

    Args:
        frame: with the codes to use.
        coefficients: (blocks * 64,), in the order of `decode_scan`.
        padding: padding of the scan that is replaced.

    Raises:
        ImageError: a value is out of range, or the tables have no code for it.
    """
    return b"".join(_Encoder(frame, coefficients, padding).bands())


class _Encoder:
    """One pass over all blocks."""

    def __init__(self, frame: Frame, coefficients: I16, padding: Padding) -> None:
        self._frame, self._padding = frame, padding
        self._interval = frame.restart_interval or frame.mcus
        self._blocks = coefficients.reshape(-1, 64)
        self._order = BlockOrder.of(frame)
        components = frame.components
        self._codes = np.concatenate(
            [table for each in components for table in (each.ac.codes, each.dc.codes)]
        )
        self._lengths = np.concatenate(
            [table for each in components for table in (each.ac.lengths, each.dc.lengths)]
        )
        self._lengths[_PADDING_KEY::_KEYS] = 0
        self._carry = _Carry(0, 0, [0] * len(components))

    def bands(self) -> Iterator[bytes]:
        """Yield the scan in pieces."""
        step = max(1, _BAND_BLOCKS // len(self._order.component))
        for begin in range(0, self._frame.mcus, step):
            yield self._band(begin, min(begin + step, self._frame.mcus))

    def _band(self, begin: int, end: int) -> bytes:
        units = np.arange(begin, end)
        closing = units[((units + 1) % self._interval == 0) | (units + 1 == self._frame.mcus)]
        tokens = self._tokens(self._table(begin, end), closing - begin, end - begin)
        segments = closing // self._interval
        ends = self._fill(tokens, segments)
        inner = segments < self._frame.segments - 1
        return _stuffed(_packed(tokens, self._carry), ends[inner], segments[inner])

    def _table(self, begin: int, end: int) -> I16:
        """Return (blocks, 66): DC difference, 63 AC coefficients in scan order, two columns of zeros."""
        blocks = self._order.blocks(begin, end)
        table = np.zeros((blocks.size, _COLUMNS), np.int16)
        table[:, :64] = self._blocks[blocks.ravel()][:, ZIGZAG]
        differences = self._differences(table[:, 0].reshape(blocks.shape).astype(np.int64), begin)
        largest = max(int(table[:, 1:].max()), -int(table[:, 1:].min()))
        if largest > LARGEST_AC or np.abs(differences).max() > _LARGEST_DC:
            raise ImageError("a coefficient is larger than a baseline JPEG can hold", CONVERT)
        table[:, 0] = differences.ravel()
        return table

    def _differences(self, dc: Ints, begin: int) -> Ints:
        """(units, P) DC coefficients from unit `begin` on -> their differences within each component."""
        differences = np.empty_like(dc)
        for number in range(len(self._carry.previous)):
            slots = self._order.component == number
            values, width = dc[:, slots].ravel(), int(slots.sum())
            before = np.concatenate([[self._carry.previous[number]], values[:-1]])
            before[width * (-begin % self._interval) :: width * self._interval] = 0
            self._carry.previous[number] = int(values[-1])
            differences[:, slots] = (values - before).reshape(-1, width)
        return differences

    def _tokens(self, table: I16, closing: Ints, units: int) -> _Tokens:
        """Return the carry's token, then a table's; padding after the units `closing` has no bits yet."""
        key, size, extra = self._symbols(table, closing, units)
        lengths = self._lengths[key]
        codeless = np.flatnonzero(lengths == 0)
        if len(codeless) > len(closing):
            raise ImageError("a coefficient has no code in the JPEG's own Huffman tables", CONVERT)
        values = np.concatenate([[self._carry.value], self._codes[key] << size | extra])
        return _Tokens(values, np.concatenate([[self._carry.bits], lengths + size]), codeless + 1)

    def _symbols(self, table: I16, closing: Ints, units: int) -> tuple[Ints, Ints, Ints]:
        """Return keys of codes, numbers of value bits, and value bits, in order (F.1.2.1, F.1.2.2)."""
        present = table != 0
        present[:, 0] = True
        present[:, _END] = table[:, _END - 1] == 0
        present[len(self._order.component) * (closing + 1) - 1, _COLUMNS - 1] = True
        index = np.flatnonzero(present)
        block = index // _COLUMNS
        column = index - _COLUMNS * block
        values = table.reshape(-1)[index].astype(np.int64)
        size = _SIZES[values]
        extra = values + (values < 0) * ((1 << size) - 1)
        runs = np.diff(index, prepend=0) - 1
        runs[(column == 0) | (column >= _END)] = 0
        key = (runs & 15) << 4 | size
        key[column == 0] += _DC_KEY
        key[column > _END] = _PADDING_KEY
        key += np.tile(_KEYS * self._order.component, units)[block]
        return _with_zero_runs(runs >> 4, key, size, extra)

    def _fill(self, tokens: _Tokens, segments: Ints) -> Ints:
        """Set the bits of the padding; return the bytes of the band at which these segments end."""
        ends = np.cumsum(tokens.bits)[tokens.padding]
        counts = -np.diff(ends, prepend=0) % 8
        old_counts, old = (each[segments].astype(np.int64) for each in self._padding)
        # Where the number of bits differs, continue as the old fill began; ones (F.1.2.3) if there was none.
        ones = (old_counts == 0) | (old >> np.maximum(old_counts - 1, 0) == 1)
        tokens.values[tokens.padding] = np.where(counts == old_counts, old, ones * ((1 << counts) - 1))
        tokens.bits[tokens.padding] = counts
        byte_ends: Ints = (ends + np.cumsum(counts)) // 8
        return byte_ends


def _with_zero_runs(sixteens: Ints, key: Ints, size: Ints, extra: Ints) -> tuple[Ints, Ints, Ints]:
    """Insert the symbol for sixteen zeros the given number of times before each token."""
    if not sixteens.any():
        return key, size, extra
    repeats = sixteens + 1
    is_run = np.ones(int(repeats.sum()), bool)
    is_run[np.cumsum(repeats) - 1] = False
    key, size, extra = (np.repeat(each, repeats) for each in (key, size, extra))
    key[is_run] = key[is_run] // _KEYS * _KEYS + ZERO_RUN
    size[is_run] = extra[is_run] = 0
    return key, size, extra


def _packed(tokens: _Tokens, carry: _Carry) -> NDArray[np.uint8]:
    """Return the whole bytes that the tokens fill; what is left over goes into the carry."""
    ends = np.cumsum(tokens.bits)
    starts, total = ends - tokens.bits, int(ends[-1])
    # A token has at most 27 bits. It goes into a 64-bit number that starts at the beginning of a 32-bit word.
    word = starts >> 5
    shifts = np.minimum(64 - (starts & 31) - tokens.bits, 63).astype(np.uint64)
    first = np.flatnonzero(np.diff(word, prepend=-1))
    sums = np.add.reduceat(tokens.values.astype(np.uint64) << shifts, first)
    words = np.zeros(total // 32 + 3, np.uint64)
    words[word[first]] += sums >> np.uint64(32)
    words[word[first] + 1] += sums & np.uint64(0xFFFFFFFF)
    code = words.astype(">u4").view(np.uint8)
    carry.bits = total % 8
    carry.value = int(code[total // 8]) >> (8 - carry.bits)
    return code[: total // 8]


def _stuffed(code: NDArray[np.uint8], ends: Ints, segments: Ints) -> bytes:
    """Insert a zero after each 255, and a restart marker after these segments, which end at bytes `ends`."""
    stuffing = np.flatnonzero(code == 0xFF) + 1
    markers = np.stack([np.full(len(ends), 0xFF), 0xD0 + segments % 8], axis=1)
    places = np.concatenate([stuffing, np.repeat(ends, 2)])
    inserted = np.concatenate([np.zeros(len(stuffing), np.int64), markers.ravel()])
    return np.insert(code, places, inserted.astype(np.uint8)).tobytes()
