"""The size at which a picture is hidden in phases: its own if there is room, and whole blocks of planes.

A network spreads what a block of 8x8 says over all of its places. Of a block that is cut off at the edge the
decoder sees the less: hidden without a margin, 1x400 pixels came back at 19 dB and 100x100 at 33, where a
margin gives 45 and 47 (phase-v1, a photograph in a cover of 256x256).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stegcli.methods.phase.planes import ALL_PLANES, BLOCK_SIDE, count_sent, padded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Gray = NDArray[np.uint8]

__all__ = ["fit", "in_whole_blocks"]


def fit(shape: tuple[int, ...], room: int) -> tuple[int, int]:
    """The (height, width) at which a picture is hidden in `room` pixels: its own if it has at most so many.

    A smaller one keeps about the aspect, which `reveal` gives back exactly, and is of whole blocks where that
    leaves any.
    """
    height, width = shape
    if height * width <= room:
        return height, width
    scale = math.sqrt(room / (height * width))
    fitted_height = _whole_blocks(height * scale, min(height, room))
    return fitted_height, _whole_blocks(width * scale, min(width, room // fitted_height))


def in_whole_blocks(gray: Gray, room: int | None = None, planes: int = ALL_PLANES) -> Gray:
    """(h, w) uint8 -> the same with its edge repeated below and to the right, up to whole blocks.

    As it is where so many planes of that have more than `room` symbols.
    """
    whole = padded((gray.shape[0], gray.shape[1]))
    if room is not None and count_sent(whole, planes) > room:
        return gray
    return np.pad(gray, [(0, whole[0] - gray.shape[0]), (0, whole[1] - gray.shape[1])], mode="edge")


def _whole_blocks(side: float, most: int) -> int:
    """The multiple of a block's side nearest to `side` and at most `most`; `most` itself below one block."""
    if most < BLOCK_SIDE:
        return most
    nearest = max(1, round(side / BLOCK_SIDE)) * BLOCK_SIDE
    return min(nearest, most // BLOCK_SIDE * BLOCK_SIDE)
