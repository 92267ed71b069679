"""The syndrome coder: writes message bits into layers of bits that should change as little as possible.

    reading   samples -> columns of 2^e samples -> polar transform -> its frozen positions are the message
    writing   message, log-odds of every bit -> successive cancellation -> likely bits with that syndrome

A sample holds up to eight layers, layer k in its bit k. The reader needs these rules, `polar.frozen_set` and
`polar.transform`, but neither prices nor odds. All of it is part of the file format:

1. n values, n >= 64, are cut into S strips of C consecutive values: S = n >> e, where e is the integer part
   of log2 n, but at most 18, and C = n // S. The remaining values, fewer than S, carry nothing.
2. They are taken in a keyed order (`KeyedOrder`) as S C samples. A number in the head says which of the
   16 orders under a key is used: if the writer does not succeed with one, it draws another.
3. The first S 2^e samples are S blocks of length 2^e: sample j S + b is position j of block b. The remaining
   samples are blocks of 2^k samples, by the binary digits of their number, the longest first, down to 64;
   fewer than 64 samples carry nothing.
4. A layer's rate r, 0..65535, is in units of 2^-16 bits per sample. A block of 2^k samples carries
   floor(r WEIGHTS[k] 2^k / 2^26) of its bits: shorter blocks carry a little less, since they lose more.
5. Message bits are ordered by group (the S long blocks, then each shorter one), within a group by layer,
   within a layer by frozen position, ascending, and at each position by block.
6. The payload's bits come first, the highest bit of each byte first; the rest is filled up.
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
"""By exponent k of a block's length, in 1/1024: the share that it carries, 1 - 2^(-(k + 2) / 4)."""

WET: Final = np.float32(1 << 20)
"""Log-odds, of either sign, of a bit that must not change; all others stay below a ten-thousandth of it."""

_MAX_RATE: Final = 65_535
_NEXT_TO_NONE: Final = 0.05
"""In units of a rate: a layer with less entropy carries nothing; perhaps none of its bits can change."""

_MOST_SCALE: Final = 16.0
_RETRIES: Final = 6
_CHUNK: Final = 1 << 16


