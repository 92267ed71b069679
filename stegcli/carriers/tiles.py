"""Bits in tiles of a picture, and the search for the position of its tiles. Part of the file format.

A tile is 32 x 32 blocks, and every tile of a picture carries the same bits with the same dithers at the same
places, so that any crop has all of them, wherever it was cut. Copies add up, so that each one can be faint in
a large picture.

The search folds a picture into one tile: the sum over all copies of exp(i pi x / D), in which the bit of a
place is a sign. Squaring removes the sign, and what the dither contributes is known: one correlation tests
all shifts of the tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers import lattice
from stegcli.carriers.blocks import FREQUENCIES
from stegcli.carriers.keyed_order import subkey
from stegcli.carriers.scatter import embedding_groups
from stegcli.carriers.streams import Keys
from stegcli.carriers.sturdy import dither_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.carriers.blocks import Blocks

    Bits = NDArray[np.uint8]
    F32 = NDArray[np.float32]

__all__ = ["BITS", "TILE", "Tile", "Turn"]

TILE: Final = 32
"""Blocks along a side of a tile."""
_BLOCKS: Final = 56
"""Blocks, of the 1,024 in a tile, that carry its bits."""
_FREQUENCIES: Final = FREQUENCIES[:12]
BITS: Final = _BLOCKS * len(_FREQUENCIES)
"""Number of coded bits in a tile."""
_STEP: Final = np.float32(20)
_SILENT: Final = np.float32(0.1)
"""Distance in steps from zero within which a coefficient is ignored. Most such coefficients are from flat
blocks that nobody changed: all copies of a place would agree on whatever its dither happens to be."""


@dataclass(frozen=True, order=True)
class Turn:
    """Position of a picture's first block in its tile, and how certain it is.

    Attributes:
        score: standard deviations above the mean of all positions.
        row: row in the tile, 0..31.
        column: column in the tile, 0..31.
    """

    score: float
    row: int
    column: int


@dataclass(frozen=True, eq=False)
class Tile:
    """The places of the bits in a tile.

    Attributes:
        slots: (32, 32) int16, number of each block among those that carry; -1 for the others.
        order: (BITS,) int32: place j of a tile, frequency j % 12 of slot j // 12, has coded bit order[j].
        dither: (56, 12) float32, 0..2.
    """

    slots: NDArray[np.int16]
    order: NDArray[np.int32]
    dither: F32

    @classmethod
    def of(cls, locator: bytes) -> Tile:
        """Return the tile that is drawn with a locator."""
        places = np.sort(_permutation(TILE * TILE, subkey(locator, b"robust/tile"))[:_BLOCKS])
        slots = np.full(TILE * TILE, -1, dtype=np.int16)
        slots[places] = np.arange(_BLOCKS)
        order = _permutation(BITS, subkey(locator, b"robust/bits"))
        dither = dither_of(subkey(locator, b"robust/dither"), BITS)
        return cls(slots.reshape(TILE, TILE), order, dither.reshape(_BLOCKS, -1))

    def others(self, rows: int, columns: int) -> NDArray[np.int64]:
        """Return (m,) int64, ascending: the blocks of a picture that carry no bits of a tile."""
        return np.flatnonzero(self._slots(rows, columns, 0, 0) < 0)

    def change(self, blocks: Blocks, bits: Bits, log_price: F32) -> tuple[tuple[int, ...], F32]:
        """Return the change of coefficients that writes the bits of a tile.

        Args:
            blocks: blocks of the cover.
            bits: (BITS,) uint8.
            log_price: (blocks,) float32; see `lattice.moved`.

        Returns:
            The frequencies, and (blocks, 12) float32.
        """
        slots = self._slots(blocks.rows, blocks.columns, 0, 0)
        carrying = np.flatnonzero(slots >= 0)
        places = slots[carrying]
        t = self._received(blocks, carrying, places)
        wanted = bits[self.order].reshape(self.dither.shape)[places]
        price = np.repeat(log_price[carrying, None], len(_FREQUENCIES), axis=1)
        change = np.zeros((len(slots), len(_FREQUENCIES)), np.float32)
        change[carrying] = lattice.moved(t, wanted, price) * _STEP
        return _FREQUENCIES, change

    def soft(self, blocks: Blocks, classes: NDArray[np.intp], row: int = 0, column: int = 0) -> F32:
        """Return (BITS,) float32 soft bits from all tiles; the first block is at (row, column) of a tile."""
        slots = self._slots(blocks.rows, blocks.columns, row, column)
        carrying = np.flatnonzero(slots >= 0)
        total = np.zeros(self.dither.shape)
        if len(carrying):
            places, count = slots[carrying], len(_FREQUENCIES)
            t = self._received(blocks, carrying, places).ravel()
            rows = np.tile(np.arange(count), len(carrying))
            sigma = lattice.noise_sigma(t, rows, np.repeat(classes[carrying], count))
            said = lattice.soft_bits(t, sigma).reshape(-1, count)
            said[np.abs(t.reshape(-1, count) - self.dither[places]) < _SILENT] = 0
            np.add.at(total, places, said)
        soft = np.empty(BITS, np.float32)
        soft[self.order] = total.ravel()
        return soft

    def turns(self, blocks: Blocks, most: int) -> list[Turn]:
        """Return the likeliest positions of the picture's first block in a tile, best first."""
        folded = _folded(blocks)
        power = np.mean(np.abs(folded) ** 2, axis=(0, 1))
        squared = folded**2 / np.maximum(power, 1e-6)
        found = np.fft.ifft2(
            np.fft.fft2(squared, axes=(0, 1)) * np.conj(np.fft.fft2(self._mask(), axes=(0, 1))), axes=(0, 1)
        )
        scores = found.real.sum(axis=2)
        scores = (scores - scores.mean()) / max(float(scores.std()), 1e-9)
        best = np.argsort(scores, axis=None)[::-1][:most]
        # The tile begins at (row, column) of the picture, so that the picture begins before it in the tile.
        return [
            Turn(float(scores.flat[place]), int(-row % TILE), int(-column % TILE))
            for place, row, column in zip(best, *np.unravel_index(best, scores.shape), strict=True)
        ]

    def _mask(self) -> NDArray[np.complex128]:
        """(32, 32, 12): squared sums that are expected at the places of a tile; 0 elsewhere."""
        mask = np.zeros((TILE, TILE, len(_FREQUENCIES)), np.complex128)
        mask[self.slots >= 0] = np.exp(-2j * np.pi * self.dither)
        return mask

    def _slots(self, rows: int, columns: int, row: int, column: int) -> NDArray[np.int16]:
        """(rows * columns,) int16: slot of every block of a picture."""
        down, along = (row + np.arange(rows)) % TILE, (column + np.arange(columns)) % TILE
        return self.slots[np.ix_(down, along)].ravel()

    def _received(self, blocks: Blocks, carrying: NDArray[np.int64], places: NDArray[np.int16]) -> F32:
        """(carrying blocks, 12) float32: values in steps, with the dither added."""
        part = type(blocks)(1, len(carrying), blocks.samples[carrying])
        t: F32 = part.coefficients(_FREQUENCIES) / _STEP + self.dither[places]
        return t


def _permutation(count: int, key: bytes) -> NDArray[np.int32]:
    return embedding_groups(count, count, 1, Keys(b"", b"", key))[:, 0]


def _folded(blocks: Blocks) -> NDArray[np.complex64]:
    """(32, 32, 12): sums of exp(i pi x / D) over all tiles of a picture, minus their average."""
    angles = blocks.coefficients(_FREQUENCIES) * np.float32(np.pi / _STEP)
    phasors = np.cos(angles) + np.complex64(1j) * np.sin(angles)
    phasors -= phasors.mean(axis=0)
    down, along = -(-blocks.rows // TILE), -(-blocks.columns // TILE)
    whole = np.zeros((down * TILE, along * TILE, len(_FREQUENCIES)), np.complex64)
    whole[: blocks.rows, : blocks.columns] = phasors.reshape(blocks.rows, blocks.columns, -1)
    folded: NDArray[np.complex64] = whole.reshape(down, TILE, along, TILE, -1).sum(axis=(0, 2))
    return folded
