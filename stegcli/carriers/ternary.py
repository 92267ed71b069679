"""Write bits into the two lowest bits of integers by steps of one, up or down.

The second-lowest bit is written first, then the lowest bit given the choices that remain (Filler, Judas and
Fridrich, "Minimizing additive distortion in steganography using syndrome-trellis codes", 2011). Modulo four,
the steps -1, 0 and 1 lead to different values: an odd number changes its second-lowest bit with +1, an even
one with -1, and the other step changes only the lowest bit.

`write` and `read` carry a payload in integers with a price for each direction, such as the quantised
coefficients of a JPEG file; `two_layers` is shared with the pixels of `samples`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers import syndrome
from stegcli.carriers.bands import Band, best_shape, code_bands
from stegcli.carriers.boltzmann import binary_entropy, multiplier
from stegcli.carriers.scatter import chunks
from stegcli.carriers.syndrome import WET, Layout, Marks
from stegcli.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from stegcli.carriers.streams import Keys

    I16 = NDArray[np.int16]
    U8 = NDArray[np.uint8]
    I8 = NDArray[np.int8]
    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]
    Tilts = Callable[[slice], tuple[F32, F32]]

__all__ = ["LAYERS", "Prices", "StuckError", "Written", "read", "room", "two_layers", "write"]

LAYERS: Final = 2
"""The lowest bit, then the second-lowest, as the two bits of a sample."""

_CHUNK: Final = 1 << 15
_SAMPLE: Final = 1 << 17
_SOUGHT_ON: Final = 1 << 19
_GOLDEN: Final = np.uint64(2654435769)
"""2^32 divided by the golden ratio."""
_SAFE: Final = 0.85
_DRAWS: Final = 8
_SUREST: Final = np.float32(64)
"""Largest log-odds of what may change: that happens once in 10^27, and a block never runs out of choices."""


def two_layers(residues: U8, tilts: Tilts, second: U8, lowest: U8, shape: int) -> I8:
    """Write a message into each of the two lowest bits of integers.

    Args:
        residues: (N, blocks) uint8, the integers modulo 4.
        tilts: rows -> ln P(+1) / P(0) and ln P(-1) / P(0) of their integers, (rows, blocks) float32; -`WET`
            or less where the step is forbidden.
        second: (message bits, blocks) uint8, syndrome of the second-lowest bits.
        lowest: syndrome of the lowest bits.
        shape: shape of both frozen sets.

    Returns:
        (N, blocks) int8: allowed steps -1, 0 or 1; rarely, where the code left no choice, 2 or a forbidden
        step.
    """
    rows = list(chunks(len(residues), _CHUNK // residues.shape[1]))
    odds = np.empty(residues.shape, dtype=np.float32)
    for part in rows:
        odds[part] = _second_odds(residues[part], *tilts(part))
    seconds = syndrome.embed(odds, second, shape)
    for part in rows:
        odds[part] = _lowest_odds(residues[part], seconds[part], *tilts(part))
    lowests = syndrome.embed(odds, lowest, shape)
    steps = np.empty(residues.shape, dtype=np.int8)
    for part in rows:
        steps[part] = ((2 * seconds[part] + lowests[part] - residues[part] + 1) & 3).astype(np.int8) - 1
    return steps


def _second_odds(residues: U8, up: F32, down: F32) -> F32:
    """Return ln P(0) / P(1) of the second-lowest bits."""
    odd = (residues & 1).astype(np.bool_)
    flip, other = np.where(odd, up, down), np.where(odd, down, up)
    neither = np.maximum(other, 0) + np.log(np.exp(-np.abs(other)) + np.float32(1))
    stays = np.where(flip <= -WET, WET, np.clip(neither - flip, -_SUREST, _SUREST))
    return np.where(residues & 2, -stays, stays)


def _lowest_odds(residues: U8, seconds: U8, up: F32, down: F32) -> F32:
    """Return ln P(0) / P(1) of the lowest bits, given the second-lowest; where these changed, so do they."""
    odd = (residues & 1).astype(np.bool_)
    other = np.where(odd, down, up)
    stays = np.where(other <= -WET, WET, np.clip(-other, -_SUREST, _SUREST))
    stays = np.where(seconds != residues >> 1, -WET, stays)
    return np.where(odd, -stays, stays)


class StuckError(ImageError):
    """No way without a forbidden step exists in any of the keyed orders that were tried."""


@dataclass(frozen=True)
class Prices:
    """Price of a step at each integer.

    Attributes:
        up: (n,) float32 > 0, any unit, price of the step +1; infinite where it is forbidden.
        down: the same for the step -1.
    """

    up: F32
    down: F32

    def layer_entropies(self, lam: float, odd: NDArray[np.bool_]) -> F64:
        """Return (2,) float64 bits for all integers: of the lowest layer given the other, and of the other.

        `odd` says which integers are odd, (n,).
        """
        total = np.zeros(LAYERS)
        for part in chunks(len(odd), _CHUNK):
            up, down = (np.exp(-lam * price[part].astype(np.float64)) for price in (self.up, self.down))
            flip = np.where(odd[part], up, down) / (1 + up + down)
            other = np.where(odd[part], down, up) / (1 + np.where(odd[part], down, up))
            total += ((1 - flip) * binary_entropy(other)).sum(), binary_entropy(flip).sum()
        return total

    def forbid(self, moves: U8) -> bool:
        """(n,) uint8 steps modulo 4 -> whether one of them is forbidden."""
        return bool(
            (moves == 2).any() or np.isinf(self.up[moves == 1]).any() or np.isinf(self.down[moves == 3]).any()
        )

    def unit(self) -> float:
        """Return a typical price: the median of the finite prices in a sample."""
        every = max(1, len(self.up) // _SAMPLE)
        sample = np.concatenate([self.up[::every], self.down[::every]])
        return float(np.median(sample[np.isfinite(sample)]))


@dataclass(frozen=True)
class Written:
    """A payload written into integers.

    Attributes:
        values: (n,) int16, each changed by at most one.
        marks: marks for the reader, of two layers.
    """

    values: I16
    marks: Marks


def room(prices: Prices) -> int:
    """Return the most bytes that `write` accepts: a share of what steps of equal price would carry."""
    ways = 1 + np.isfinite(prices.up) + np.isfinite(prices.down)
    entropy = float(np.bincount(ways, minlength=4) @ np.log2([1, 1, 2, 3]))
    return int(_SAFE * Layout(len(ways)).usable * entropy / 8)


def write(
    values: I16, prices: Prices, payload: bytes, keys: Keys, threads: int = 2, marks: Marks | None = None
) -> Written:
    """Write a payload in steps of the least expected price.

    Args:
        values: (n,) int16 cover.
        prices: prices of its steps.
        payload: at most `room` bytes that look random (a ciphertext).
        keys: keys for the permutation and the keystream.
        threads: number of bands of blocks coded at a time.
        marks: marks that the reader knows beforehand; None to choose those that suit the cover best.

    Raises:
        ImageError: the payload is too large.
        StuckError: it cannot be written without a forbidden step; other keys may succeed.
    """
    if len(payload) > room(prices):
        raise _no_room(room(prices), len(payload))
    if not payload:
        return Written(values.copy(), Marks(0, 0, 0, (0,) * LAYERS))
    layout, odd, bits = Layout(len(values)), (values & 1).astype(np.bool_), 8 * len(payload)
    lam = _multiplier(prices, odd, bits / layout.usable)
    rates = (
        syndrome.rates_for(prices.layer_entropies(lam, odd), layout, bits) if marks is None else marks.rates
    )
    shape = None if marks is None else marks.shape
    for draw in range(_DRAWS) if marks is None else (marks.draw,):
        order = layout.order(keys, draw)
        coder = _Coder(order.take(_residues(values)), order.take(prices.up), order.take(prices.down), lam)
        shape = best_shape(layout, rates, keys, coder.paid) if shape is None else shape
        tried = Marks(len(payload), draw, shape, rates)
        moves = order.put(code_bands(layout, tried, payload, keys, coder.moves, threads), len(values))
        if not prices.forbid(moves):
            return Written(values + _STEPS[moves], tried)
    raise StuckError(
        f"{len(payload):,} bytes do not fit into this cover: too much of it must not change", _LESS
    )


def read(values: I16, marks: Marks, keys: Keys) -> bytes:
    """(n,) int16 stego -> the payload, as `syndrome.read`."""
    return syndrome.read(_residues(values), marks, keys)


def _residues(values: I16) -> U8:
    """(n,) integers -> (n,) uint8, modulo 4."""
    return (values & 3).astype(np.uint8)


@dataclass(frozen=True)
class _Coder:
    """Coder of two layers for any band of blocks; arrays are (samples,) in the keyed order."""

    residues: U8
    up: F32
    down: F32
    lam: float

    def moves(self, band: Band) -> U8:
        """Return the steps of a band modulo 4, (N, blocks) uint8."""
        up, down = band.of(self.up), band.of(self.down)
        lowest, second = band.messages

        def tilts(rows: slice) -> tuple[F32, F32]:
            return self._tilt(up[rows]), self._tilt(down[rows])

        return two_layers(band.of(self.residues), tilts, second, lowest, band.shape).view(np.uint8) % 4

    def paid(self, band: Band) -> float:
        """Return the price of the allowed steps in a band."""
        moves = self.moves(band)
        prices = np.concatenate([band.of(self.up)[moves == 1], band.of(self.down)[moves == 3]])
        return float(prices[np.isfinite(prices)].sum())

    def _tilt(self, price: F32) -> F32:
        tilt: F32 = np.maximum(price * np.float32(-self.lam), -WET)
        return tilt


def _multiplier(prices: Prices, odd: NDArray[np.bool_], bits: float) -> float:
    """Find lambda, on a sample of the integers if there are many; rates come from all, and are exact."""
    count = len(odd)
    if count > _SOUGHT_ON:
        # Multiples of the golden ratio do not fall in step with any period that prices may have.
        turns = np.arange(_SOUGHT_ON, dtype=np.uint64) * _GOLDEN & np.uint64(0xFFFFFFFF)
        some = (turns * np.uint64(count) >> np.uint64(32)).astype(np.int64)
        prices, odd, bits = Prices(prices.up[some], prices.down[some]), odd[some], bits * _SOUGHT_ON / count
    return multiplier(lambda lam: float(prices.layer_entropies(lam, odd).sum()), bits, prices.unit())


def _no_room(most: int, size: int) -> ImageError:
    return ImageError(f"the cover has room for about {most:,} bytes, but {size:,} are to be hidden", _LESS)


_LESS: Final = "Take a larger cover or a smaller secret."
_STEPS: Final = np.array([0, 1, 0, -1], dtype=np.int16)
