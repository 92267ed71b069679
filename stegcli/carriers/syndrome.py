"""The syndrome coder: message bits in and out of layers of bits, which the writer would rather keep likely.

    reading   samples -> columns of 2^e samples -> polar transform -> its frozen positions are the message
    writing   message, log-odds of every bit -> successive cancellation -> likely bits of that syndrome

A sample holds up to eight layers, layer k in its bit k. The reader needs these rules, `polar.frozen_set` and
`polar.transform`; he needs neither prices nor odds. All of it is part of the file format:

1. n values, n >= 64, are cut into S strips of C consecutive values: S = n >> e, where e is the whole part of
   log2 n, 18 at most, and C = n // S. The fewer than S values left over carry nothing.
2. They are taken in a keyed order (`KeyedOrder`) as S C samples. A number in the head says in which of the
   16 under a key: where the writer comes to no good end with one, he draws another.
3. The first S 2^e samples are S blocks of length 2^e: sample j S + b is position j of block b. Those that
   remain are blocks of 2^k samples, by the binary digits of their number, the longest first, down to 64;
   fewer than 64 samples carry nothing.
4. A layer's rate r, 0..65535, is in 2^-16 bits a sample. A block of 2^k samples carries
   floor(r WEIGHTS[k] 2^k / 2^26) of its bits: shorter blocks carry a little less, for they lose more.
5. Message bits come group by group (the S long blocks, then each shorter one), in a group layer by layer,
   in a layer frozen position by frozen position, ascending, and at each position block by block.
6. The payload's bits come first, in each byte the highest first; what is left over is filled.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers import polar
from stegcli.carriers.keyed_order import KeyedOrder
from stegcli.carriers.scatter import chunks
from stegcli.carriers.streams import words32
from stegcli.errors import ImageError, NothingFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stegcli.carriers.streams import Keys

    Bits = NDArray[np.uint8]
    U8 = NDArray[np.uint8]
    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]

__all__ = ["WEIGHTS", "WET", "Group", "Layout", "Marks", "embed", "moved_wet", "rates_for", "read"]

WEIGHTS: Final = dict(
    zip(
        range(polar.MIN_EXPONENT, polar.MAX_EXPONENT + 1),
        (768, 809, 843, 872, 896, 916, 934, 948, 960, 970, 979, 986, 992),
        strict=True,
    )
)
"""Of 1024, by the exponent k of a block's length: what it keeps, 1 - 2^(-(k + 2) / 4), as was measured."""

WET: Final = np.float32(1 << 20)
"""Log-odds, of either sign, of a bit that must stay; likelier ones stay below a ten-thousandth of that."""

_MAX_RATE: Final = 65_535
_NEXT_TO_NONE: Final = 0.05
"""In units of a rate: a layer with less carries nothing, for it may have no bit that can change."""

_MOST_SCALE: Final = 16.0
_RETRIES: Final = 6
_CHUNK: Final = 1 << 16


