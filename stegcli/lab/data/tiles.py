"""Covers cropped from large photographs: several from each, in the size of the lab's covers.

    photograph ─(shrunk by a third)─> tiles that do not overlap, far apart

Tiles of a photograph share its camera and its noise: comparisons must keep them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stegcli.errors import UsageError
from stegcli.lab.data import photos
from stegcli.lab.data.covers import COVER_SHAPE

__all__ = ["SHRINK", "Tile", "tiles_of"]

U8 = NDArray[np.uint8]

SHRINK: Final = 2 / 3
"""Shrinking by this factor removes the traces of the photograph's own JPEG and of demosaicing."""
LEAST_PHOTOGRAPHS: Final = 5
_DECODED: Final = 2
"""Photographs that a process keeps: that of the cover and that of the secret."""


@dataclass(frozen=True)
class Tile:
    """A part of a photograph, which is decoded when it is needed.

    Attributes:
        photograph: the photograph.
        top: first row in the shrunk photograph.
        left: first column in the shrunk photograph.
        shrink: the factor.
    """

    photograph: photos.ImageRef
    top: int
    left: int
    shrink: float = SHRINK

    @property
    def key(self) -> str:
        """Key of the photograph, with the position."""
        return f"{self.photograph.key}@{self.top},{self.left}"

    def load(self) -> U8:
        """Return the tile, (192, 256, 3) uint8."""
        height, width = COVER_SHAPE
        rgb = _shrunk(self.photograph, self.shrink)
        return np.ascontiguousarray(rgb[self.top : self.top + height, self.left : self.left + width])


def tiles_of(refs: Sequence[photos.ImageRef], each: int, shrink: float = SHRINK) -> list[Tile]:
    """Return `each` tiles from every photograph, in order; photographs with less room are left out.

    Raises:
        UsageError: fewer than five photographs are large enough.
    """
    found = []
    for ref in refs:
        with ref.open() as opened:
            size = round(opened.height * shrink), round(opened.width * shrink)
        rows, columns = (side // tile for side, tile in zip(size, COVER_SHAPE, strict=True))
        if rows * columns < each:
            continue
        for place in np.linspace(0, rows * columns - 1, each).round().astype(int).tolist():
            row, column = divmod(place, columns)
            found.append(Tile(ref, row * COVER_SHAPE[0], column * COVER_SHAPE[1], shrink))
    if len(found) < LEAST_PHOTOGRAPHS * each:
        raise UsageError(
            f"only {len(found) // each} photographs are large enough for {each} tiles",
            f"Give {LEAST_PHOTOGRAPHS} or more, or ask for fewer covers.",
        )
    return found


@lru_cache(maxsize=_DECODED)
def _shrunk(ref: photos.ImageRef, shrink: float) -> U8:
    """(H, W, 3) uint8, shrunk by Pillow's resampling."""
    with ref.open() as opened:
        size = round(opened.width * shrink), round(opened.height * shrink)
        return np.asarray(opened.convert("RGB").resize(size, Image.Resampling.LANCZOS))
