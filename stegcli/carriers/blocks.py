"""Luma in blocks on JPEG's grid, and the frequencies of a block that JPEG encoders preserve best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers import dct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]

__all__ = ["FREQUENCIES", "Blocks", "activity", "box_means", "luma_table", "scaled_table"]

_CENTRE: Final = np.float32(128)
_AREA: Final = dct.SIDE * dct.SIDE

_ANNEX_K: Final = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
"""Steps of luma at quality 50 (ITU-T T.81, table K.1), vertical frequency first."""

_LOW: Final = tuple(8 * v + h for v in range(5) for h in range(5) if v or h)
"""Low frequencies, which survive; their energy tells how busy a block is."""


def luma_table(quality: int) -> NDArray[np.int64]:
    """Return libjpeg's luma table for a quality of 1..100: (64,) int64 steps, vertical frequency first."""
    return scaled_table(_ANNEX_K, quality).ravel()


def scaled_table(table: NDArray[np.int64], quality: int) -> NDArray[np.int64]:
    """Scale a table for quality 50 to a quality of 1..100 as libjpeg does; steps of 1..255."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * scale + 50) // 100, 1, 255)


def _by_step() -> tuple[int, ...]:
    """Return all frequencies but zero, those with small steps first, then the lower ones."""
    places = [(v, h) for v in range(dct.SIDE) for h in range(dct.SIDE) if v or h]
    places.sort(key=lambda place: (_ANNEX_K[place], sum(place), place))
    return tuple(dct.SIDE * v + h for v, h in places)


FREQUENCIES: Final = _by_step()
"""The 63 AC frequencies, as 8 * vertical + horizontal, in the order in which they are used for bits."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """The whole blocks of a picture's luma; rows and columns at the ends that do not fill one are left out.

    Attributes:
        rows: number of rows of blocks.
        columns: number of columns of blocks.
        samples: (rows * columns, 64) float32, luma minus 128.
    """

    rows: int
    columns: int
    samples: F32

    @classmethod
    def of(cls, luma: F32) -> Blocks:
        """Cut luma, (H, W) float32 grey levels, into blocks from the top left."""
        rows, columns = (side // dct.SIDE for side in luma.shape)
        whole = luma[: dct.SIDE * rows, : dct.SIDE * columns]
        samples = dct.split_blocks(whole).reshape(-1, _AREA)
        samples -= _CENTRE
        return cls(rows, columns, samples)

    def coefficients(self, frequencies: tuple[int, ...]) -> F32:
        """Return the coefficients of all blocks at some frequencies, (rows * columns, k) float32."""
        some: F32 = self.samples @ dct.rows_of(frequencies).T
        return some

    def joined(self) -> F32:
        """Join the blocks to luma, (8 rows, 8 columns) float32, 0..255."""
        shape = (self.rows, self.columns, dct.SIDE, dct.SIDE)
        return dct.join_blocks(self.samples.reshape(shape)) + _CENTRE

    def plus(self, frequencies: tuple[int, ...], change: F32) -> F32:
        """Return what a change of coefficients, (rows * columns, k), adds to luma, (8 rows, 8 columns)."""
        added = self.samples_of(frequencies, change)
        return dct.join_blocks(added.reshape(self.rows, self.columns, dct.SIDE, dct.SIDE))

    @staticmethod
    def samples_of(frequencies: tuple[int, ...], values: F32) -> F32:
        """(n, k) float32 coefficients -> (n, 64) float32 samples; all other coefficients are 0."""
        return values @ dct.rows_of(frequencies)


def activity(blocks: Blocks) -> F32:
    """Return (rows, columns) float32 > 0: low-frequency energy of each block or, if less, its neighbourhood.

    A change is visible next to a smooth neighbour.
    """
    low = blocks.coefficients(_LOW)
    energy = np.einsum("nk,nk->n", low, low).reshape(blocks.rows, blocks.columns)
    lowest: F32 = np.minimum(energy, box_means(energy)) + np.float32(1)
    return lowest


def box_means(values: F32) -> F32:
    """(R, C) -> (R, C): the mean of each value and its eight neighbours; edge values are repeated."""
    padded = np.pad(values, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    means: F32 = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / np.float32(9)
    return means
