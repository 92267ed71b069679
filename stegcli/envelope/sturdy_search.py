"""Search for a stego that was resized, rotated, mirrored or put beside another picture, in bounded time.

A tile at nearly the right size stands out from noise (see `carriers.tiles`). A piece of a few
hundred pixels tolerates an error in size that a whole picture would not, so that sizes a sixth of a per cent
apart are close enough; near those that stand out, closer ones are tried on the whole picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from stegcli.carriers.blocks import Blocks
from stegcli.carriers.tiles import Tile
from stegcli.envelope.sturdy_opening import SturdyOpened, open_sturdy, open_sturdy_shifted
from stegcli.errors import NothingFoundError
from stegcli.progress import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from stegcli.envelope.keys import Keyring
    from stegcli.progress import Progress

    F32 = NDArray[np.float32]

__all__ = ["open_sturdy_searched"]

_PIECE: Final = 640
"""Side of the examined piece, in pixels of the original."""
_STEP: Final = 1.0016
_LEAST, _MOST = 0.4, 3.4
"""Least and largest factor by which a picture may have to be enlarged; factors are `_STEP` apart."""
_LIKELY: Final = (4 / 3, 2, 1.5, 1.25, 1.6, 3, 0.5, 2 / 3, 0.75)
"""Tried first: factors by which people and services commonly shrink or enlarge pictures."""
_SURE: Final = 5.0
_LOOKS: Final = 6
_NEAR_PIXELS: Final = 4
_MOST_PIXELS: Final = 1 << 26
"""Largest number of pixels of an enlarged picture that is examined as a whole."""


@dataclass(frozen=True, order=True)
class _Scale:
    """A factor at which a tile stands out."""

    score: float
    factor: float


def open_sturdy_searched(levels: F32, keyring: Keyring, progress: Progress | None = None) -> SturdyOpened:
    """Open a stego that was resized, or rotated or mirrored, and perhaps cropped as well.

    Args:
        levels: (H, W) float32, luma as received.
        keyring: the keys that belong to the passphrase.
        progress: called with the stage "search" and the share of it that is done.

    Raises:
        NothingFoundError: nothing is hidden, the passphrase is wrong, or the head is lost.
        ChangedError: the head opened, but the body did not.
    """
    tell(progress, "search")
    for other in (*_halves(levels), *_turned(levels)):
        try:
            return open_sturdy_shifted(other, keyring)
        except NothingFoundError:
            continue
    for scale in _scales(levels, Tile.of(keyring.locator(0)), progress):
        try:
            return _resized(levels, scale.factor, keyring)
        except NothingFoundError:
            continue
    raise NothingFoundError


def _halves(levels: F32) -> Iterator[F32]:
    """Yield the halves, each of which may be a stego disturbed by another one beside it."""
    rows, columns = (side // 2 for side in levels.shape)
    yield from (levels[:rows], levels[rows:], levels[:, :columns], levels[:, columns:])


def _turned(levels: F32) -> Iterator[F32]:
    """Yield the seven other orientations of a picture."""
    for flipped in (levels, levels[:, ::-1]):
        for quarters in range(4):
            if flipped is not levels or quarters:
                yield np.ascontiguousarray(np.rot90(flipped, quarters))


def _scales(levels: F32, tile: Tile, progress: Progress | None) -> list[_Scale]:
    """Return factors at which tiles stand out, clearest first; stop early at a clear and likely one."""
    factors = [factor for factor in _LIKELY if _LEAST <= factor <= _MOST]
    count = int(np.log(_MOST / _LEAST) / np.log(_STEP))
    every = [_LEAST * _STEP**number for number in range(count + 1)]
    found: list[_Scale] = []
    for number, factor in enumerate((*factors, *every)):
        score = _score(levels, factor, tile)
        if score > _SURE:
            found.append(_Scale(score, factor))
        if number == len(factors) and found:
            break
        if progress is not None:
            progress("search", number / (len(factors) + count))
    return sorted(found, reverse=True)[:_LOOKS]


def _score(levels: F32, factor: float, tile: Tile) -> float:
    """Return how clearly a tile stands out in the top left piece, at a factor."""
    height, width = (min(side, int(_PIECE / factor) + 1) for side in levels.shape)
    piece = levels[:height, :width]
    rows, columns = round(height * factor), round(width * factor)
    if min(rows, columns) < 128:
        return 0.0
    turns = tile.turns(Blocks.of(_scaled(piece, (rows, columns))), 1)
    return turns[0].score if (turns[0].row, turns[0].column) == (0, 0) else 0.0


def _resized(levels: F32, factor: float, keyring: Keyring) -> SturdyOpened:
    """Open at sizes near a factor, the nearest first."""
    height, width = levels.shape
    for rows, columns in _sizes(height, width, factor):
        if rows * columns > _MOST_PIXELS:
            continue
        try:
            return open_sturdy(_scaled(levels, (rows, columns)), keyring)
        except NothingFoundError:
            continue
    raise NothingFoundError


def _sizes(height: int, width: int, factor: float) -> Iterator[tuple[int, int]]:
    """Yield sizes of about the same shape, first those whose longer side is a round number."""
    rows, columns = round(height * factor), round(width * factor)
    yield rows, columns
    slack = max(_NEAR_PIXELS, round(max(rows, columns) * (_STEP - 1)))
    for off in sorted(range(-slack, slack + 1), key=abs):
        longer = max(rows, columns) + off
        shorter = longer * min(height, width) / max(height, width)
        for side in {int(shorter), int(shorter) + 1}:
            yield (longer, side) if height > width else (side, longer)


def _scaled(levels: F32, size: tuple[int, int]) -> F32:
    """(H, W) -> `size`, with Lanczos resampling."""
    image = Image.fromarray(levels)
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.LANCZOS))