@dataclass(frozen=True)
class Marks:
    """What the head must carry for the reader.

    Attributes:
        size: bytes of payload, 0..2^32-1.
        draw: which keyed order, 0..15.
        shape: of the frozen sets, 0..15.
        rates: of each layer, 0..65535, in 2^-16 bits a sample.
    """

    size: int
    draw: int
    shape: int
    rates: tuple[int, ...]

    def to_bytes(self) -> bytes:
        """Big-endian: size in 4 bytes, 16 draw + shape in 1, each rate in 2."""
        return struct.pack(f">IB{len(self.rates)}H", self.size, 16 * self.draw + self.shape, *self.rates)

    @classmethod
    def from_bytes(cls, data: bytes) -> Marks:
        """The inverse of `to_bytes`; any 5 + 2 layers bytes will do."""
        size, both, *rates = struct.unpack(f">IB{(len(data) - 5) // 2}H", data)
        return cls(size, both // 16, both % 16, tuple(rates))


@dataclass(frozen=True)
class Group:
    """Blocks of one length, side by side: samples `start` to `stop`, row by row of an (N, blocks) array."""

    start: int
    exponent: int
    blocks: int

    @property
    def stop(self) -> int:
        """One past the last sample."""
        return self.start + (self.blocks << self.exponent)

    def message_bits(self, rate: int) -> int:
        """Bits of a layer of that rate in each block."""
        return (rate * WEIGHTS[self.exponent] << self.exponent) >> 26

    def capacity(self, rates: Sequence[int]) -> int:
        """Bits of all layers in all blocks."""
        return self.blocks * sum(map(self.message_bits, rates))


@dataclass(frozen=True)
class Layout:
    """How `count` values become strips, samples and blocks: rules 1 and 3 above."""

    count: int

    @property
    def exponent(self) -> int:
        """Of the longest blocks."""
        return min(polar.MAX_EXPONENT, max(1, self.count).bit_length() - 1)

    @property
    def strips(self) -> int:
        """S, also the number of longest blocks."""
        return max(1, self.count >> self.exponent)

    @property
    def samples(self) -> int:
        """Values that have a place in the keyed order."""
        return self.count // self.strips * self.strips

    @property
    def groups(self) -> tuple[Group, ...]:
        """All blocks, the longest first; none if there are fewer than 64 values."""
        if self.exponent < polar.MIN_EXPONENT:
            return ()
        found = [Group(0, self.exponent, self.strips)]
        rest = self.samples - found[0].stop
        for exponent in range(self.exponent - 1, polar.MIN_EXPONENT - 1, -1):
            if rest >> exponent & 1:
                found.append(Group(found[-1].stop, exponent, 1))
        return tuple(found)

    def order(self, keys: Keys, draw: int) -> KeyedOrder:
        """Rule 2."""
        return KeyedOrder.of(self.strips, self.count // self.strips, keys, draw)

    @property
    def usable(self) -> float:
        """Of what the values could carry in blocks without end, the part that these blocks carry."""
        return sum(WEIGHTS[g.exponent] / 1024 * (g.stop - g.start) for g in self.groups) / max(1, self.count)

    def capacity(self, rates: Sequence[int]) -> int:
        """Message bits that layers of these rates carry."""
        return sum(group.capacity(rates) for group in self.groups)


def read(values: U8, marks: Marks, keys: Keys) -> bytes:
    """Payload out of values.

    Args:
        values: (n,) uint8, layer k in bit k.
        marks: as the head carries them.
        keys: whose permutation to use.

    Returns:
        `marks.size` bytes; of other values, keys or rates, random ones.

    Raises:
        NothingFoundError: layers of these rates cannot hold that much.
    """
    layout = Layout(len(values))
    if layout.capacity(marks.rates) < 8 * marks.size:
        raise NothingFoundError
    if not marks.size:
        return b""
    bits = _message(layout.order(keys, marks.draw).take(values), layout, marks)
    return np.packbits(bits[: 8 * marks.size]).tobytes()


def _message(samples: U8, layout: Layout, marks: Marks) -> Bits:
    """(samples,) in the keyed order -> (capacity,) message bits."""
    parts = []
    for group in layout.groups:
        blocks = samples[group.start : group.stop].reshape(-1, group.blocks).copy()
        polar.transform(blocks)
        for layer, rate in enumerate(marks.rates):
            rows = blocks[polar.frozen_set(group.exponent, group.message_bits(rate), marks.shape)]
            parts.append((rows >> np.uint8(layer) & np.uint8(1)).ravel())
    return np.concatenate(parts)


def rates_for(entropies: F64, layout: Layout, bits: int) -> tuple[int, ...]:
    """The least rates of layers whose capacity is `bits` or more.

    They are in the proportions of the layers' entropies, in bits of all values together, less what blocks
    of that length lose, which is the more, the less there is (`_shortfall`). None is above one bit a
    sample; where that is not enough, layers that are not full give more.

    Raises:
        ImageError: no rates are enough.
    """
    wanted = entropies / layout.count
    wanted *= 1 - _shortfall(wanted, layout.exponent)

    def at(scale: float) -> tuple[int, ...]:
        rates = np.ceil(wanted * (scale * _MAX_RATE) - _NEXT_TO_NONE)
        return tuple(int(rate) for rate in np.clip(rates, 0, _MAX_RATE))

    low, high = 0.0, _MOST_SCALE
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if layout.capacity(at(middle)) >= bits else (middle, high)
    if layout.capacity(at(high)) < bits:
        raise ImageError("the cover cannot carry that much", "Take a larger cover or a smaller secret.")
    return at(high)


def _shortfall(rates: F64, exponent: int) -> F64:
    """Bits of entropy a sample, length of blocks -> the part of them, 0..0.9, that is not carried.

    As measured at 0.01 to 0.5 bits and lengths of 2^14 to 2^20; about 0.045 at 0.2 bits and 2^16.
    """
    lost: F64 = 0.026 * np.maximum(rates, 1e-9) ** (-1 / 3) * 2.0 ** ((16 - exponent) / 4)
    return np.minimum(lost, 0.9)


def embed(odds: F32, message: Bits, shape: int) -> Bits:
    """Likely bits that carry a message, and that stay where they must.

    Args:
        odds: (N, blocks) float32 finite, ln P(0) / P(1) of every bit in the distribution that the writer
            would draw from; +-`WET` where the bit must be 0 or 1.
        message: (message_bits, blocks) uint8 0 or 1, as good as random.
        shape: of the frozen set.

    Returns:
        (N, blocks) uint8. Successive cancellation promises the message and not that a wet bit stays: a
        block in which one moved is done anew, a little otherwise, a few times. What remains shows in
        `moved_wet`.
    """
    bits = polar.cancel(odds, message, shape)
    wrong = _spoiled(odds, bits)
    for attempt in range(_RETRIES):
        if not wrong.any():
            break
        again = np.flatnonzero(wrong)
        own = np.ascontiguousarray(odds[:, again])
        tried = polar.cancel(_stirred(own, attempt), np.ascontiguousarray(message[:, again]), shape)
        fewer = moved_wet(own, tried).sum(axis=0) < moved_wet(own, bits[:, again]).sum(axis=0)
        bits[:, again[fewer]] = tried[:, fewer]
        wrong[again] = _spoiled(own, bits[:, again])
    return bits


def moved_wet(odds: F32, bits: Bits) -> NDArray[np.bool_]:
    """(N, blocks) bool: wet bits that are not as they must be."""
    moved: NDArray[np.bool_] = (np.abs(odds) >= WET) & ((odds < 0) != bits)
    return moved


def _spoiled(odds: F32, bits: Bits) -> NDArray[np.bool_]:
    """(blocks,) bool: blocks in which a wet bit moved."""
    found = np.zeros(odds.shape[1], dtype=np.bool_)
    for part in chunks(len(odds), _CHUNK // odds.shape[1]):
        found |= moved_wet(odds[part], bits[part]).any(axis=0)
    return found


def _stirred(odds: F32, attempt: int) -> F32:
    """The same odds, each but the wet times 3/4 to 5/4. Any numbers would do: no reader needs them."""
    words = words32(sha256(b"stegcli/stir" + bytes([attempt])).digest(), odds.size).reshape(odds.shape)
    factors = words.astype(np.float32) * np.float32(2.0**-33) + np.float32(0.75)
    factors[np.abs(odds) >= WET] = 1
    return odds * factors
