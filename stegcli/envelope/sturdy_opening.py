"""Open a stego that was recompressed, cropped or resized, by its sturdy head.

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
"""Side in pixels of the piece in which the grid is searched: it contains every tile and bounds the time."""
_SURE: Final = 4.6
"""Least standard deviations of a turn that is tried: noise reaches 4.4 in 65,536 turns."""
_MOST_LOOKS: Final = 6


@dataclass(frozen=True)
class Grid:
    """Where blocks begin in what is left of a picture.

    Attributes:
        row: row of the first block, 0..7.
        column: column of the first block, 0..7.
        turn: position of the first block in its tile.
    """

    row: int
    column: int
    turn: Turn


def luma_of(stego_rgb: Rgb, jpeg: bytes | None) -> F32:
    """Return the luma of a stego, (H, W) float32, as stored in its JPEG file if it is one."""
    stored = None if jpeg is None else stored_luma(jpeg)
    if stored is None or stored.shape != stego_rgb.shape[:2]:
        return luma.luma_levels(stego_rgb)
    return stored.astype(np.float32)


def open_sturdy(levels: F32, keyring: Keyring) -> SturdyOpened:
    """Open a stego that has kept its size and its edges.

    Args:
        levels: (H, W) float32; see `luma_of`.
        keyring: the keys that belong to the passphrase.

    Raises:
        NothingFoundError: nothing is hidden, the passphrase is wrong, or the head is lost.
        ChangedError: the head opened, but the body did not.
    """
    locator = keyring.locator(0)
    return _opened(Blocks.of(levels), None, Tile.of(locator), keyring)


def open_sturdy_shifted(levels: F32, keyring: Keyring) -> SturdyOpened:
    """Open a stego whose edges were cropped, or to which a frame was added; as `open_sturdy`."""
    tile = Tile.of(keyring.locator(0))
    for grid in grids(levels, tile):
        blocks = Blocks.of(levels[grid.row :, grid.column :])
        try:
            return _opened(blocks, grid.turn, tile, keyring)
        except NothingFoundError:
            continue
    raise NothingFoundError


def grids(levels: F32, tile: Tile) -> list[Grid]:
    """Return possible starts of blocks and tiles, the likeliest first: those that stand out from noise."""
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
    """Return where the middle piece begins: at a whole number of tiles, so that turns stay the same."""
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
