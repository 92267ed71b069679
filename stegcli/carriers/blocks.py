"""Luma in blocks of JPEG's grid, and what of them coders of JPEG files spare longest."""

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
"""Frequencies whose energy says how busy a block is: those that survive."""


def luma_table(quality: int) -> NDArray[np.int64]:
    """(64,) int64: libjpeg's steps of luma at a quality of 1..100, vertical frequency first."""
    return scaled_table(_ANNEX_K, quality).ravel()


def scaled_table(table: NDArray[np.int64], quality: int) -> NDArray[np.int64]:
    """A table for quality 50 as libjpeg scales it to a quality of 1..100; steps of 1..255."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * scale + 50) // 100, 1, 255)


def _by_step() -> tuple[int, ...]:
    """All frequencies but zero, those of small steps first, then low ones."""
    places = [(v, h) for v in range(dct.SIDE) for h in range(dct.SIDE) if v or h]
    places.sort(key=lambda place: (_ANNEX_K[place], sum(place), place))
    return tuple(dct.SIDE * v + h for v, h in places)


FREQUENCIES: Final = _by_step()
"""The 63 of a block, 8 times the vertical one plus the horizontal, in the order in which bits take them."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """Whole blocks of a picture's luma; rows and columns at its ends that fill none are left out.

    Attributes:
        rows: of blocks.
        columns: of blocks.
        samples: (rows * columns, 64) float32, luma minus 128.
    """

    rows: int
    columns: int
    samples: F32

    @classmethod
    def of(cls, luma: F32) -> Blocks:
        """(H, W) float32 grey levels -> its blocks, from the top left."""
        rows, columns = (side // dct.SIDE for side in luma.shape)
        whole = luma[: dct.SIDE * rows, : dct.SIDE * columns]
        samples = dct.split_blocks(whole).reshape(-1, _AREA)
        samples -= _CENTRE
        return cls(rows, columns, samples)

    def coefficients(self, frequencies: tuple[int, ...]) -> F32:
        """(rows * columns, k) float32: some of every block's coefficients."""
        some: F32 = self.samples @ dct.rows_of(frequencies).T
        return some

    def joined(self) -> F32:
        """(8 rows, 8 columns) float32: luma again, 0..255."""
        shape = (self.rows, self.columns, dct.SIDE, dct.SIDE)
        return dct.join_blocks(self.samples.reshape(shape)) + _CENTRE

    def plus(self, frequencies: tuple[int, ...], change: F32) -> F32:
        """(H', W') float32: what is added to luma where coefficients change by (rows * columns, k)."""
        added = self.samples_of(frequencies, change)
        return dct.join_blocks(added.reshape(self.rows, self.columns, dct.SIDE, dct.SIDE))

    @staticmethod
    def samples_of(frequencies: tuple[int, ...], values: F32) -> F32:
        """(n, k) float32 coefficients -> (n, 64) float32 samples, all other coefficients being 0."""
        return values @ dct.rows_of(frequencies)


def activity(blocks: Blocks) -> F32:
    """(rows, columns) float32 > 0: energy of low frequencies, of a block or its neighbours.

    A change shows beside a smooth neighbour.
    """
    low = blocks.coefficients(_LOW)
    energy = np.einsum("nk,nk->n", low, low).reshape(blocks.rows, blocks.columns)
    lowest: F32 = np.minimum(energy, box_means(energy)) + np.float32(1)
    return lowest


def box_means(values: F32) -> F32:
    """(R, C) -> (R, C): the mean of each and its eight neighbours; the edge repeats itself."""
    padded = np.pad(values, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    means: F32 = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / np.float32(9)
    return means
