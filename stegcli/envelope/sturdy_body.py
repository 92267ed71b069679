"""The body behind a sturdy head: sealed, laid out over a picture's blocks, and found again after cropping.

head of format 2 without the method's bytes (24) | payload -> ChaCha20-Poly1305 -> body
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from stegcli.carriers.blocks import activity
from stegcli.carriers.keyed_order import subkey
from stegcli.carriers.sturdy import MOST_FREQUENCIES, Ground, Pieces, activity_classes
from stegcli.carriers.tiles import TILE
from stegcli.cores import cores
from stegcli.envelope.head import OWN_BYTES, Head
from stegcli.errors import ChangedError, NothingFoundError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.carriers.blocks import Blocks
    from stegcli.carriers.streams import Keys
    from stegcli.carriers.tiles import Tile, Turn
    from stegcli.envelope.sturdy import SturdyHead

__all__ = ["MOST_FREQUENCIES", "OVERHEAD", "Layout", "layout_of", "received", "sealed"]

_HEAD_BYTES: Final = 24
_TAG_BYTES: Final = 16
OVERHEAD: Final = _HEAD_BYTES + _TAG_BYTES
"""Number of bytes by which a body is longer than its payload."""
_NONCE: Final = bytes(12)  # a body key seals only one body, since the salt is fresh for every stego

_LARGEST_LOSS: Final = 4
"""Largest factor by which a picture may have had more pixels than are left; otherwise no body is read."""
_SAMPLED: Final = 4096
"""Number of blocks used to locate a piece of a picture."""
_SEEN_FREQUENCIES: Final = 4


@dataclass(frozen=True)
class Layout:
    """Where a body lies, and how it is coded."""

    ground: Ground
    pieces: Pieces


def layout_of(head: SturdyHead, tile: Tile, keys: Keys) -> Layout:
    """Return the layout that a sturdy head describes.

    Raises:
        ValueError: no body of that length fits there.
    """
    blocks = tile.others(head.rows, head.columns)
    pieces = Pieces(head.body_bytes, len(blocks) * head.frequencies)
    if not pieces.fits:
        raise ValueError("a body that does not fit into its picture")
    return Layout(Ground.of(blocks, head.frequencies, head.quality, keys), pieces)


def sealed(head: Head, payload: bytes, sturdy: SturdyHead, keys: Keys) -> bytes:
    """Return the sealed body, `OVERHEAD` bytes longer than the payload."""
    plaintext = head.to_bytes()[:_HEAD_BYTES] + payload
    return _cipher(keys).encrypt(_NONCE, plaintext, sturdy.to_bytes())


def received(
    blocks: Blocks, turn: Turn | None, sturdy: SturdyHead, tile: Tile, keys: Keys
) -> tuple[Head, bytes]:
    """Read the body of a picture, or of a piece of it: its head of format 2, and the payload.

    Args:
        blocks: blocks of what is left of the picture, on its grid.
        turn: position of the first block in its tile; None if the picture was not cropped.
        sturdy: the sturdy head.
        tile: the locator's tile.
        keys: the salt's keys.

    Raises:
        NothingFoundError: the head states what this picture cannot hold.
        ChangedError: the body does not open.
    """
    if sturdy.rows * sturdy.columns > _LARGEST_LOSS * blocks.rows * blocks.columns:
        raise _lost()
    try:
        layout = layout_of(sturdy, tile, keys)
    except ValueError:
        raise NothingFoundError from None
    place = (0, 0) if turn is None else _place(blocks, turn, sturdy, layout.ground)
    coefficients, classes, seen = _in_place(blocks, place, sturdy, layout.ground)
    soft = layout.ground.soft(coefficients, classes, seen)
    used = layout.pieces.count * layout.pieces.share
    body, _ = layout.pieces.decode(soft[:used], cores())
    return _unsealed(body, sturdy, keys)


def _unsealed(body: bytes, sturdy: SturdyHead, keys: Keys) -> tuple[Head, bytes]:
    try:
        plaintext = _cipher(keys).decrypt(_NONCE, body, sturdy.to_bytes())
    except InvalidTag:
        raise _lost() from None
    if len(plaintext) < _HEAD_BYTES:
        raise NothingFoundError
    try:
        head = Head.from_bytes(plaintext[:_HEAD_BYTES] + bytes(OWN_BYTES))
    except ValueError:
        raise NothingFoundError from None
    return head, plaintext[_HEAD_BYTES:]


def _lost() -> ChangedError:
    return ChangedError(
        "a secret is hidden here, but it is lost: the picture was compressed harder than promised, or too "
        "much of it was cut off or changed",
        "Ask for another copy, or hide the secret again with a stronger promise, such as --survive jpeg:50.",
    )


def _cipher(keys: Keys) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(subkey(keys.header, b"robust/body"))


# --- pieces of a picture -


def _in_place(
    blocks: Blocks, place: tuple[int, int], sturdy: SturdyHead, ground: Ground
) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.bool_]]:
    """Return coefficients and classes of all blocks of the original picture, and which are present."""
    shape = sturdy.rows, sturdy.columns
    target, source = _overlap(shape, (blocks.rows, blocks.columns), place)
    own = activity_classes(activity(blocks).ravel()).reshape(blocks.rows, blocks.columns)
    found = blocks.coefficients(ground.frequencies).reshape(blocks.rows, blocks.columns, -1)
    coefficients = np.zeros((*shape, len(ground.frequencies)), np.float32)
    classes, seen = np.zeros(shape, np.intp), np.zeros(shape, np.bool_)
    coefficients[target], classes[target], seen[target] = found[source], own[source], True
    return coefficients.reshape(seen.size, -1), classes.ravel(), seen.ravel()


def _overlap(
    whole: tuple[int, int], part: tuple[int, int], place: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the overlap of a whole and a part that begins at block `place` of it, in both of them."""
    target, source = [], []
    for size, own, first in zip(whole, part, place, strict=True):
        begin, end = max(0, first), min(size, first + own)
        target.append(slice(begin, max(begin, end)))
        source.append(slice(begin - first, max(begin, end) - first))
    return (target[0], target[1]), (source[0], source[1])


