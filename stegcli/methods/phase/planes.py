"""The 64 planes of a code map, in order of importance, of which all or only the first are sent.

The map has one symbol per pixel of the secret. Each 8x8 block has one place in every plane, dispersed
like an ordered dither: the first plane is every eighth pixel of every eighth row, the first four are every
fourth, the first sixteen every second, and all 64 every pixel. With fewer planes the same cover gives each
symbol more pixels, so that the stego changes less and the revealed secret is less sharp.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["ALL_PLANES", "BLOCK_SIDE", "PLANE_OF_PLACE", "count_sent", "padded", "sent"]

BLOCK_SIDE: Final = 8
"""Side of a block in pixels."""
ALL_PLANES: Final = BLOCK_SIDE * BLOCK_SIDE
"""Number of planes in the full-resolution map."""


def _plane_of(row: int, column: int) -> int:
    """Return the rank of a place: the lowest bits decide most, and diagonal neighbours come first."""
    rank = 0
    for bit in range(3):
        down, right = row >> bit & 1, column >> bit & 1
        rank = 4 * rank + (2 * (down ^ right) + down)
    return rank


PLANE_OF_PLACE: Final = tuple(
    tuple(_plane_of(row, column) for column in range(BLOCK_SIDE)) for row in range(BLOCK_SIDE)
)
"""8x8 ranks 0..63: plane `p` of a map consists of the places with rank p."""


def sent(shape: tuple[int, int], planes: int) -> npt.NDArray[np.bool_]:
    """Return the (height, width) mask of the symbols in the first `planes` planes."""
    height, width = shape
    block = np.array(PLANE_OF_PLACE) < planes
    return np.tile(block, (-(-height // BLOCK_SIDE), -(-width // BLOCK_SIDE)))[:height, :width]


def count_sent(shape: tuple[int, int], planes: int) -> int:
    """Count the symbols in the first `planes` planes by blocks, without the mask."""
    (rows, more_rows), (columns, more_columns) = (divmod(side, BLOCK_SIDE) for side in shape)
    block = np.array(PLANE_OF_PLACE) < planes
    per_row = columns * block.sum(axis=1) + block[:, :more_columns].sum(axis=1)
    return int(rows * per_row.sum() + per_row[:more_rows].sum())


def padded(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) in whole blocks that holds the given one."""
    height, width = (-(-side // BLOCK_SIDE) * BLOCK_SIDE for side in shape)
    return height, width
