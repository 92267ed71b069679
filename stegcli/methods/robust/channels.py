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
_LOG_DISTORTION, _LOG_ENERGY = 14.75, 16.5
"""MozJPEG's lambda_log_scale1 and lambda_log_scale2 (cjpeg, jcext.c): a squared error of one step in an AC
coefficient weighs 64 * 2^14.75 / (2^16.5 + energy) bits, energy being the block's mean square of coefficients
that are eight times those of an orthonormal transform."""
_SCALE: Final = np.float32(64)
_BITS_OF_ONE: Final = np.float32(4.5)
"""That a coefficient of one step takes: a little more than fits best (4), so that the model is too strict."""
_BITS_OF_DIGIT: Final = np.float32(2)
"""That a coefficient takes more than one that is a step smaller and has a binary digit less."""
_DERINGING: Final = np.float32(0.5)
"""Share of the most by which deringing raises white samples beside others; how much depends on slopes."""
_MOST_RAISED: Final = 31
_WHITE: Final = np.float32(127)


class Channel(Protocol):
    """One thing that can happen to a stego."""

    @property
    def name(self) -> str:
        """Name in reports."""

    @property
    def doubt(self) -> float:
        """Share by which more of many bits must arrive than is needed, since the channel may be a model."""

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
    """MozJPEG, as it comes: its own table, deringing, and a trellis that weighs bits against errors.

    A model: no file is made. Where it saves more bits than the error is worth, the trellis takes a step less
    than rounding would, more readily in busy blocks. `benchmarks/survival.py` tries stegos on the encoder.
    """

    quality: int
    doubt: float = 0.02

    @property
    def name(self) -> str:
        """See `Channel`."""
        return f"MozJPEG {self.quality} (modelled)"

    def luma(self, stego_rgb: U8) -> F32:
        """See `Channel`."""
        steps = scaled_table(_FLAT_TABLE, self.quality).ravel().astype(np.float32)
        blocks = _deringed(Blocks.of(np.rint(luma.luma_levels(stego_rgb))), 2 * float(steps[0]))
        ac_steps = steps[list(FREQUENCIES)]
        exact = blocks.coefficients(FREQUENCIES)
        change = _rounded_cheaply(exact, ac_steps) * ac_steps - exact
        arrived: F32 = np.clip(np.rint(blocks.joined() + blocks.plus(FREQUENCIES, change)), 0, 255)
        return arrived


def _deringed(blocks: Blocks, most: float) -> Blocks:
    """With white samples raised where a block has others, which hides the ringing that clipping cuts off."""
    white = blocks.samples >= _WHITE
    count = white.sum(axis=1, dtype=np.float32)
    mixed = (count > 0) & (count < white.shape[1])
    if not mixed.any():
        return blocks
    samples = blocks.samples.copy()
    room = (_WHITE * white.shape[1] - samples[mixed].sum(axis=1)) / count[mixed]
    raised = _DERINGING * np.minimum(min(most, _MOST_RAISED), room)
    samples[mixed] += white[mixed] * raised[:, None]
    return Blocks(blocks.rows, blocks.columns, samples)


def _rounded_cheaply(exact: F32, steps: F32) -> F32:
    """(blocks, 63) float32 coefficients -> whole steps, rounded down where that saves more than it costs."""
    energy = _SCALE * np.einsum("nk,nk->n", exact, exact) / np.float32(exact.shape[1])
    per_square = _SCALE * np.float32(2**_LOG_DISTORTION) / (np.float32(2**_LOG_ENERGY) + energy)
    scaled = np.abs(exact / steps)
    nearest = np.rint(scaled)
    bits = np.where(nearest == 1, _BITS_OF_ONE, np.float32(0))
    bits[np.isin(nearest, (2, 4, 8, 16))] = _BITS_OF_DIGIT
    more_error = 2 * (scaled - nearest) + 1  # (scaled - nearest + 1)^2 - (scaled - nearest)^2
    less = more_error * per_square[:, None] < bits
    thrifty: F32 = np.copysign(nearest - less, exact)
    return thrifty
