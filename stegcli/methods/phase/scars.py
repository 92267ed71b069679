"""Find pixels of a stego that somebody overwrote: they stand out from their surroundings.

A symbol that is known to be lost costs the decoder less than one that lies. How many pixels were destroyed is
known from the header's parities, so the most suspicious ones are taken, as many as that; what they miss, the
parities of the others tell again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageFilter

from stegcli.carriers.costs import box_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find"]

_REACH: Final = 2
_STRIP_ROWS: Final = 512
_CAP: Final = np.float32(40)
"""Grey levels: no scar makes all of its surroundings look like texture."""
_CALM: Final = np.float32(4)
"""Grey levels, added to the surroundings' own unrest."""


def find(rgb: NDArray[np.uint8], share: float) -> NDArray[np.bool_]:
    """(H, W, 3) uint8 and a share of its pixels, 0..1 -> (H, W) mask of about so many, the oddest ones.

    Of pixels of a photograph that were given random colours it finds most; those in texture it misses.
    """
    oddness = np.concatenate(
        [_oddness(rgb, top, min(top + _STRIP_ROWS, len(rgb))) for top in range(0, len(rgb), _STRIP_ROWS)]
    )
    count = round(share * oddness.size)
    if count == 0:
        return np.zeros(oddness.shape, dtype=np.bool_)
    threshold = np.partition(oddness, oddness.size - count, axis=None)[oddness.size - count]
    found: NDArray[np.bool_] = oddness >= max(threshold, np.finfo(np.float32).tiny)
    return found


def _oddness(rgb: NDArray[np.uint8], top: int, bottom: int) -> NDArray[np.float32]:
    """(bottom - top, W): distance to the median of 3x3 pixels, against the same in 5x5 around.

    Edges move the three channels alike, foreign colours do not: their disagreement counts, too.
    """
    margin = _REACH + 1
    first, last = max(0, top - margin), min(len(rgb), bottom + margin)
    strip = rgb[first:last]
    median = np.asarray(Image.fromarray(strip).filter(ImageFilter.MedianFilter(3)))
    residual = strip.astype(np.int16) - median
    disagreement = residual.max(axis=2) - residual.min(axis=2)
    distance = np.abs(residual).max(axis=2) + np.float32(0.5) * disagreement
    capped = np.minimum(distance, _CAP)
    side = 2 * _REACH + 1
    area = np.float32(side * side)
    around = (area * box_mean(np.pad(capped, _REACH, mode="reflect"), side) - capped) / (area - 1)
    odd: NDArray[np.float32] = distance / (_CALM + around)
    return odd[top - first : bottom - first]
