"""Simulate what happens to a picture in transit: real encoders, and a model of the strictest kind."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

import numpy as np
from PIL import Image

from stegcli.carriers.blocks import FREQUENCIES, Blocks, scaled_table
from stegcli.pictures import luma
from stegcli.pictures.stored import stored_luma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    U8 = NDArray[np.uint8]

__all__ = ["Channel", "Chroma", "Jpeg", "OtherEncoder", "Twice", "Webp"]

Chroma = Literal["4:4:4", "4:2:0"]

_FLAT_TABLE: Final = np.array(
    [
        [16, 16, 16, 18, 25, 37, 56, 85],
        [16, 17, 20, 27, 34, 40, 53, 75],
        [16, 20, 24, 31, 43, 62, 91, 135],
        [18, 27, 31, 40, 53, 74, 106, 156],
        [25, 34, 43, 53, 69, 94, 131, 189],
        [37, 40, 62, 74, 94, 124, 169, 238],
        [56, 53, 91, 106, 131, 169, 226, 311],
        [85, 75, 135, 156, 189, 238, 311, 418],
    ]
)
"""N. Robidoux's table for quality 50, an option of ImageMagick and MozJPEG's: coarse at low frequencies."""
_DEAD_ZONE: Final = np.float32(0.62)
"""Share of a step up to which an encoder that trades bits for errors sets a coefficient to zero."""


class Channel(Protocol):
    """One thing that can happen to a stego."""

    @property
    def name(self) -> str:
        """Name in reports."""

    @property
    def doubt(self) -> float:
        """Share by which more information must arrive than is needed, since the channel may be a model."""

    def luma(self, stego_rgb: U8) -> F32:
        """(H, W, 3) uint8 -> (H, W) float32, luma as it arrives."""


@dataclass(frozen=True)
class Jpeg:
    """JPEG written by libjpeg-turbo, as by most programs."""

    quality: int
    chroma: Chroma = "4:2:0"
    doubt: float = 0.0

    @property
    def name(self) -> str:
        """See `Channel`."""
        return f"JPEG {self.quality}" + (" 4:4:4" if self.chroma == "4:4:4" else "")

    def file(self, stego_rgb: U8) -> bytes:
        """Return the whole file."""
        file = io.BytesIO()
        Image.fromarray(stego_rgb).save(file, "JPEG", quality=self.quality, subsampling=self.chroma)
        return file.getvalue()

    def luma(self, stego_rgb: U8) -> F32:
        """See `Channel`."""
        stored = stored_luma(self.file(stego_rgb))
        if stored is None:
            raise ValueError("a JPEG made here has no luma")
        return stored.astype(np.float32)


@dataclass(frozen=True)
class Webp:
    """Lossy WebP written by libwebp."""

    quality: int
    doubt: float = 0.0

    @property
    def name(self) -> str:
        """See `Channel`."""
        return f"WebP {self.quality}"

    def luma(self, stego_rgb: U8) -> F32:
        """See `Channel`."""
        file = io.BytesIO()
        Image.fromarray(stego_rgb).save(file, "WEBP", quality=self.quality)
        with Image.open(file) as image:
            return luma.luma_levels(np.asarray(image.convert("RGB")))


@dataclass(frozen=True)
class Twice:
    """Two encoders, one after the other."""

    first: Jpeg
    second: Jpeg
    doubt: float = 0.0

    @property
    def name(self) -> str:
        """See `Channel`."""
        return f"{self.first.name}, then {self.second.name}"

    def luma(self, stego_rgb: U8) -> F32:
        """See `Channel`."""
        with Image.open(io.BytesIO(self.first.file(stego_rgb))) as image:
            return self.second.luma(np.asarray(image.convert("RGB")))


@dataclass(frozen=True)
class OtherEncoder:
    """A model of MozJPEG with its default settings: its own table, and a trellis that trades bits for errors.

    Such an encoder sets small coefficients to zero that rounding would keep. Coefficients are quantised here
    without making a file. For 2 of 80 stegos with 2 % to spare here, the real encoder was too strict.
    """

    quality: int
    doubt: float = 0.03

    @property
    def name(self) -> str:
        """See `Channel`."""
        return f"MozJPEG {self.quality} (modelled)"

    def luma(self, stego_rgb: U8) -> F32:
        """See `Channel`."""
        blocks = Blocks.of(luma.luma_levels(stego_rgb))
        steps = scaled_table(_FLAT_TABLE, self.quality).ravel()[list(FREQUENCIES)].astype(np.float32)
        exact = blocks.coefficients(FREQUENCIES)
        scaled = exact / steps
        kept = np.where(np.abs(scaled) < _DEAD_ZONE, np.float32(0), np.rint(scaled))
        arrived: F32 = np.rint(blocks.joined() + blocks.plus(FREQUENCIES, kept * steps - exact))
        return arrived
