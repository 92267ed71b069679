"""Polar codes: frozen positions of a block, the polar transform, and successive cancellation.

    u (N bits)  -> transform -> x (N bits), N = 2^exponent;   the transform is its own inverse

    transform:  x = [T(u1) ^ T(u2), T(u2)] for the halves u1, u2 of u;   T of one bit is itself

Arikan, "Channel polarization", IEEE Trans. Inf. Theory 2009. If the bits x are mostly predictable,
nearly every u_i is either certain or a fair coin once the earlier ones are known. A writer that may choose x
puts the message into the coins (the frozen positions) and takes the likelier value elsewhere.

Blocks lie side by side: arrays are (N, blocks) and a column is a block, so that numpy works on all blocks at
once. A subtree whose positions are all frozen, all free, or all alike except one is decided without
descending into it (Sarkis and others, "Fast polar decoders", 2014), which reduces some hundred thousand steps
to hundreds.

Frozen sets and transform are part of the file format. Only the writer uses successive cancellation: its
floating point may differ from one machine to the next, and every reader still reads what was written.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bits = NDArray[np.uint8]
    F32 = NDArray[np.float32]
    I64 = NDArray[np.int64]
    U32 = NDArray[np.uint32]

__all__ = ["MAX_EXPONENT", "MIN_EXPONENT", "cancel", "frozen_set", "transform"]

MIN_EXPONENT: Final = 6
MAX_EXPONENT: Final = 18
"""Blocks have 64 to 262,144 samples: longer ones come closer to the ideal, and many are faster together."""

_BITS: Final = 31
_ONE: Final = 1 << _BITS
"""Probability 1 in the recursion below, chosen so that products fit into 63 bits."""

_FLIPS: Final = (
    *(32768, 14422, 10929, 8980, 7683, 6741, 6020, 5447, 4980, 4590),
    *(4259, 3975, 3728, 3511, 3319, 3147, 2993, 2854, 2727, 2612),
)
"""For each j, in units of 2^-16: p / h for the p whose binary entropy is h = 2^-j."""

_COARSE: Final = 14

_SIGN: Final = np.uint32(1 << 31)
_CHUNK: Final = 1 << 15
"""Values processed at a time, so that passes over them stay in the processor's cache."""


@lru_cache(maxsize=48)
def frozen_set(exponent: int, message_bits: int, shape: int) -> NDArray[np.bool_]:
    """Return (2^exponent,) bool, read-only: the `message_bits` positions of u that carry the message.

    Part of the file format. Every u_i is modelled as a channel that erases with probability e and otherwise
    flips with probability p, in units of 2^-31; all divisions round down. Starting from the e and p of
    `_start`, each of `exponent` rounds replaces a channel by two: the sum of two such bits, and then one of
    them once the sum is known:

        k = 1 - e                     e' = 1 - kk                   p' = 2 (p - pp)
        e'' = ee + kk 2 (p - pp)      p'' = (2 ek p + kk pp) / (1 - e''), at most 1/2

    The frozen positions are those of greatest e + (1 - e) 2 sqrt(p (1 - p)), the lower ones first where these
    are equal. The square root is that of p (1 - p) in units of 2^-52, rounded down.

    `shape`, 0..15, describes the samples: 0 means that most are certain and the others are coins, as where
    prices differ much; 15 means that all are alike.
    """
    e, p = (np.array([value], dtype=np.int64) for value in _start(exponent, message_bits, shape))
    for _ in range(exponent):
        e, p = _two_channels(e, p)
    roots = np.sqrt(((p * (_ONE - p)) >> 10).astype(np.float64)).astype(np.int64)
    z = e + (((_ONE - e) * (roots << 6)) >> _BITS)
    least = _nth_greatest(z, message_bits)
    frozen: NDArray[np.bool_] = z > least
    ties = np.flatnonzero(z == least)
    frozen[ties[: message_bits - np.count_nonzero(frozen)]] = True
    frozen.flags.writeable = False
    return frozen


