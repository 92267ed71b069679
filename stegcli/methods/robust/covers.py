"""Covers whose luma changes by coefficients of blocks: pixels, or the coefficients of a new JPEG file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from PIL import Image

from stegcli.carriers import jpeg_scan
from stegcli.carriers.blocks import Blocks, activity, box_means
from stegcli.carriers.jpeg_huffman import LARGEST_AC
from stegcli.carriers.pixels import OPAQUE
from stegcli.carriers.scatter import chunks
from stegcli.pictures import luma

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stegcli.carriers.jpeg_scan import JpegCover

    F32 = NDArray[np.float32]
    U8 = NDArray[np.uint8]

__all__ = ["FORBIDDEN", "Carrier", "Change", "JpegCarrier", "PixelsCarrier", "Written", "texture_prices"]

_REPAIRS: Final = 2
_TOLERATED: Final = np.float32(0.8)
"""Error of a coefficient in grey levels, due to clipping and rounding, that is not worth repairing."""
_BAND: Final = 256
"""Rows of pixels processed at a time."""

_TEXTURE: Final = np.float32(0.68)
"""How strongly busy blocks are preferred: the exponent of their activity."""
_QUIET: Final = np.float32(40)
"""Activity below which blocks are not distinguished."""
FORBIDDEN: Final = np.float32(6)
"""Decimal logarithm of the price of blocks that are not fully opaque."""


@dataclass(frozen=True, eq=False)
class Change:
    """A change of coefficients.

    Attributes:
        frequencies: the frequencies, see `blocks.FREQUENCIES`.
        values: (blocks, k) float32, what is added to them.
    """

    frequencies: tuple[int, ...]
    values: F32


@dataclass(frozen=True, eq=False)
class Written:
    """A stego as its receiver gets it if nothing happens to it.

    Attributes:
        rgb: (H, W, 3) uint8.
        jpeg: the file, if it is one.
    """

    rgb: U8
    jpeg: bytes | None = None


class Carrier(Protocol):
    """A cover, in whatever form."""

    @property
    def rgb(self) -> U8:
        """(H, W, 3) uint8."""

    @property
    def blocks(self) -> Blocks:
        """Blocks of its luma."""

    @property
    def prices(self) -> F32:
        """(blocks,) float32, decimal logarithms of the price of changing each block, 0 on average."""

    def written(self, changes: Sequence[Change]) -> Written:
        """Return the stego with these changes, as far as its samples allow."""


@dataclass(frozen=True, eq=False)
class PixelsCarrier:
    """A cover in pixels; a change of luma is added equally to red, green and blue.

    Attributes:
        rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8, or None.
    """

    rgb: U8
    alpha: U8 | None = None

    @cached_property
    def blocks(self) -> Blocks:
        """See `Carrier`."""
        return Blocks.of(luma.luma_levels(self.rgb))

    @cached_property
    def prices(self) -> F32:
        """See `Carrier`."""
        prices = texture_prices(self.blocks)
        if self.alpha is not None:
            opaque = Blocks.of(self.alpha.astype(np.float32)).samples.min(axis=1) + 128
            prices[opaque < OPAQUE] = FORBIDDEN
        return prices

    def written(self, changes: Sequence[Change]) -> Written:
        """See `Carrier`. What rounding and clipping destroyed is written again."""
        wanted = [self.blocks.coefficients(each.frequencies) + each.values for each in changes]
        stego = self._plus(self.rgb, changes)
        for _ in range(_REPAIRS):
            there = Blocks.of(luma.luma_levels(stego))
            missing = [
                Change(each.frequencies, _large(goal - there.coefficients(each.frequencies), each.values))
                for each, goal in zip(changes, wanted, strict=True)
            ]
            if not any(each.values.any() for each in missing):
                break
            stego = self._plus(stego, missing)
        return Written(stego)

    def _plus(self, rgb: U8, changes: Sequence[Change]) -> U8:
        stego = rgb.copy()
        added = sum_of(self.blocks, changes)
        width = added.shape[1]
        for rows in chunks(len(added), _BAND):
            levels = rgb[rows, :width].astype(np.float32) + added[rows, :, None]
            stego[rows, :width] = luma.to_uint8(levels)
        return stego


@dataclass(frozen=True, eq=False)
class JpegCarrier:
    """A JPEG file made for hiding, in which luma's coefficients change by whole steps.

    Attributes:
        file: the cover.
        rgb: (H, W, 3) uint8, the decoded picture.
    """

    file: JpegCover
    rgb: U8

    @cached_property
    def blocks(self) -> Blocks:
        """See `Carrier`; only whole blocks, as a reader of pixels counts them."""
        rows, columns = (side // 8 for side in self.rgb.shape[:2])
        exact = self.file.luma * self.file.luma_quantization.astype(np.float32)
        flat = exact[:rows, :columns].reshape(-1, 64).astype(np.float32)
        return Blocks(rows, columns, Blocks.samples_of(tuple(range(64)), flat))

    @cached_property
    def prices(self) -> F32:
        """See `Carrier`."""
        return texture_prices(self.blocks)

    def written(self, changes: Sequence[Change]) -> Written:
        """See `Carrier`."""
        steps = self.file.luma_quantization.ravel().astype(np.float32)
        added = np.zeros(self.blocks.samples.shape, np.float32)
        for each in changes:
            added[:, list(each.frequencies)] += each.values
        coefficients = self.file.luma.copy()
        whole = coefficients[: self.blocks.rows, : self.blocks.columns]
        moved = np.rint(added / steps).astype(np.int16).reshape(whole.shape)
        moved[..., 0, 0] = 0
        dc = whole[..., 0, 0].copy()
        whole[:] = np.clip(whole + moved, -LARGEST_AC, LARGEST_AC)
        whole[..., 0, 0] = dc
        data = jpeg_scan.write(self.file, coefficients)
        with Image.open(io.BytesIO(data)) as image:
            return Written(np.asarray(image.convert("RGB")), data)


def texture_prices(blocks: Blocks) -> F32:
    """(blocks,) float32: decimal logarithms of prices by texture, 0 on average; smooth ones cost more."""
    busy = activity(blocks)
    busy = np.minimum(busy, box_means(busy)).ravel()
    prices = -_TEXTURE * np.log10(busy + _QUIET)
    result: F32 = (prices - prices.mean()).astype(np.float32)
    return result


def sum_of(blocks: Blocks, changes: Sequence[Change]) -> F32:
    """(8 rows, 8 columns) float32: what changes add to luma."""
    total = blocks.plus(changes[0].frequencies, changes[0].values)
    for each in changes[1:]:
        total += blocks.plus(each.frequencies, each.values)
    return total


def _large(missing: F32, wanted: F32) -> F32:
    """Select errors worth repairing; coefficients that nobody wrote stay as rounding left them."""
    missing[(np.abs(missing) <= _TOLERATED) | (wanted == 0)] = 0
    return missing
