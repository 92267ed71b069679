"""The contract of a codec, which turns a secret into bytes and bytes into the secret again.

    picture or file --encode--> payload, shape, codec id --(sealed, hidden, revealed)--> decode --> secret

The payload alone cannot be decoded: the id of the codec and the shape travel in the header. The shape is that
of the decoded uint8 array: (h, w) for gray, (h, w, 3) for colour, (n,) for a file of n bytes including its
name (see `stegcli.codecs.plain`). A decoder trusts the shape, which its caller has checked against its own
limits, and nothing in the payload: no payload makes it allocate more than the shape requires.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from stegcli.codecs.file_secret import FileSecret
from stegcli.errors import ExitCode, StegError, UsageError

__all__ = [
    "FAVOR",
    "MAX_PIXELS",
    "Budget",
    "Chroma",
    "Codec",
    "CodecId",
    "Encoded",
    "FileSecret",
    "Picture",
    "Rate",
    "Secret",
    "SecretError",
    "Shape",
    "Target",
    "Wishes",
    "check_picture",
]

Picture = NDArray[np.uint8]
"""(h, w) uint8 gray, or (h, w, 3) uint8 RGB."""
Shape = tuple[int, ...]

Chroma = Literal["4:4:4", "4:2:0"]

MAX_PIXELS: Final = 89_478_485
"""Largest secret picture. Above it Pillow warns of a decompression bomb, whoever asked for the picture."""


class CodecId(IntEnum):
    """Id of a codec, one byte of the file format. No id is ever given a second meaning; 7 and up are free."""

    STORED = 1
    DEFLATE = 2
    LZMA = 3
    WEBP_LOSSLESS = 4
    WEBP = 5
    AVIF = 6


class SecretError(StegError):
    """The bytes were found and opened, but they do not decode to a secret."""

    kind = "secret"
    exit_code = ExitCode.NOTHING_FOUND

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(
            f"the hidden secret cannot be decoded ({reason})",
            hint or "It was hidden by a newer stegcli, or not by stegcli at all: try the newest one.",
        )


Secret = Picture | FileSecret


@dataclass(frozen=True)
class Target:
    """The fewest bytes that reveal at this PSNR in dB (peak 255; over RGB for a colour picture)."""

    psnr_db: float

    def __post_init__(self) -> None:
        if not 0 < self.psnr_db <= 100:
            raise UsageError(
                f"no codec can aim at {self.psnr_db:g} dB",
                "Give a PSNR such as 40; 100 asks for no loss at all.",
            )


@dataclass(frozen=True)
class Budget:
    """The best quality within this many bytes, at a reduced size if necessary."""

    max_bytes: int

    def __post_init__(self) -> None:
        if self.max_bytes < 1:
            raise UsageError(f"nothing fits into {self.max_bytes} bytes", "Take a larger cover.")


@dataclass(frozen=True)
class Rate:
    """The best quality within this many bits per pixel of the secret."""

    bits_per_pixel: float

    def __post_init__(self) -> None:
        if not self.bits_per_pixel > 0:
            raise UsageError(
                f"nothing fits into {self.bits_per_pixel:g} bits per pixel", "Give a rate such as 0.5."
            )


FAVOR: Final = {"cover": Target(36.0), "balanced": Target(40.0), "secret": Target(46.0)}
"""Meaning of `--favor` for a picture that travels as bytes."""


@dataclass(frozen=True)
class Wishes:
    """What is wanted of an encoded secret picture.

    Attributes:
        goal: a quality or a size.
        quick: accept the result of the fast encoder, 5 to 10 % longer in a fraction of the time; above half a
            megapixel, a quarter to a third longer in half the time.
        looks: tune AVIF for the eye (SSIM) instead of for PSNR.
        chroma: "4:4:4" keeps colour at full resolution, "4:2:0" halves it. Halved, most photographs take more
            bytes for the same PSNR over RGB, and some never reach 36 dB (benchmarks/codecs.py).
    """

    goal: Target | Budget | Rate = FAVOR["balanced"]
    quick: bool = False
    looks: bool = False
    chroma: Chroma = "4:4:4"


@dataclass(frozen=True, eq=False)
class Encoded:
    """A secret encoded as bytes.

    Attributes:
        codec_id: codec that decodes it; goes into the header.
        payload: the bytes.
        shape: shape of what the payload decodes to; goes into the header.
        decoded: what the reader sees, scaled to the secret's own size even if a smaller one travels.
        psnr_db: PSNR of `decoded` against the secret; infinite if they are equal.
        encodes: how often a lossy encoder ran to find it, including drafts.
    """

    codec_id: CodecId
    payload: bytes
    shape: Shape
    decoded: Secret
    psnr_db: float
    encodes: int = 0


class Codec(Protocol):
    """A picture codec with numbered levels of quality, the best one last; a lossless codec has one level."""

    @property
    def codec_id(self) -> CodecId:
        """Its id in the file format."""
        ...

    @property
    def levels(self) -> int:
        """Number of levels of quality."""
        ...

    def encode(self, picture: Picture, level: int, *, draft: bool = False) -> bytes:
        """Encode a picture at a level in 0..levels - 1; a draft is fast and about as long as the result.

        Raises:
            UsageError: the codec cannot take this picture (its sides are too long).
            MissingExtraError: the installed Pillow does not support the format.
        """
        ...

    def decode(self, payload: bytes, shape: Shape) -> Picture:
        """Decode the picture with this shape; the result is the same on every call.

        Raises:
            SecretError: the payload does not hold such a picture.
            MissingExtraError: the installed Pillow does not support the format.
        """
        ...


def check_picture(picture: Picture) -> None:
    """Refuse anything but a uint8 picture of a size that codecs take.

    Raises:
        ValueError: another dtype or number of axes, which is a bug in the caller.
        UsageError: there are no pixels, or more than `MAX_PIXELS`.
    """
    gray = picture.ndim == 2
    if picture.dtype != np.uint8 or not (gray or (picture.ndim == 3 and picture.shape[2] == 3)):
        raise ValueError(f"a secret must be (h, w) or (h, w, 3) uint8, not {picture.shape} {picture.dtype}")
    pixels = picture.shape[0] * picture.shape[1]
    if not 0 < pixels <= MAX_PIXELS:
        raise UsageError(
            f"a secret of {pixels:,} pixels cannot be encoded", f"Give one of at most {MAX_PIXELS:,} pixels."
        )