@dataclass(frozen=True)
class Marks:
    """What the head must tell the reader.

    Attributes:
        size: length of the payload in bytes, 0..2^32-1.
        draw: number of the keyed order, 0..15.
        shape: shape of the frozen sets, 0..15.
        rates: rate of each layer, 0..65535, in 2^-16 bits per sample.
    """

    size: int
    draw: int
    shape: int
    rates: tuple[int, ...]

    def to_bytes(self) -> bytes:
        """Pack big-endian: size in 4 bytes, 16 draw + shape in 1, each rate in 2."""
        return struct.pack(f">IB{len(self.rates)}H", self.size, 16 * self.draw + self.shape, *self.rates)

    @classmethod
    def from_bytes(cls, data: bytes) -> Marks:
        """Inverse of `to_bytes`; any bytes of length 5 + 2 layers are valid."""
        size, both, *rates = struct.unpack(f">IB{(len(data) - 5) // 2}H", data)
        return cls(size, both // 16, both % 16, tuple(rates))


@dataclass(frozen=True)
class Group:
    """Blocks of one length: samples `start` to `stop`, row by row of an (N, blocks) array."""

    start: int
    exponent: int
    blocks: int

    @property
    def stop(self) -> int:
        """Index after the last sample."""
        return self.start + (self.blocks << self.exponent)

    def message_bits(self, rate: int) -> int:
        """Return the message bits per block of a layer with that rate."""
        return (rate * WEIGHTS[self.exponent] << self.exponent) >> 26

    def capacity(self, rates: Sequence[int]) -> int:
        """Return the message bits of all layers in all blocks."""
        return self.blocks * sum(map(self.message_bits, rates))


@dataclass(frozen=True)
class Layout:
    """Division of `count` values into strips, samples and blocks: rules 1 and 3 above."""

    count: int

    @property
    def exponent(self) -> int:
        """Exponent of the longest blocks, e."""
        return min(polar.MAX_EXPONENT, max(1, self.count).bit_length() - 1)

    @property
    def strips(self) -> int:
        """S, the number of strips and of longest blocks."""
        return max(1, self.count >> self.exponent)

    @property
    def samples(self) -> int:
        """Number of values in the keyed order, S C."""
        return self.count // self.strips * self.strips

    @property
    def groups(self) -> tuple[Group, ...]:
        """All blocks, the longest first; none for fewer than 64 values."""
        if self.exponent < polar.MIN_EXPONENT:
            return ()
        found = [Group(0, self.exponent, self.strips)]
        rest = self.samples - found[0].stop
        for exponent in range(self.exponent - 1, polar.MIN_EXPONENT - 1, -1):
            if rest >> exponent & 1:
                found.append(Group(found[-1].stop, exponent, 1))
        return tuple(found)

    def order(self, keys: Keys, draw: int) -> KeyedOrder:
        """Return a keyed order: rule 2."""
        return KeyedOrder.of(self.strips, self.count // self.strips, keys, draw)

    @property
    def usable(self) -> float:
        """Share of what infinitely long blocks could carry that these blocks carry."""
        return sum(WEIGHTS[g.exponent] / 1024 * (g.stop - g.start) for g in self.groups) / max(1, self.count)

    def capacity(self, rates: Sequence[int]) -> int:
        """Return the message bits that layers of these rates carry."""
        return sum(group.capacity(rates) for group in self.groups)


def read(values: U8, marks: Marks, keys: Keys) -> bytes:
    """Read a payload from values.

    Args:
        values: (n,) uint8, layer k in bit k.
        marks: as stored in the head.
        keys: keys for the permutation.

    Returns:
        `marks.size` bytes; random ones if values, keys or rates are wrong.

    Raises:
        NothingFoundError: layers of these rates cannot hold that many bytes.
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
    """Return the lowest rates of layers with a capacity of at least `bits`.

    They are proportional to the entropies of the layers, in bits of all values together, minus the loss of
    blocks of that length, which is relatively larger for small entropies (`_shortfall`). None exceeds one
    bit per sample; if that is not enough, layers that are not full take more.

    Raises:
        ImageError: no rates suffice.
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
    """Bits of entropy per sample, exponent of the blocks -> the share of them, 0..0.9, that is not carried.

    Measured at 0.01 to 0.5 bits and lengths of 2^14 to 2^20; about 0.045 at 0.2 bits and 2^16.
    """
    lost: F64 = 0.026 * np.maximum(rates, 1e-9) ** (-1 / 3) * 2.0 ** ((16 - exponent) / 4)
    return np.minimum(lost, 0.9)


def embed(odds: F32, message: Bits, shape: int) -> Bits:
    """Choose likely bits that carry a message, and keep those that must not change.

    Args:
        odds: (N, blocks) float32, finite, ln P(0) / P(1) of every bit in the distribution that the writer
            wants; +-`WET` where the bit must be 0 or 1.
        message: (message_bits, blocks) uint8 0 or 1, random in appearance.
        shape: shape of the frozen set.

    Returns:
        (N, blocks) uint8. Successive cancellation guarantees the message, but not that wet bits keep their
        value: a block in which one changed is coded again, slightly differently, a few times. `moved_wet`
        finds those that remain.
    """
    bits = polar.cancel(odds, message, shape)
    wrong = _spoiled(odds, bits)
    for attempt in range(_RETRIES):
        if not wrong.any():
            break
        again = np.flatnonzero(wrong)
        own = np.ascontiguousarray(odds[:, again])
        tried = polar.cancel(_perturbed(own, attempt), np.ascontiguousarray(message[:, again]), shape)
        fewer = moved_wet(own, tried).sum(axis=0) < moved_wet(own, bits[:, again]).sum(axis=0)
        bits[:, again[fewer]] = tried[:, fewer]
        wrong[again] = _spoiled(own, bits[:, again])
    return bits


def moved_wet(odds: F32, bits: Bits) -> NDArray[np.bool_]:
    """(N, blocks) bool: wet bits without the value that they must have."""
    moved: NDArray[np.bool_] = (np.abs(odds) >= WET) & ((odds < 0) != bits)
    return moved


def _spoiled(odds: F32, bits: Bits) -> NDArray[np.bool_]:
    """(blocks,) bool: blocks in which a wet bit changed."""
    found = np.zeros(odds.shape[1], dtype=np.bool_)
    for part in chunks(len(odds), _CHUNK // odds.shape[1]):
        found |= moved_wet(odds[part], bits[part]).any(axis=0)
    return found


def _perturbed(odds: F32, attempt: int) -> F32:
    """Multiply all odds but the wet ones by 3/4 to 5/4. Any numbers would do, since no reader needs them."""
    words = words32(sha256(b"stegcli/stir" + bytes([attempt])).digest(), odds.size).reshape(odds.shape)
    factors = words.astype(np.float32) * np.float32(2.0**-33) + np.float32(0.75)
    factors[np.abs(odds) >= WET] = 1
    return odds * factors
