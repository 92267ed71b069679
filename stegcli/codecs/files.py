"""Pictures as the data of AVIF and WebP files, with the encoders and decoders that Pillow includes.

Decoding is deterministic for gray. AV1 and VP8 define every sample of Y, Cb and Cr; the conversion to RGB is
up to the library, so that a lossy colour picture may differ by a level or two between releases of Pillow.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError, features

from stegcli.codecs import containers
from stegcli.codecs.base import Chroma, CodecId, Picture, SecretError, Shape
from stegcli.errors import MissingExtraError, UsageError, one_line

__all__ = ["AvifCodec", "WebpCodec", "WebpLosslessCodec", "has_avif"]

_QUANTIZERS: Final = 64
_DRAFT_SPEED: Final = 6
_FAST_DRAFT_SPEED: Final = 8
# Pixels up to which a slower speed of libaom is worthwhile. The next two speeds save another 1 or 2 %
# of the bytes, and take two or three times as long (benchmarks/codecs.py).
_SPEEDS: Final = ((1 << 19, 4),)
_PLUGINS: Final = {"AVIF": "AvifImagePlugin", "WEBP": "WebPImagePlugin"}
_MAX_SIDES: Final = {"AVIF": 16_384, "WEBP": 16_383}

# Everything that a decoder may raise on hostile bytes; Pillow promises no base class.
_FOREIGN: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    EOFError,
    RuntimeError,  # from the AVIF decoder
    MemoryError,
    struct.error,
    zlib.error,
    UnidentifiedImageError,
    Image.DecompressionBombError,
)


@lru_cache(maxsize=1)
def has_avif() -> bool:
    """Whether the installed Pillow reads and writes AVIF: from 11.3 on, unless it was built without."""
    # Older releases warn when they are asked about a feature that they do not know.
    return "avif" in features.modules and bool(features.check("avif"))


@dataclass(frozen=True)
class AvifCodec:
    """An AV1 still picture; level 63 - q stands for libaom's quantizer q in 0..63.

    Attributes:
        chroma: subsampling of colour pictures; gray ones have no chroma.
        looks: tune for SSIM instead of for PSNR.
    """

    chroma: Chroma = "4:4:4"
    looks: bool = False
    codec_id: CodecId = CodecId.AVIF
    levels: int = _QUANTIZERS

    def encode(self, picture: Picture, level: int, *, draft: bool = False) -> bytes:
        """See `Codec`; speed 4, or 6 for large pictures; drafts at 6 or 8."""
        _need_avif()
        _check_sides(picture.shape, "AVIF")
        try:
            return containers.avif_payload(self._file(picture, level, draft=draft))
        except (ValueError, LookupError, OSError, RuntimeError) as error:
            raise MissingExtraError(
                f"the installed Pillow cannot write the AVIF that is needed here ({one_line(error)})",
                "Install its newest release: pip install -U pillow",
            ) from error

    def _file(self, picture: Picture, level: int, *, draft: bool) -> bytes:
        return _saved(
            picture,
            "AVIF",
            codec="aom",
            # libavif turns 0..100 into its quantizer with the same rounding, so that levels stay distinct.
            quality=round(100 * level / (_QUANTIZERS - 1)),
            subsampling=self.chroma if picture.ndim == 3 else "4:0:0",
            speed=_speed(picture.shape[0] * picture.shape[1], draft=draft),
            autotiling=False,  # tiles help threads, but cost bytes
            max_threads=1,  # the same bytes on every machine
            advanced={"tune": "ssim" if self.looks else "psnr"},
        )

    def decode(self, payload: bytes, shape: Shape) -> Picture:
        """See `Codec`; `chroma` does not matter, since the data states it."""
        _need_avif()
        return _opened(containers.avif_file(payload, shape), "AVIF", shape)


@dataclass(frozen=True)
class WebpCodec:
    """A VP8 key frame; the level is libwebp's quality in 0..100. For a Pillow without AVIF."""

    codec_id: CodecId = CodecId.WEBP
    levels: int = 101

    def encode(self, picture: Picture, level: int, *, draft: bool = False) -> bytes:
        """See `Codec`."""
        _check_sides(picture.shape, "WEBP")
        return containers.vp8_payload(_saved(picture, "WEBP", quality=level, method=4 if draft else 6))

    def decode(self, payload: bytes, shape: Shape) -> Picture:
        """See `Codec`."""
        return _opened(containers.vp8_file(payload, shape), "WEBP", shape)


@dataclass(frozen=True)
class WebpLosslessCodec:
    """Exact pixels. libwebp finds palettes by itself, and packs two tones eight pixels to a byte."""

    codec_id: CodecId = CodecId.WEBP_LOSSLESS
    levels: int = 1

    def encode(self, picture: Picture, level: int = 0, *, draft: bool = False) -> bytes:
        """See `Codec`; a draft is up to a fifth longer and takes a tenth of the time."""
        del level
        _check_sides(picture.shape, "WEBP")
        # Quality 100 would try everything: 20 times slower, and not one per cent shorter.
        effort, method = (20, 1) if draft else (80, 6)
        return containers.vp8l_payload(_saved(picture, "WEBP", lossless=True, quality=effort, method=method))

    def decode(self, payload: bytes, shape: Shape) -> Picture:
        """See `Codec`."""
        return _opened(containers.vp8l_file(payload, shape), "WEBP", shape)


def _need_avif() -> None:
    if not has_avif():
        raise MissingExtraError(
            "this secret needs AVIF, which the installed Pillow does not support",
            "Install one that does: pip install -U pillow",
        )


def _check_sides(shape: Shape, format_name: str) -> None:
    most = _MAX_SIDES[format_name]
    if max(shape[:2]) > most:
        raise UsageError(
            f"a secret of {shape[1]}x{shape[0]} is too long for {format_name}",
            f"Give one of at most {most:,} pixels a side.",
        )


def _speed(pixels: int, *, draft: bool) -> int:
    if draft:
        return _DRAFT_SPEED if pixels <= _SPEEDS[-1][0] else _FAST_DRAFT_SPEED
    return next((speed for most, speed in _SPEEDS if pixels <= most), _DRAFT_SPEED)


def _load_plugin(format_name: str) -> None:
    """Load the one plugin that is needed; Pillow itself would load all of them, which takes 50 ms."""
    import_module(f"PIL.{_PLUGINS[format_name]}")


def _saved(picture: Picture, format_name: str, **options: object) -> bytes:
    """Return the bytes of the file."""
    _load_plugin(format_name)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format_name, **options)
    return file.getvalue()


def _opened(file: bytes, format_name: str, shape: Shape) -> Picture:
    """Decode the one picture with this shape in a file; nothing is decoded before its size is compared."""
    _load_plugin(format_name)
    try:
        with Image.open(io.BytesIO(file), formats=(format_name,)) as image:
            if image.size != (shape[1], shape[0]) or getattr(image, "n_frames", 1) != 1:
                raise SecretError("its size differs from what its header states")
            # Some decoders return a gray picture as R = G = B, which is exact either way.
            return np.array(image.convert("RGB" if len(shape) == 3 else "L"))
    except _FOREIGN as error:
        raise SecretError(one_line(error)) from error
