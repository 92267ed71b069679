"""The way into a stego that was recompressed, cropped or resized: by its sturdy head.

luma ──blocks──> soft bits of all tiles ──> head ──> salt, keys ──> body ──> Opened
       └─ other grids, other turns of the tile, other sizes ─┘
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers.blocks import Blocks, activity
from stegcli.carriers.sturdy import activity_classes
from stegcli.carriers.tiles import TILE, Tile, Turn
from stegcli.envelope import sturdy, sturdy_body
from stegcli.envelope.opening import SturdyOpened
from stegcli.errors import NothingFoundError
from stegcli.pictures import luma
from stegcli.pictures.stored import stored_luma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.envelope.keys import Keyring

    F32 = NDArray[np.float32]
    Rgb = NDArray[np.uint8]

__all__ = ["SturdyOpened", "luma_of", "open_sturdy", "open_sturdy_shifted"]

_GRID: Final = 8
_MOST_SEARCHED: Final = 1536
"""Pixels along a side of the piece in which the grid is searched: it has every tile, and time is bounded."""
_SURE: Final = 4.6
"""Standard deviations from which a turn of the tile is worth a look: in 65,536 turns noise reaches 4.4."""
_MOST_LOOKS: Final = 6


@dataclass(frozen=True)
class Grid:
    """Where blocks begin in what is left of a picture.

    Attributes:
        row: of the first, 0..7.
        column: likewise.
        turn: how the first block lies in its tile.
    """

    row: int
    column: int
    turn: Turn


def luma_of(stego_rgb: Rgb, jpeg: bytes | None) -> F32:
    """(H, W) float32: luma of a stego, as its JPEG file stores it if it is one."""
    stored = None if jpeg is None else stored_luma(jpeg)
    if stored is None or stored.shape != stego_rgb.shape[:2]:
        return luma.luma_levels(stego_rgb)
    return stored.astype(np.float32)


def open_sturdy(levels: F32, keyring: Keyring) -> SturdyOpened:
    """Open a stego that has its size and its edges.

    Args:
        levels: (H, W) float32, see `luma_of`.
        keyring: the passphrase's keys.

    Raises:
        NothingFoundError: nothing is hidden, the passphrase is wrong, or the head is lost.
        ChangedError: the head opened and the body did not.
    """
    locator = keyring.locator(0)
    return _opened(Blocks.of(levels), None, Tile.of(locator), keyring)


def open_sturdy_shifted(levels: F32, keyring: Keyring) -> SturdyOpened:
    """Open a stego whose edges were cut, or to which a frame was added; as `open_sturdy`."""
    tile = Tile.of(keyring.locator(0))
    for grid in grids(levels, tile):
        blocks = Blocks.of(levels[grid.row :, grid.column :])
        try:
            return _opened(blocks, grid.turn, tile, keyring)
        except NothingFoundError:
            continue
    raise NothingFoundError


def grids(levels: F32, tile: Tile) -> list[Grid]:
    """Where blocks and tiles may begin, the likeliest first: those that stand out of noise."""
    top, left = (_begin(side) for side in levels.shape)
    piece = levels[top : top + _MOST_SEARCHED, left : left + _MOST_SEARCHED]
    if min(piece.shape) < 2 * _GRID:
        return []
    found = []
    for row in range(_GRID):
        for column in range(_GRID):
            turns = tile.turns(Blocks.of(piece[row:, column:]), 2)
            found += [Grid(row, column, turn) for turn in turns if turn.score > _SURE]
    found.sort(key=lambda grid: -grid.turn.score)
    return found[:_MOST_LOOKS]


def _begin(side: int) -> int:
    """Where the middle piece begins: whole tiles from the start, so that no turn differs."""
    return max(0, side - _MOST_SEARCHED) // 2 // (_GRID * TILE) * (_GRID * TILE)


def _opened(blocks: Blocks, turn: Turn | None, tile: Tile, keyring: Keyring) -> SturdyOpened:
    if min(blocks.rows, blocks.columns) < 1:
        raise NothingFoundError
    row, column = (0, 0) if turn is None else (turn.row, turn.column)
    classes = activity_classes(activity(blocks).ravel())
    head, salt = sturdy.opened(tile.soft(blocks, classes, row, column), keyring.locator(0))
    keys = keyring.keys(salt)
    whole = turn is None and (head.rows, head.columns) == (blocks.rows, blocks.columns)
    inner, payload = sturdy_body.received(blocks, None if whole else Turn(0.0, row, column), head, tile, keys)
    return SturdyOpened(keys, inner, head, payload)
