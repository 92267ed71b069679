"""Decode the bytes of a baseline scan to quantised coefficients (ITU-T T.81, annex F.2).

A Python loop follows the code, two or three symbols per step (`jpeg_huffman`), and records where each step
began; numpy then looks up the values found there. Both proceed in bands, so that memory stays a small
multiple of the file.

All coefficients lie in one buffer, component by component, row of blocks by row of blocks, 64 per block.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers.jpeg_frame import ZIGZAG, BlockOrder, Frame, Padding, damaged
from stegcli.carriers.jpeg_huffman import ENDED, chunk_tables

__all__ = ["decode_scan"]

Ints = NDArray[np.int64]

_BAND: Final = 1 << 17
"""Bytes of the scan that are processed at a time."""
_MARGIN: Final = 1 << 12
"""Bytes by which a minimum coded unit may extend beyond its band: 10 blocks of 64 symbols of 27 bits."""
_FULL: Final = 64
"""Where a block without an end-of-block symbol ends."""
_LAST_END: Final = ENDED + 63


def decode_scan(frame: Frame, scan: bytes) -> tuple[NDArray[np.int16], Padding]:
    """Return all coefficients, (blocks * 64,) int16 in the buffer's order, and the padding.

    Raises:
        ImageError: the scan violates the code, ends too early, or continues after its last block.
    """
    # A block takes at least one bit for a zero difference and one for its end. This is checked before
    # anything is allocated, since a few bytes can claim the largest picture.
    if 8 * len(scan) < 2 * frame.blocks:
        raise damaged("it ends within its scan")
    return _Decoder(frame, scan).run()


def _without_stuffing(frame: Frame, scan: bytes) -> tuple[NDArray[np.uint8], list[int]]:
    """Return the code without stuffing, and where each segment ends in it."""
    raw = np.frombuffer(scan, np.uint8)
    marks = np.flatnonzero(raw[:-1] == 0xFF)
    behind = raw[marks + 1]
    restarts = marks[behind != 0]
    if len(restarts) != frame.segments - 1:
        raise damaged("restart markers are missing" if frame.segments > 1 else "a marker is in its scan")
    if (raw[restarts + 1] != 0xD0 + np.arange(len(restarts)) % 8).any():
        raise damaged("restart markers are out of order")
    keep = np.ones(len(raw), bool)
    keep[marks + 1] = False
    keep[restarts] = False
    ends = restarts - np.searchsorted(marks, restarts) - np.arange(len(restarts))
    code = np.concatenate([raw[keep], np.zeros(_BAND + _MARGIN, np.uint8)])
    return code, [*ends.tolist(), len(code) - _BAND - _MARGIN]


class _Decoder:
    """One pass over a scan."""

    def __init__(self, frame: Frame, scan: bytes) -> None:
        self._frame = frame
        self._code, self._ends = _without_stuffing(frame, scan)
        self._order = BlockOrder.of(frame)
        codes = [(each.dc, each.ac) for each in frame.components]
        pairs = tuple(dict.fromkeys(codes))
        self._tables = chunk_tables(pairs)
        self._table_of_slot = np.array([4 * pairs.index(each) for each in codes])[self._order.component]
        steps = self._tables.steps
        self._plan = [steps[first : first + 4] for first in self._table_of_slot.tolist()]
        self._buffer = np.zeros(frame.blocks * 64, np.int16)
        self._previous = [0] * len(frame.components)
        self._padding = Padding(np.zeros(frame.segments, np.uint8), np.zeros(frame.segments, np.uint8))

    def run(self) -> tuple[NDArray[np.int16], Padding]:
        """Decode the whole scan."""
        mcu, bit = 0, 0
        while mcu < self._frame.mcus:
            origin = 8 * (bit // 8)
            windows = _windows(self._code[origin // 8 : origin // 8 + _BAND + _MARGIN])
            trail = _Trail([], [])
            done, bit = self._follow(windows.data, trail, mcu, bit - origin, origin)
            self._store(windows, trail, mcu, done, origin)
            mcu = done
        return self._buffer, self._padding

    def _follow(self, windows: memoryview, trail: _Trail, mcu: int, bit: int, origin: int) -> tuple[int, int]:
        """Follow the code to the end of a band or of the scan; return the next unit and its first bit."""
        interval = self._frame.restart_interval or self._frame.mcus
        limit = min(8 * _BAND, 8 * self._ends[-1] - origin)
        while mcu < self._frame.mcus and bit <= limit:
            segment = mcu // interval
            goal = min(self._frame.mcus, (segment + 1) * interval)
            done, bit = _walk(windows, self._plan, trail, bit, goal - mcu, limit)
            mcu += done
            if mcu == goal:
                bit = self._close(segment, bit + origin) - origin
        if bit + origin > 8 * self._ends[-1]:
            raise damaged("it ends within its scan")
        return mcu, bit + origin

    def _close(self, segment: int, bit: int) -> int:
        """Record the padding of a segment whose code ends before `bit`; return the next one's first bit."""
        end = 8 * self._ends[segment]
        if not 0 <= end - bit < 8:
            raise damaged("a part of its scan has the wrong length")
        self._padding.counts[segment] = end - bit
        if end > bit:
            self._padding.bits[segment] = int(self._code[end // 8 - 1]) & ((1 << (end - bit)) - 1)
        return end

    def _store(self, windows: NDArray[np.uint16], trail: _Trail, begin: int, end: int, origin: int) -> None:
        """Store the values found at the recorded bits in the buffer."""
        tables, blocks = self._tables, self._order.blocks(begin, end)
        noted, starts = np.array(trail.bits, np.int64), np.array(trail.starts, np.int64)
        bits, lengths = np.where(noted < 0, ~noted, noted), np.diff(starts, append=len(noted))
        index = self._indices(starts, lengths, noted < 0) << 16 | windows[bits]
        advance = tables.advance[index].astype(np.int64)
        place = np.cumsum(advance) - advance
        place += np.repeat(64 * blocks.ravel() - place[starts], lengths)
        count = tables.count[index].astype(np.int64)
        before = np.cumsum(count) - count
        source = np.repeat(tables.first[index] - before, count) + np.arange(int(count.sum()))
        values = tables.values[source]
        is_long = np.flatnonzero(tables.long_size[index])
        values[before[is_long]] = self._long_values(bits[is_long] + origin, index[is_long])
        target = np.repeat(place, count) + tables.places[source]
        self._buffer[(target & ~63) | ZIGZAG[target & 63]] = values
        self._sum_differences(blocks, begin)

    def _indices(self, starts: Ints, lengths: Ints, alone: NDArray[np.bool_]) -> Ints:
        """Return which of the tables each step used, given each block's number of steps (`chunk_tables`)."""
        slots = np.resize(self._table_of_slot, len(starts))
        table: Ints = np.repeat(slots + 1, lengths)
        table[starts] = slots
        return table + 2 * alone

    def _long_values(self, bits: Ints, index: Ints) -> NDArray[np.int16]:
        """Return the values of symbols that are longer than a window."""
        size = self._tables.long_size[index].astype(np.int64)
        seen = np.zeros(len(bits), np.int64)
        for ahead in range(5):
            seen = seen << 8 | self._code[bits // 8 + ahead]
        extra = seen >> (40 - bits % 8 - self._tables.long_bits[index]) & ((1 << size) - 1)
        values = np.where(extra < (1 << size) >> 1, extra - (1 << size) + 1, extra)
        return values.astype(np.int16)

    def _sum_differences(self, blocks: Ints, begin: int) -> None:
        """Turn the differences of the DC coefficients into the coefficients (F.2.2.1)."""
        resets = _first_of_segments(begin, len(blocks), self._frame.restart_interval)
        for number, previous in enumerate(self._previous):
            places = 64 * blocks[:, self._order.component == number]
            sums = np.cumsum(self._buffer[places], dtype=np.int64) + previous
            firsts = np.concatenate([[0], resets * places.shape[1], [len(sums)]])
            # The sum before each segment that begins in this band.
            before = np.concatenate([[previous], sums])[firsts[1:-1]]
            sums -= np.repeat(np.concatenate([[0], before]), np.diff(firsts))
            if np.abs(sums).max() > np.iinfo(np.int16).max:
                raise damaged("a coefficient is out of range")
            self._previous[number] = int(sums[-1])
            self._buffer[places] = sums.reshape(places.shape)


class _Trail(NamedTuple):
    """Bits at which steps began (~bit for a single symbol), and the steps with which blocks began."""

    bits: list[int]
    starts: list[int]


def _first_of_segments(begin: int, count: int, interval: int) -> Ints:
    """Return which of `count` minimum coded units from `begin` start a segment, counted from `begin`."""
    if not interval:
        return np.arange(1 if begin == 0 else 0)
    return np.arange(-begin % interval, count, interval)


def _windows(code: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """(n,) bytes -> (8 * (n - 2),): the 16 bits starting at each bit."""
    wide = code.astype(np.uint32)
    three = wide[:-2] << np.uint32(16) | wide[1:-1] << np.uint32(8) | wide[2:]
    shifts = np.arange(8, 0, -1, dtype=np.uint32)
    return (three[:, None] >> shifts).astype(np.uint16).ravel()


def _walk(
    windows: memoryview, plan: list[tuple[list[int], ...]], trail: _Trail, bit: int, mcus: int, limit: int
) -> tuple[int, int]:
    """Follow the code through at most `mcus` minimum coded units; return how many were read and the next bit.

    Stops before a unit that begins beyond `limit`. This loop takes most of the time.
    """
    note, begin, steps = trail.bits.append, trail.starts.append, trail.bits
    for done in range(mcus):
        if bit > limit:
            return done, bit
        for first, rest, one_first, one_rest in plan:
            begin(len(steps))
            note(bit)
            step = first[windows[bit]]
            bit += step & 63
            place = step >> 6
            while place < 64:
                note(bit)
                step = rest[windows[bit]]
                bit += step & 63
                place += step >> 6
            if place != _FULL and not ENDED < place <= _LAST_END:
                bit = _walk_singly(windows, one_first, one_rest, trail, place - (step >> 6))
    return mcus, bit


def _walk_singly(windows: memoryview, first: list[int], rest: list[int], trail: _Trail, place: int) -> int:
    """Undo the last step and read symbol by symbol to the end of the block; return the next bit."""
    bit = trail.bits.pop()
    while place < _FULL:
        trail.bits.append(~bit)
        step = (rest if place else first)[windows[bit]]
        bit += step & 63
        place += step >> 6
    if place != _FULL and not ENDED < place <= _LAST_END:
        raise damaged("its scan breaks the code")
    return bit
