"""Find pixels of a stego that were overwritten, because they stand out from their surroundings.

A symbol that is known to be lost harms decoding less than a wrong one. The header's parities show how many
pixels were destroyed, and that number of the most suspicious pixels is taken; the parities of the others show
how many were missed.
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
"""Limit in grey levels, so that no overwritten pixel makes all of its surroundings look like texture."""
_CALM: Final = np.float32(4)
"""Grey levels added to the activity of the surroundings."""


def find(rgb: NDArray[np.uint8], share: float) -> NDArray[np.bool_]:
    """Return an (H, W) mask of about a `share`, 0..1, of the pixels of (H, W, 3) uint8: those most outlying.

    In photographs it finds most pixels that were given random colours, but misses those in texture.
    """
    outlyingness = np.concatenate(
        [_outlyingness(rgb, top, min(top + _STRIP_ROWS, len(rgb))) for top in range(0, len(rgb), _STRIP_ROWS)]
    )
    count = round(share * outlyingness.size)
    if count == 0:
        return np.zeros(outlyingness.shape, dtype=np.bool_)
    threshold = np.partition(outlyingness, outlyingness.size - count, axis=None)[outlyingness.size - count]
    found: NDArray[np.bool_] = outlyingness >= max(threshold, np.finfo(np.float32).tiny)
    return found


def _outlyingness(rgb: NDArray[np.uint8], top: int, bottom: int) -> NDArray[np.float32]:
    """Return (bottom - top, W): distance from the median of 3x3 pixels, relative to that in 5x5 around.

    Edges change the three channels alike and foreign colours do not, so that their disagreement counts, too.
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
    relative: NDArray[np.float32] = distance / (_CALM + around)
    return relative[top - first : bottom - first]
