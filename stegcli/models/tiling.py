"""Cut a picture into overlapping tiles, so that memory does not grow with its size.

A network takes about a hundred bytes per pixel while it runs. Tiles overlap by the receptive radius, so that
there are no seams: every kept value is computed from the same inputs as in one piece, up to the order of
floating-point sums. All tiles of a picture have the same shape, so that the runtime can reuse its memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.models.contract import Contract

__all__ = ["TILE_PIXELS", "Tile", "plan_sample", "plan_tiles"]

TILE_PIXELS = 1 << 22
"""Largest number of pixels in a tile; more of them take more memory, but less repeated work at overlaps."""

_MAX_TILES_PER_AXIS = 256
_SAMPLE_TILE_PIXELS = 1 << 17
_SAMPLE_TILES = 48
"""A picture that would be cut into more tiles than that gets larger ones, up to twice, which overlap less."""
_SAMPLED_SHARE = 1 / 8
"""Share of a large picture's tiles that suffices to estimate its mean quality."""


@dataclass(frozen=True)
class Tile:
    """A rectangle that the network sees, and the part of its output that is kept.

    Attributes:
        rows: rows seen, in the padded picture.
        cols: columns seen.
        kept_rows: rows kept, in the padded picture; the kept rectangles of a plan cover it exactly once.
        kept_cols: columns kept.
    """

    rows: slice
    cols: slice
    kept_rows: slice
    kept_cols: slice

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of what the network sees."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start

    def keep(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """(C, h, w) of the tile -> its kept part, a view."""
        top, left = self.rows.start, self.cols.start
        rows = slice(self.kept_rows.start - top, self.kept_rows.stop - top)
        return seen[:, rows, self.kept_cols.start - left : self.kept_cols.stop - left]


def plan_tiles(height: int, width: int, contract: Contract, budget: int = TILE_PIXELS) -> list[Tile]:
    """Cut a padded picture into overlapping tiles of one shape with the least work that fits the budget.

    Args:
        height: number of rows, a multiple of the contract's.
        width: number of columns, a multiple of the contract's.
        contract: determines the overlap and the size rule.
        budget: largest number of pixels per tile; exceeded only if the overlap alone requires it.
    """
    pairs = [(y, x) for y in _axis_plans(height, contract) for x in _axis_plans(width, contract)]
    fitting = [(y, x) for y, x in pairs if y.size * x.size <= budget]
    if fitting:
        rows, cols = min(fitting, key=lambda plan: plan[0].work * plan[1].work)
    else:
        rows, cols = min(pairs, key=lambda plan: plan[0].size * plan[1].size)
    return [Tile(y[0], x[0], y[1], x[1]) for y in rows.spans() for x in cols.spans()]


def plan_sample(height: int, width: int, contract: Contract) -> list[Tile]:
    """Return some tiles of a large padded picture: a randomly chosen one of every eight in a row.

    They are always the same for a given size, so that two runs measure the same.

    Args:
        height: number of rows, a multiple of the contract's.
        width: number of columns, a multiple of the contract's.
        contract: determines the overlap and the size rule.
    """
    budget = min(max(height * width // _SAMPLE_TILES, _SAMPLE_TILE_PIXELS), 2 * _SAMPLE_TILE_PIXELS)
    tiles = plan_tiles(height, width, contract, budget)
    count = math.ceil(len(tiles) * _SAMPLED_SHARE)
    bounds = np.linspace(0, len(tiles), count + 1).astype(int)
    rng = np.random.default_rng(len(tiles))
    return [tiles[rng.integers(first, last)] for first, last in pairwise(bounds)]


@dataclass(frozen=True)
class _AxisPlan:
    """One axis cut into `count` tiles of `size` pixels that overlap by twice `halo`."""

    length: int
    count: int
    size: int
    halo: int

    @property
    def work(self) -> int:
        return self.count * self.size

    def spans(self) -> list[tuple[slice, slice]]:
        """Return (seen, kept) of every tile."""
        step = self.size - 2 * self.halo
        starts = [min(i * step, self.length - self.size) for i in range(self.count)]
        edges = [0, *(start + self.halo for start in starts[1:]), self.length]
        return [(slice(a, a + self.size), slice(edges[i], edges[i + 1])) for i, a in enumerate(starts)]


def _axis_plans(length: int, contract: Contract) -> list[_AxisPlan]:
    """Return every sensible way to cut one axis, in ascending number of tiles."""
    halo = contract.padded(contract.halo)
    plans = [_AxisPlan(length, 1, length, halo)]
    for count in range(2, _MAX_TILES_PER_AXIS + 1):
        size = contract.padded(-(-(length + 2 * halo * (count - 1)) // count))
        if size <= 2 * halo or size >= plans[-1].size:
            break
        plans.append(_AxisPlan(length, count, size, halo))
    return plans