def _start(exponent: int, message_bits: int, shape: int) -> tuple[int, int]:
    """Return erasures and flips of samples whose entropy is the message's: z = message_bits / 2^exponent.

    e = z (15 - shape) / 15; h = (z - e) / (1 - e) is the entropy of the flips. For 2^-j <= h < 2^(1-j), p / h
    is interpolated between `_FLIPS`[j] and [j - 1], linearly in h; below 2^-19 it is `_FLIPS`[19].
    """
    z = (message_bits << _BITS) >> exponent
    e = z * (15 - shape) // 15
    h = ((z - e) << _BITS) // (_ONE - e) if e < _ONE else 0
    j = min(_BITS + 1 - h.bit_length(), len(_FLIPS) - 1)
    below, above = _FLIPS[j], _FLIPS[max(j - 1, 0)]
    share = max(0, h - (_ONE >> j))
    return e, h * (below + (above - below) * share // (_ONE >> j)) >> 16


def _two_channels(e: I64, p: I64) -> tuple[I64, I64]:
    """(n,) erasures and flips -> (2 n,), alternating between the sum and the other channel."""
    k = _ONE - e
    kk, pp = (k * k) >> _BITS, (p * p) >> _BITS
    flips = 2 * (p - pp)
    erased = ((e * e) >> _BITS) + ((kk * flips) >> _BITS)
    wrong = ((((2 * e * k) >> _BITS) * p) >> _BITS) + ((kk * pp) >> _BITS)
    known = np.minimum((wrong << _BITS) // np.maximum(_ONE - erased, 1), _ONE >> 1)
    both_e = np.stack([_ONE - kk, erased], axis=1).ravel()
    return both_e, np.stack([np.minimum(flips, _ONE >> 1), known], axis=1).ravel()


def _nth_greatest(z: NDArray[np.int64], rank: int) -> int:
    """Return the value of a rank, counted from 1 at the greatest; 2^31 for rank 0.

    Values are counted, because numpy's partition is slow with so many equal ones.
    """
    if rank == 0:
        return _ONE
    coarse = z >> _COARSE
    at_least = np.cumsum(np.bincount(coarse)[::-1])[::-1]
    bin_of_rank = int(np.flatnonzero(at_least >= rank)[-1])
    above = int(at_least[bin_of_rank + 1]) if bin_of_rank + 1 < len(at_least) else 0
    inside = np.sort(z[coarse == bin_of_rank])
    return int(inside[len(inside) - (rank - above)])


def transform(values: Bits) -> None:
    """(2^k, w) uint8, in place: the polar transform of every column, for all eight bits of a byte at once."""
    count, half = len(values), 1
    while half < count:
        pairs = values.reshape(count // (2 * half), 2, half, -1)
        pairs[:, 0] ^= pairs[:, 1]
        half *= 2


def cancel(odds: F32, message: Bits, shape: int) -> Bits:
    """Choose likely bits whose syndrome is the message.

    Args:
        odds: (N, blocks) float32, finite, ln P(0) / P(1) of every bit in the distribution that the writer
            wants.
        message: (message_bits, blocks) uint8 0 or 1.
        shape: as for `frozen_set`.

    Returns:
        (N, blocks) uint8 0 or 1; the frozen positions of their `transform` hold the message.
    """
    count = len(odds)
    canceller = _Canceller(odds, message)
    for step in _program(count.bit_length() - 1, len(message), shape):
        _RUN[step.op](canceller, step)
    bits = np.empty(odds.shape, dtype=np.uint8)
    np.right_shift(canceller.chosen.reshape(odds.shape), 31, out=bits, casting="unsafe")
    return bits


class _Op(IntEnum):
    """Operation on a subtree, or between its halves."""

    FIRST = 0  # odds of the first half's bits, while the second half is unknown
    SECOND = 1  # odds of the second half's bits, once the first half is chosen
    JOIN = 2  # from the bits of the halves to the bits of the subtree
    ALL_FROZEN = 3
    ALL_FREE = 4
    LAST_FREE = 5
    FIRST_FROZEN = 6


class _Step(NamedTuple):
    """An operation on the subtree of `length` positions from `start`; `row`: frozen positions before it."""

    op: _Op
    start: int
    length: int
    row: int


@lru_cache(maxsize=16)
def _program(exponent: int, message_bits: int, shape: int) -> tuple[_Step, ...]:
    """Return the operations of `cancel`, in order, for all blocks of that kind."""
    frozen = frozen_set(exponent, message_bits, shape)
    before = [0, *np.cumsum(frozen).tolist()]
    steps: list[_Step] = []

    def visit(start: int, length: int) -> None:
        row = before[start]
        leaf = _leaf(before[start + length] - row, length, frozen, start)
        if leaf is not None:
            steps.append(_Step(leaf, start, length, row))
            return
        for op, part in ((_Op.FIRST, start), (_Op.SECOND, start + length // 2)):
            steps.append(_Step(op, start, length, row))
            visit(part, length // 2)
        steps.append(_Step(_Op.JOIN, start, length, row))

    visit(0, 1 << exponent)
    return tuple(steps)


def _leaf(frozen_count: int, length: int, frozen: NDArray[np.bool_], start: int) -> _Op | None:
    """Return how a subtree can be decided at once, or None if it cannot."""
    if frozen_count == length:
        return _Op.ALL_FROZEN
    if frozen_count == 0:
        return _Op.ALL_FREE
    if frozen_count == length - 1 and not frozen[start + length - 1]:
        return _Op.LAST_FREE
    if frozen_count == 1 and frozen[start]:
        return _Op.FIRST_FROZEN
    return None


class _Canceller:
    """State between steps: odds of one subtree of each length, and the bits chosen so far.

    Bits are stored in the sign bit of a 32-bit word, so that one XOR changes the sign of odds by a bit.
    """

    def __init__(self, odds: F32, message: Bits) -> None:
        count, self._blocks = odds.shape
        self._message = message
        self._odds = {count: np.ascontiguousarray(odds).ravel()}
        for k in range(count.bit_length() - 1):
            self._odds[1 << k] = np.empty(self._blocks << k, dtype=np.float32)
        self._spare = np.empty((2, _CHUNK), dtype=np.float32)
        self.chosen: U32 = np.empty(odds.size, dtype=np.uint32)

    def _bits(self, start: int, length: int) -> U32:
        return self.chosen[start * self._blocks : (start + length) * self._blocks]

    def first(self, step: _Step) -> None:
        odds, out = self._odds[step.length], self._odds[step.length // 2]
        size = len(out)
        for at in range(0, size, _CHUNK):
            end = min(size, at + _CHUNK)
            _odds_of_sum(odds[at:end], odds[size + at : size + end], out[at:end], self._spare[:, : end - at])

    def second(self, step: _Step) -> None:
        odds, out = self._odds[step.length], self._odds[step.length // 2]
        size = len(out)
        bits = self._bits(step.start, step.length // 2)
        words, out_words = odds.view(np.uint32), out.view(np.uint32)
        for at in range(0, size, _CHUNK):
            end = min(size, at + _CHUNK)
            np.bitwise_xor(words[at:end], bits[at:end], out=out_words[at:end])
            out[at:end] += odds[size + at : size + end]

    def join(self, step: _Step) -> None:
        half = step.length // 2
        first = self._bits(step.start, half)
        first ^= self._bits(step.start + half, half)

    def all_frozen(self, step: _Step) -> None:
        self._encode(step, self._message[step.row : step.row + step.length].copy())

    def all_free(self, step: _Step) -> None:
        words = self._odds[step.length].view(np.uint32)
        np.bitwise_and(words, _SIGN, out=self._bits(step.start, step.length))

    def last_free(self, step: _Step) -> None:
        """The free bit is added to every bit of the subtree, so that all of them vote on it."""
        values = np.zeros((step.length, self._blocks), dtype=np.uint8)
        values[:-1] = self._message[step.row : step.row + step.length - 1]
        self._encode(step, values)
        bits = self._bits(step.start, step.length).reshape(step.length, -1)
        words = self._odds[step.length].view(np.uint32).reshape(step.length, -1)
        votes: F32 = np.sum((words ^ bits).view(np.float32), axis=0)
        bits ^= votes.view(np.uint32) & _SIGN

    def first_frozen(self, step: _Step) -> None:
        """The frozen bit is the parity of the subtree; if it is wrong, the least certain bit is flipped."""
        self.all_free(step)
        bits = self._bits(step.start, step.length).reshape(step.length, -1)
        wrong = np.bitwise_xor.reduce(bits, axis=0)
        wrong ^= self._message[step.row].astype(np.uint32) << 31
        odds = self._odds[step.length].reshape(step.length, -1)
        bits[np.abs(odds).argmin(axis=0), np.arange(self._blocks)] ^= wrong

    def _encode(self, step: _Step, values: Bits) -> None:
        transform(values)
        np.left_shift(values.ravel(), 31, out=self._bits(step.start, step.length), dtype=np.uint32)


_RUN: Final = {
    _Op.FIRST: _Canceller.first,
    _Op.SECOND: _Canceller.second,
    _Op.JOIN: _Canceller.join,
    _Op.ALL_FROZEN: _Canceller.all_frozen,
    _Op.ALL_FREE: _Canceller.all_free,
    _Op.LAST_FREE: _Canceller.last_free,
    _Op.FIRST_FROZEN: _Canceller.first_frozen,
}


def _odds_of_sum(first: F32, second: F32, out: F32, spare: F32) -> None:
    """Write to `out` ln P(0) / P(1) of the sum, modulo two, of bits with odds `first` and `second`.

    This is the smaller magnitude with the product of the signs, plus ln (1 + e^-|a + b|) / (1 + e^-|a - b|).
    `spare` is (2, n) working memory.
    """
    agree, differ = spare
    np.maximum(first, second, out=agree)
    np.negative(agree, out=agree)
    np.minimum(first, second, out=out)
    np.maximum(out, agree, out=out)
    np.add(first, second, out=agree)
    np.subtract(first, second, out=differ)
    np.abs(spare, out=spare)
    np.negative(spare, out=spare)
    np.exp(spare, out=spare)
    np.add(spare, np.float32(1), out=spare)
    np.divide(agree, differ, out=agree)
    np.log(agree, out=agree)
    out += agree
