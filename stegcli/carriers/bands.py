"""Write a payload into all blocks of a carrier, in bands of blocks that several threads code side by side."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers.keyed_order import subkey
from stegcli.carriers.scatter import chunks
from stegcli.carriers.streams import Keys, words32
from stegcli.carriers.syndrome import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from numpy.typing import NDArray

    from stegcli.carriers.syndrome import Layout, Marks

    T = TypeVar("T", bound=np.generic)
    Bits = NDArray[np.uint8]
    U8 = NDArray[np.uint8]

__all__ = ["Band", "best_shape", "code_bands"]

_SHAPES: Final = (0, 4, 8, 11, 15)
_TRIAL_EXPONENT: Final = 14
_TRIAL_BLOCKS: Final = 4
_TRIAL_SHARE: Final = 3
_LEAST_TRIAL: Final = 11

_SAMPLES: Final = 1 << 20
"""Samples in a band, which has at least one block: enough for numpy, few enough to bound memory."""


@dataclass(frozen=True)
class Band:
    """Some blocks of a group, and the messages that their layers must carry.

    Attributes:
        group: the group.
        columns: the blocks of the group that are in the band.
        messages: for each layer, (message bits, blocks) uint8.
        shape: shape parameter of the frozen sets, 0..15.
    """

    group: Group
    columns: slice
    messages: list[Bits]
    shape: int

    def of(self, samples: NDArray[T]) -> NDArray[T]:
        """Return the band's part of (samples,) in the keyed order as a view, (N, blocks)."""
        return samples[self.group.start : self.group.stop].reshape(-1, self.group.blocks)[:, self.columns]


def best_shape(layout: Layout, rates: Sequence[int], keys: Keys, paid: Callable[[Band], float]) -> int:
    """Return the shape of frozen sets with which a sample of the blocks costs least.

    `paid` codes a band and returns its cost, which falls up to the best shape and rises after it; the prices
    of photographs nearly always suit the first. It is tried on a few blocks of random bits, each of at most
    2^14 samples and together at most an eighth of all: which shape suits best depends on the distribution of
    prices and hardly on the length of the blocks.
    """
    most = (layout.samples >> _TRIAL_SHARE).bit_length() - 1
    exponent = min(layout.exponent, _TRIAL_EXPONENT, max(_LEAST_TRIAL, most))
    blocks = max(1, min(_TRIAL_BLOCKS, layout.samples >> exponent + _TRIAL_SHARE))
    group = Group(0, exponent, blocks)
    bits = _filled(b"", group.capacity(rates), keys)
    layers = _layers(bits, group, rates)
    best, least = 0, math.inf
    for shape in _SHAPES:
        price = paid(Band(group, slice(0, blocks), layers, shape))
        if price >= least:
            break
        best, least = shape, price
    return best


def code_bands(
    layout: Layout, marks: Marks, payload: bytes, keys: Keys, code: Callable[[Band], U8], threads: int
) -> U8:
    """Let `code` find the moves of every band, (N, blocks) uint8; return (samples,) uint8 in keyed order."""
    moves = np.zeros(layout.samples, dtype=np.uint8)

    def run(band: Band) -> None:
        band.of(moves)[:] = code(band)

    message = _filled(payload, layout.capacity(marks.rates), keys)
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(run, _bands(layout, marks, message)):
            pass
    return moves


def _filled(payload: bytes, bits: int, keys: Keys) -> Bits:
    """Payload -> (bits,) uint8 0 or 1: its own bits, each byte's highest first, then bits of a keystream."""
    message = np.unpackbits(np.frombuffer(payload, dtype=np.uint8))
    fill = words32(subkey(keys.keystream, b"fill"), bits - len(message)) & np.uint32(1)
    return np.concatenate([message, fill.astype(np.uint8)])


def _bands(layout: Layout, marks: Marks, message: Bits) -> list[Band]:
    bands, start = [], 0
    for group in layout.groups:
        stop = start + group.capacity(marks.rates)
        layers = _layers(message[start:stop], group, marks.rates)
        start = stop
        bands += [
            Band(group, columns, [np.ascontiguousarray(bits[:, columns]) for bits in layers], marks.shape)
            for columns in chunks(group.blocks, _SAMPLES >> group.exponent)
        ]
    return bands


def _layers(bits: Bits, group: Group, rates: Sequence[int]) -> list[Bits]:
    """Split the bits of a group into those of each layer, (message bits, blocks)."""
    layers, start = [], 0
    for rate in rates:
        stop = start + group.message_bits(rate) * group.blocks
        layers.append(bits[start:stop].reshape(-1, group.blocks))
        start = stop
    return layers
