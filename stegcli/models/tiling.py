"""Cut a picture into overlapping tiles, so that memory does not grow with it.

A network takes about a hundred bytes a pixel while it runs. Tiles overlap by the receptive radius, so
no seam shows: every kept value is computed from the same inputs as in one piece, up to the order of
floating-point sums. All tiles of a picture have one shape, which lets the runtime reuse its memory.
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
"""Most pixels that a network sees at once; memory grows with it, repeated work at the overlaps falls."""

_MAX_TILES_PER_AXIS = 256
_SAMPLE_TILE_PIXELS = 1 << 17
_SAMPLED_SHARE = 1 / 8
"""Of a large picture's tiles, how many are enough to know its mean quality by."""


@dataclass(frozen=True)
class Tile:
    """A rectangle that the network sees, and the part of its answer that is kept.

    Attributes:
        rows: rows seen, in the padded picture.
        cols: columns seen.
        kept_rows: rows kept, also in the padded picture; the kept rectangles of a plan cover it once.
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
        """(C,h,w) of the tile -> the kept part of it, a view."""
        top, left = self.rows.start, self.cols.start
        rows = slice(self.kept_rows.start - top, self.kept_rows.stop - top)
        return seen[:, rows, self.kept_cols.start - left : self.kept_cols.stop - left]


def plan_tiles(height: int, width: int, contract: Contract, budget: int = TILE_PIXELS) -> list[Tile]:
    """Cut a padded picture into overlapping tiles of one shape, the least work that fits the budget.

    Args:
        height: rows, a multiple of the contract's.
        width: columns, likewise.
        contract: gives the overlap and the size rule.
        budget: most pixels per tile; exceeded only if the overlap alone asks for more.
    """
    pairs = [(y, x) for y in _axis_plans(height, contract) for x in _axis_plans(width, contract)]
    fitting = [(y, x) for y, x in pairs if y.size * x.size <= budget]
    if fitting:
        rows, cols = min(fitting, key=lambda plan: plan[0].work * plan[1].work)
    else:
        rows, cols = min(pairs, key=lambda plan: plan[0].size * plan[1].size)
    return [Tile(y[0], x[0], y[1], x[1]) for y in rows.spans() for x in cols.spans()]


def plan_sample(height: int, width: int, contract: Contract) -> list[Tile]:
    """Some tiles of a large padded picture: of every eight that follow each other, one that is drawn.

    Always the same ones for one size, so that two runs measure the same.

    Args:
        height: rows, a multiple of the contract's.
        width: columns, likewise.
        contract: gives the overlap and the size rule.
    """
    tiles = plan_tiles(height, width, contract, _SAMPLE_TILE_PIXELS)
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
        """(seen, kept) of every tile."""
        step = self.size - 2 * self.halo
        starts = [min(i * step, self.length - self.size) for i in range(self.count)]
        edges = [0, *(start + self.halo for start in starts[1:]), self.length]
        return [(slice(a, a + self.size), slice(edges[i], edges[i + 1])) for i, a in enumerate(starts)]


def _axis_plans(length: int, contract: Contract) -> list[_AxisPlan]:
    """Every sensible way to cut one axis, in ascending number of tiles."""
    halo = contract.padded(contract.halo)
    plans = [_AxisPlan(length, 1, length, halo)]
    for count in range(2, _MAX_TILES_PER_AXIS + 1):
        size = contract.padded(-(-(length + 2 * halo * (count - 1)) // count))
        if size <= 2 * halo or size >= plans[-1].size:
            break
        plans.append(_AxisPlan(length, count, size, halo))
    return plans
