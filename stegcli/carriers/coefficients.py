"""Which coefficients of a JPEG file carry, what a step of each costs, and how much a file should bear.

    coefficients of luma -> all AC, block by block -> steps of one (ternary) -> the same, put back

Part of the file format: the values that carry are the 63 AC coefficients of every block of luma that holds a
sample of the picture, zero or not, block rows from the top, blocks from the left, in a block vertical
frequency first. The set depends on the size of the picture alone, so that it is the same in cover and stego.
DC never changes, nor chroma, nor the blocks that only fill the scan's last units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from stegcli.carriers.jpeg_costs import juniward_costs
from stegcli.carriers.jpeg_scan import encodable, non_zero_ac
from stegcli.carriers.ternary import Prices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.carriers.jpeg_scan import JpegCover

    I16 = NDArray[np.int16]
    F32 = NDArray[np.float32]
    T = TypeVar("T", bound=np.generic)

__all__ = ["MOST_RATE", "QUIET_RATE", "most_bytes", "put_back", "step_prices", "values"]

QUIET_RATE: Final = 0.1
"""Bits per AC coefficient of luma that is not zero, up to which a detector is nearly at a loss."""
MOST_RATE: Final = 0.2

_LEAST_DISCOUNT: Final = np.float32(0.05)
"""Of a price, what is left of it at the least: none is for nothing, be its rounding ever so close."""
_HALF: Final = 0.499
_RATIONAL: Final = ((0, 4), (4, 0), (4, 4))
"""Frequencies whose coefficients are rational: half steps come about in them also where nothing is noisy."""


def values(luma: I16) -> I16:
    """(R, C, 8, 8) int16 -> (63 R C,) int16: those that carry, in their order."""
    return _carrying(luma)


def put_back(luma: I16, written: I16) -> I16:
    """(R, C, 8, 8): luma with the values that carry replaced by `written`, (63 R C,)."""
    blocks = luma.reshape(-1, 64).copy()
    blocks[:, 1:] = written.reshape(-1, 63)
    return blocks.reshape(luma.shape)


def step_prices(cover: JpegCover, error: F32 | None = None) -> Prices:
    """What a step up or down costs at each value: J-UNIWARD, infinite where the file has no code for it.

    Args:
        cover: as opened.
        error: (R, C, 8, 8), what rounding took from each coefficient, -0.5 to 0.5, where that is known (see
            `jpeg_fresh`): a step towards the unrounded value costs 1 - 2 |error| of its price.
    """
    cost = juniward_costs(cover.luma, cover.luma_quantization)
    allowed = encodable(cover)
    up = _carrying(np.where(allowed.up, cost, np.float32(np.inf)))
    down = _carrying(np.where(allowed.down, cost, np.float32(np.inf)))
    del cost, allowed
    if error is not None:
        discount, towards = _carrying(_discounts(error)), _carrying(error)
        up[towards > 0] *= discount[towards > 0]
        down[towards < 0] *= discount[towards < 0]
    return Prices(up, down)


def most_bytes(cover: JpegCover, rate: float) -> int:
    """What a file bears at a rate in bits per AC coefficient of luma that is not zero."""
    return int(rate * non_zero_ac(cover) / 8)


def _discounts(error: F32) -> F32:
    magnitude = np.abs(error)
    discounts: F32 = np.maximum(1 - 2 * magnitude, _LEAST_DISCOUNT)
    for row, column in _RATIONAL:
        discounts[..., row, column][magnitude[..., row, column] > _HALF] = 1
    return discounts


def _carrying(luma: NDArray[T]) -> NDArray[T]:
    """(R, C, 8, 8) of any type -> (63 R C,), a copy."""
    return luma.reshape(-1, 64)[:, 1:].ravel()
