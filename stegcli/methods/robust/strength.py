"""Find the least strength of a body with which it opens after everything that was promised.

The writer knows the bits, and therefore how much information about them arrives; how much the code needs is
known as well. Strength is found by that measure on the most harmful channels, and then proved by opening.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers import lattice
from stegcli.carriers.blocks import Blocks, activity
from stegcli.carriers.sturdy import activity_classes
from stegcli.cores import cores
from stegcli.envelope import sturdy
from stegcli.errors import NothingFoundError
from stegcli.methods.base import Proof
from stegcli.methods.robust.covers import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from stegcli.carriers.tiles import Tile
    from stegcli.envelope.sturdy_body import Layout
    from stegcli.methods.robust.channels import Channel
    from stegcli.methods.robust.covers import Carrier, Written

    Bits = NDArray[np.uint8]
    F32 = NDArray[np.float32]

__all__ = ["SPARES", "Best", "Body", "HeadLostError", "HeadWriter", "head_change", "weakest"]

_START: Final = 0.6
_CHEAPEST, _DEAREST = -2.0, 2.8
"""Decimal logarithms of the price, in bits, of a squared lattice step: a high one weakens the stego."""
_SLOPE: Final = -0.45
"""Initial guess of how the share of the needed information changes with the logarithm."""
_STEPS: Final = 7
_NEAR: Final = 0.015
_CLOSE_WATCH: Final = 2
"""Number of channels on which strength is sought: the most harmful ones."""
_SAFE: Final = 0.02
_HARDER: Final = 0.12
_TRIES: Final = 5

_LONG_BITS: Final = 1 << 14
_FEW_BITS: Final = 1 << 12
"""With so few, a model's error is twice what it is with many: errors of single bits no longer average out."""
_HEAD_PRICES: Final = (1.6, 1.4, 1.2, 1.0, 0.8, 0.6, 0.4, 0.2, 0.0, -0.4)
SPARES: Final = (1, 3, 5, len(_HEAD_PRICES))
"""Steps of these by which a head is written more strongly than it needs alone: it must outlive the body and
coexist with it."""


def needed(bits: int) -> float:
    """Return the information that a piece needs, as a multiple of its length: short codes need more."""
    return float(1.08 + 0.025 * (_LONG_BITS / bits) ** 0.5)


@dataclass(frozen=True)
class Best:
    """The weakest stego that opens after everything.

    Attributes:
        written: the stego.
        proofs: what it was put through.
    """

    written: Written
    proofs: tuple[Proof, ...]


class HeadLostError(Exception):
    """The body opens after all channels, but the head beside it does not."""


@dataclass(frozen=True, eq=False)
class Body:
    """What is to be written, and how its arrival is measured.

    Attributes:
        carrier: the cover.
        layout: layout of the body.
        coded: coded bits of the body, in the keyed order.
        head: the change that writes the head.
        writer: the writer of the head.
    """

    carrier: Carrier
    layout: Layout
    coded: Bits
    head: Change
    writer: HeadWriter

    @cached_property
    def _coefficients(self) -> F32:
        return self.carrier.blocks.coefficients(self.layout.ground.frequencies)

    def written(self, log_price: float) -> Written:
        """Return the stego at a price."""
        prices = self.carrier.prices + np.float32(log_price)
        ground = self.layout.ground
        change = Change(ground.frequencies, ground.change(self._coefficients, self.coded, prices))
        return self.carrier.written([self.head, change])

    def share(self, levels: F32) -> float:
        """Return the share of the needed information in luma as received; from 1 on it should open."""
        soft = self._soft(levels)
        pieces = self.layout.pieces
        return lattice.information(soft, self.coded) / (pieces.rate * needed(pieces.bits))

    def asked(self, channel: Channel) -> float:
        """The share that must arrive: more than all, where the channel is only a model."""
        return float(1 + channel.doubt * (1 + (_FEW_BITS / self.layout.pieces.bits) ** 0.5))

    def opens(self, levels: F32) -> bool:
        """Whether all pieces decode to what was written."""
        pieces = self.layout.pieces
        found, _ = pieces.decode(self._soft(levels), cores())
        return bool(np.array_equal(pieces.encode(found), self.coded))

    def _soft(self, levels: F32) -> F32:
        blocks, ground = Blocks.of(levels), self.layout.ground
        classes = activity_classes(activity(blocks).ravel())
        return ground.soft(blocks.coefficients(ground.frequencies), classes)[: len(self.coded)]


