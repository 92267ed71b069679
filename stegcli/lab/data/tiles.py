"""Covers cut out of large photographs: several of each, in the size of the lab's covers.

    photograph ─(shrunk by a third)─> tiles that do not overlap, far apart

Tiles of one photograph share its camera and its noise: whoever compares them keeps them together.
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
"""What the photograph's own JPEG and its demosaicing left in the pixels is gone after this."""
LEAST_PHOTOGRAPHS: Final = 5
_DECODED: Final = 2
"""Photographs that a process keeps: that of the cover and that of the secret."""


@dataclass(frozen=True)
class Tile:
    """A part of a photograph that is decoded when it is its turn.

    Attributes:
        photograph: of which it is.
        top: its first row in the shrunk photograph.
        left: its first column there.
        shrink: the factor.
    """

    photograph: photos.ImageRef
    top: int
    left: int
    shrink: float = SHRINK

    @property
    def key(self) -> str:
        """The photograph's, and the place."""
        return f"{self.photograph.key}@{self.top},{self.left}"

    def load(self) -> U8:
        """(192, 256, 3) uint8."""
        height, width = COVER_SHAPE
        rgb = _shrunk(self.photograph, self.shrink)
        return np.ascontiguousarray(rgb[self.top : self.top + height, self.left : self.left + width])


def tiles_of(refs: Sequence[photos.ImageRef], each: int, shrink: float = SHRINK) -> list[Tile]:
    """Tiles of photographs, in their order, `each` of one; those that have not so many are left out.

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
    """(H, W, 3) uint8, by Pillow's own resampling."""
    with ref.open() as opened:
        size = round(opened.width * shrink), round(opened.height * shrink)
        return np.asarray(opened.convert("RGB").resize(size, Image.Resampling.LANCZOS))
