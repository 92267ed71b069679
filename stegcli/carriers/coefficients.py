"""Which coefficients of a JPEG file carry, what a step of each costs, and how much a file can carry.

    coefficients of luma -> all AC, block by block -> steps of one (ternary) -> put back

Part of the file format: the carrying values are the 63 AC coefficients, zero or not, of every block of luma
that contains a sample of the picture; rows of blocks from the top, blocks from the left, and vertical
frequency first within a block. The set depends only on the size of the picture, so that it is the same in
cover and stego. DC, chroma, and the blocks that only pad the scan's last units never change.
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
"""Rate in bits per non-zero AC coefficient of luma up to which a detector does little better than guess, in
files of quality 90; in those of quality 75 it errs in about two cases of five (results/README.md)."""
MOST_RATE: Final = 0.2

_LEAST_DISCOUNT: Final = np.float32(0.05)
"""Least share of a price that is charged: no step is free, however close its rounding was."""
_HALF: Final = 0.499
_RATIONAL: Final = ((0, 4), (4, 0), (4, 4))
"""Frequencies with rational coefficients: rounding errors of exactly one half are common in them."""


def values(luma: I16) -> I16:
    """Return the carrying values in their order, (R, C, 8, 8) int16 -> (63 R C,) int16."""
    return _carrying(luma)


def put_back(luma: I16, written: I16) -> I16:
    """Return luma, (R, C, 8, 8), with the carrying values replaced by `written`, (63 R C,)."""
    blocks = luma.reshape(-1, 64).copy()
    blocks[:, 1:] = written.reshape(-1, 63)
    return blocks.reshape(luma.shape)


def step_prices(cover: JpegCover, error: F32 | None = None) -> Prices:
    """Return what a step up or down costs at each value: J-UNIWARD, infinite if the file has no code for it.

    Args:
        cover: the opened file.
        error: (R, C, 8, 8), the rounding error of each coefficient, -0.5..0.5, if it is known (see
            `jpeg_fresh`): a step towards the unrounded value costs only 1 - 2 |error| of its price.
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
    """Return how many bytes a file carries at a rate in bits per non-zero AC coefficient of luma."""
    return int(rate * non_zero_ac(cover) / 8)


def _discounts(error: F32) -> F32:
    magnitude = np.abs(error)
    discounts: F32 = np.maximum(1 - 2 * magnitude, _LEAST_DISCOUNT)
    for row, column in _RATIONAL:
        discounts[..., row, column][magnitude[..., row, column] > _HALF] = 1
    return discounts


def _carrying(luma: NDArray[T]) -> NDArray[T]:
    """(R, C, 8, 8) of any type -> (63 R C,), copied."""
    return luma.reshape(-1, 64)[:, 1:].ravel()