@dataclass(frozen=True)
class HeadWriter:
    """Writes and reads the head of a cover.

    Attributes:
        carrier: the cover.
        tile: the tile in which the head lies.
        bits: coded bits of the tile.
        locator: the key.
    """

    carrier: Carrier
    tile: Tile
    bits: Bits
    locator: bytes

    def change(self, log_price: float) -> Change:
        """Return the change that writes the head."""
        prices = self.carrier.prices + np.float32(log_price)
        return Change(*self.tile.change(self.carrier.blocks, self.bits, prices))

    def opens(self, levels: F32) -> bool:
        """Whether the head opens in luma as received."""
        blocks = Blocks.of(levels)
        classes = activity_classes(activity(blocks).ravel())
        soft = self.tile.soft(blocks, classes)
        try:
            sturdy.opened(soft, self.locator)
        except NothingFoundError:
            return False
        return True


def head_change(writer: HeadWriter, channels: Sequence[Channel], spare: int) -> Change | None:
    """Return the change that writes the head so that it opens after all channels, with steps to spare.

    None if no strength suffices.
    """
    for number, price in enumerate(_HEAD_PRICES):
        stego = writer.carrier.written([writer.change(price)]).rgb
        if all(writer.opens(channel.luma(stego)) for channel in channels):
            return writer.change(_HEAD_PRICES[min(number + spare, len(_HEAD_PRICES) - 1)])
    return None


def weakest(body: Body, channels: Sequence[Channel], tried: Callable[[float], None]) -> Best | None:
    """Return the weakest stego that opens after all channels; None if there is none.

    Args:
        body: the body to write.
        channels: all channels that were promised.
        tried: called with the share of the work that is done.

    Raises:
        HeadLostError: the head must be stronger.
    """
    shares = _shares(body, body.written(_START), channels)
    watched = sorted(channels, key=lambda channel: shares[channel.name])[:_CLOSE_WATCH]
    price = _price(body, watched, min(shares.values()), tried)
    if price is None:
        return None
    for _ in range(_TRIES):
        written = body.written(price)
        proofs = _proofs(body, written, channels)
        if all(proof.opened for proof in proofs):
            _check_head(body, written, channels)
            return Best(written, proofs)
        price -= _HARDER
    return None


def _check_head(body: Body, written: Written, channels: Sequence[Channel]) -> None:
    if not all(body.writer.opens(channel.luma(written.rgb)) for channel in channels):
        raise HeadLostError


def _price(
    body: Body, watched: Sequence[Channel], share: float, tried: Callable[[float], None]
) -> float | None:
    """Return the price at which just enough arrives on the watched channels; None if there is none."""
    low, high = _CHEAPEST, _DEAREST  # if enough arrives at all, it does at the low end
    price, slope = _START, _SLOPE
    goal, best = 1 + _SAFE, None
    for step in range(_STEPS):
        if share >= goal:
            low, best = price, price
            if share < goal + _NEAR:
                break
        else:
            high = price
        ahead = price + float(np.clip((goal + _NEAR / 2 - share) / slope, -0.9, 0.9))
        if not low < ahead < high:
            ahead = (low + high) / 2
        if high - low < _NEAR:
            break
        before, price_before, price = share, price, ahead
        share = min(_shares(body, body.written(price), watched).values())
        slope = min(-0.1, max(-3.0, (share - before) / (price - price_before)))
        tried((step + 1) / (_STEPS + 1))
    if best is None and share >= goal:
        return price
    return best


def _shares(body: Body, written: Written, channels: Sequence[Channel]) -> dict[str, float]:
    with ThreadPoolExecutor(cores()) as pool:
        found = pool.map(lambda each: body.share(each.luma(written.rgb)) / body.asked(each), channels)
        return dict(zip((channel.name for channel in channels), found, strict=True))


def _proofs(body: Body, written: Written, channels: Sequence[Channel]) -> tuple[Proof, ...]:
    def proof(channel: Channel) -> Proof:
        levels = channel.luma(written.rgb)
        share = body.share(levels)
        return Proof(channel.name, body.opens(levels) and share >= body.asked(channel), share - 1)

    with ThreadPoolExecutor(cores()) as pool:
        return tuple(pool.map(proof, channels))
