"""A body of bits over all blocks of a picture that survives quantisation. Part of the file format.

    body ──pieces, each coded──> places ──keyed order──> frequencies of blocks, each with a dither

Every block except those of the head has a place at each of the first k frequencies. All places of all blocks
form one keyed order; the first share of it belongs to the first piece, and so on, so that each piece is
spread over the whole picture, and the loss of a block affects all pieces equally.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers import lattice
from stegcli.carriers.blocks import FREQUENCIES, luma_table
from stegcli.carriers.keyed_order import subkey
from stegcli.carriers.ldpc import MAX_RATE_PER_MILLE, code_for
from stegcli.carriers.scatter import embedding_groups
from stegcli.carriers.streams import words32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.carriers.ldpc import Code, Decoded
    from stegcli.carriers.streams import Keys

    Bits = NDArray[np.uint8]
    F32 = NDArray[np.float32]

__all__ = ["CLASSES", "MOST_FREQUENCIES", "Ground", "Pieces", "activity_classes", "dither_of"]

MOST_FREQUENCIES: Final = len(FREQUENCIES)
CLASSES: Final = 8
"""Number of equally large classes of blocks by activity; the reader estimates the noise of each class."""

_PIECE_BITS: Final = 1 << 14
_DITHER_BITS: Final = 23


def dither_of(key: bytes, count: int) -> F32:
    """Return (count,) float32 in [0, 2), multiples of 2^-23: the upper 24 bits of the stream's words."""
    return (words32(key, count) >> np.uint32(8)).astype(np.float32) / np.float32(1 << _DITHER_BITS)


def activity_classes(activities: F32) -> NDArray[np.intp]:
    """(blocks,) activities -> (blocks,) classes 0..CLASSES-1, by rank."""
    ranks = np.empty(len(activities), dtype=np.intp)
    ranks[np.argsort(activities, kind="stable")] = np.arange(len(activities))
    return ranks * CLASSES // max(1, len(activities))


@dataclass(frozen=True)
class Pieces:
    """Division of a body into equal pieces, each coded for an equal share of the places.

    Attributes:
        body_bytes: length of the body.
        places: number of places.
    """

    body_bytes: int
    places: int

    @property
    def count(self) -> int:
        """Number of pieces."""
        return -(-8 * self.body_bytes // _PIECE_BITS)

    @property
    def bits(self) -> int:
        """Bits in a piece; the last one is filled up with zeros."""
        return -(-8 * self.body_bytes // self.count)

    @property
    def share(self) -> int:
        """Places for a piece; a few at the end stay unused."""
        return self.places // self.count

    @property
    def rate(self) -> float:
        """Bits per place."""
        return self.bits / max(1, self.share)

    @property
    def fits(self) -> bool:
        """Whether there is a code of this rate."""
        return self.body_bytes > 0 and 1000 * self.bits <= MAX_RATE_PER_MILLE * self.share

    @property
    def code(self) -> Code:
        """The code of every piece."""
        return code_for(self.bits, self.share)

    def encode(self, body: bytes) -> Bits:
        """Encode a body as (count * share,) uint8 coded bits in the keyed order."""
        bits = np.zeros(self.count * self.bits, dtype=np.uint8)
        own = np.unpackbits(np.frombuffer(body, dtype=np.uint8))
        bits[: len(own)] = own
        code = self.code
        return np.concatenate([code.encode(piece) for piece in bits.reshape(self.count, self.bits)])

    def decode(self, soft: F32, threads: int) -> tuple[bytes, bool]:
        """Decode (count * share,) float32 in the keyed order; return the body, and whether all codes agree.

        Only the seal of the body proves that it is as written.
        """
        code, parts = self.code, soft.reshape(self.count, self.share)
        with ThreadPoolExecutor(threads) as pool:
            found: list[Decoded] = list(pool.map(code.decode, parts))
        bits = np.concatenate([piece.bits for piece in found])[: 8 * self.body_bytes]
        return np.packbits(bits).tobytes(), all(piece.is_codeword for piece in found)


@dataclass(frozen=True, eq=False)
class Ground:
    """The places of a body.

    Attributes:
        blocks: (m,) int64, ascending, indices in raster order of the blocks that carry it.
        frequencies: (k,) frequencies used in each block, as in `blocks.FREQUENCIES`.
        steps: (k,) float32, step of the lattice at each frequency.
        order: (m k,) int32, the keyed order of places; place j is frequency j % k of block j // k.
        dither: (m, k) float32, 0..2.
    """

    blocks: NDArray[np.int64]
    frequencies: tuple[int, ...]
    steps: F32
    order: NDArray[np.int32]
    dither: F32

    @classmethod
    def of(cls, blocks: NDArray[np.int64], count: int, quality: int, keys: Keys) -> Ground:
        """Return the places in these blocks at `count` frequencies; `quality` selects the lattice's table."""
        places = len(blocks) * count
        keyed = replace(keys, permutation=subkey(keys.permutation, b"robust/order"))
        dither = dither_of(subkey(keys.keystream, b"robust/dither"), places)
        frequencies = FREQUENCIES[:count]
        steps = luma_table(quality)[list(frequencies)] * lattice.STEP_PER_TABLE
        return cls(
            blocks,
            frequencies,
            steps.astype(np.float32),
            embedding_groups(places, places, 1, keyed)[:, 0],
            dither.reshape(len(blocks), count),
        )

    def received(self, coefficients: F32) -> F32:
        """(all blocks, k) coefficients -> (m, k) values in steps, with the dither added."""
        result: F32 = coefficients[self.blocks] / self.steps + self.dither
        return result

    def soft(
        self, coefficients: F32, classes: NDArray[np.intp], seen: NDArray[np.bool_] | None = None
    ) -> F32:
        """Return the soft bit of each place, in the keyed order.

        Args:
            coefficients: (all blocks, k) float32.
            classes: (all blocks,) activity classes.
            seen: (all blocks,) which blocks are present; None for all.

        Returns:
            (m k,) float32, the logarithm of P(0) / P(1).
        """
        t = self.received(coefficients)
        there = np.ones(len(t), dtype=np.bool_) if seen is None else seen[self.blocks]
        known, count = t[there], len(self.frequencies)
        rows = np.tile(np.arange(count), len(known))
        columns = np.repeat(classes[self.blocks[there]], count)
        soft = np.zeros_like(t)
        if len(known):
            sigma = lattice.noise_sigma(known.ravel(), rows, columns)
            soft[there] = lattice.soft_bits(known.ravel(), sigma).reshape(known.shape)
        return soft.ravel()[self.order]

    def change(self, coefficients: F32, bits: Bits, log_price: F32) -> F32:
        """Return the change of coefficients that writes coded bits.

        Args:
            coefficients: (all blocks, k) float32, those of the cover.
            bits: coded bits in the keyed order; places beyond them do not change.
            log_price: (all blocks,) float32, for the mean square step; see `lattice.moved`.

        Returns:
            (all blocks, k) float32.
        """
        used = self.order[: len(bits)]
        t = self.received(coefficients).ravel()[used]
        block, frequency = np.divmod(used, len(self.frequencies))
        squares = self.steps.astype(np.float64) ** 2
        dearer = np.log10(squares / squares.mean()).astype(np.float32)
        price = log_price[self.blocks][block] + dearer[frequency]
        change = np.zeros(self.dither.size, np.float32)
        change[used] = lattice.moved(t, bits, price) * self.steps[frequency]
        whole = np.zeros_like(coefficients)
        whole[self.blocks] = change.reshape(self.dither.shape)
        return whole