def _place(blocks: Blocks, turn: Turn, sturdy: SturdyHead, ground: Ground) -> tuple[int, int]:
    """Return the block at which a piece begins: of all positions with that turn, the one that fits best."""
    down = _candidates(turn.row, sturdy.rows, blocks.rows)
    along = _candidates(turn.column, sturdy.columns, blocks.columns)
    frequencies = ground.frequencies[:_SEEN_FREQUENCIES]
    found = blocks.coefficients(frequencies).reshape(blocks.rows, blocks.columns, -1)
    places = [(row, column) for row in down for column in along]
    scores = [_fit(found, place, sturdy, ground) for place in places]
    if not scores or max(scores) <= 0:
        raise _lost()
    return places[int(np.argmax(scores))]


def _candidates(turn: int, whole: int, part: int) -> list[int]:
    """Return first rows of a part with that turn, with which some of it lies in the whole."""
    return [first for first in range(turn - TILE * (part // TILE + 1), whole, TILE) if first > -part]


def _fit(found: NDArray[np.float32], place: tuple[int, int], sturdy: SturdyHead, ground: Ground) -> float:
    """Return how well a piece fits: standard deviations of the mean of cos(2 pi t) above that of noise."""
    target, source = _overlap((sturdy.rows, sturdy.columns), found.shape[:2], place)
    index = np.full((sturdy.rows, sturdy.columns), -1, np.int64)
    index.ravel()[ground.blocks] = np.arange(len(ground.blocks))
    slots, part = index[target].ravel(), found[source].reshape(-1, found.shape[2])
    kept = np.flatnonzero(slots >= 0)
    if not len(kept):
        return 0.0
    kept = kept[:: max(1, len(kept) // _SAMPLED)]
    count = part.shape[1]
    t = part[kept] / ground.steps[:count] + ground.dither[slots[kept], :count]
    waves = np.cos(np.float32(2 * np.pi) * t)
    return float(waves.mean(dtype=np.float64) * np.sqrt(2 * waves.size))
