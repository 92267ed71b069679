"""What hiding and revealing report, as objects and as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stegcli.codecs.file_secret import FileSecret
from stegcli.errors import UsageError
from stegcli.pictures import luma

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stegcli.methods.base import JpegLoad, Proof

    Array = NDArray[np.uint8]

__all__ = ["HideReport", "InfoReport", "RevealReport", "Size"]

Size = tuple[int, int]
"""(width, height), in the order that users expect."""

_HIDE_KEYS = (
    "stego model cover_size secret_size hidden_size spread bpp stego_psnr_db stego_ssim "
    "revealed_psnr_db revealed_ssim keyed device seconds"
)
_REVEAL_KEYS = "revealed model size secret_size keyed device seconds"
_INFO_KEYS = "stego model model_here size secret_size hidden_size spread planes bpp sigma damage keyed"


@dataclass(frozen=True)
class HideReport:
    """What was hidden, and what a receiver of the written file will see. Sizes are (width, height).

    Attributes:
        stego: the file written, or None.
        stego_psnr_db: stego against cover, RGB.
        stego_ssim: stego against cover, mean of the channels; None for pictures smaller than SSIM's window.
        secret_size: None for a file.
        hidden_size: size at which the secret was hidden; None for a file.
        secret_bytes: size of a file; None for a picture.
        revealed_psnr_db: revealed against secret, both at the secret's own size; infinite for a file.
        revealed_ssim: revealed against secret, at the secret's own size.
        spread: cover pixels per symbol.
        planes: how many of the secret's 64 planes were sent; see `stegcli.methods.phase.planes`.
        bpp: bits of the hidden picture per cover pixel.
        keyed: whether a passphrase was given.
        from_jpeg: whether the cover came from a JPEG file.
        cover_rgb: (H, W, 3) uint8, as read and scaled.
        family: the method's.
        has_key: whether the method encrypts the picture itself, and not only the header.
        stego_rgb: (H, W, 3) uint8, as read again from the file.
        stego_alpha: (H, W) uint8 or None.
        revealed_secret: (h, w) or (h, w, 3) uint8, what the receiver will see, or a file; None if only a
            sample of it was decoded.
        is_sample: whether the figures of the revealed picture are those of a sample of it.
        proofs: what the stego was put through and survived, if that was promised.
        notices: what the user may not expect, one sentence each.
        load: how much a JPEG file carries; None if the pixels carry.
    """

    stego: str | None
    model: str
    cover_size: Size
    secret_size: Size | None
    hidden_size: Size | None
    secret_bytes: int | None
    spread: int
    planes: int
    bpp: float
    stego_psnr_db: float
    stego_ssim: float | None
    revealed_psnr_db: float
    revealed_ssim: float | None
    keyed: bool
    has_key: bool
    family: str
    device: str
    seconds: float
    from_jpeg: bool
    cover_rgb: Array = field(repr=False)
    stego_rgb: Array = field(repr=False)
    stego_alpha: Array | None = field(repr=False)
    revealed_secret: Array | FileSecret | None = field(repr=False)
    is_sample: bool = False
    proofs: tuple[Proof, ...] = ()
    notices: tuple[str, ...] = ()
    load: JpegLoad | None = None

    @property
    def revealed_gray(self) -> Array:
        """(h, w) uint8: what the receiver will see, converted to gray."""
        if self.revealed_secret is None:
            raise UsageError("only a sample of the secret was decoded", "Reveal the stego.")
        return _in_gray(self.revealed_secret)

    def as_json(self) -> dict[str, Any]:
        """The object that `hide --json` prints."""
        values = _plain(self, _HIDE_KEYS, self.secret_bytes)
        if self.is_sample:
            values["sampled"] = True
        if not self.proofs:
            return values
        proofs = [{"channel": each.channel, "margin": round(each.margin, 3)} for each in self.proofs]
        return {**values, "survives": proofs}


@dataclass(frozen=True)
class RevealReport:
    """What was revealed. Sizes are (width, height).

    Attributes:
        revealed: the file written, or None.
        size: size of the revealed picture.
        secret_size: size of the secret before it was hidden.
        secret: (h, w) or (h, w, 3) uint8, or a file.
        notices: what the user may not expect, one sentence each.
    """

    revealed: str | None
    model: str
    size: Size | None
    secret_size: Size
    secret_bytes: int | None
    keyed: bool
    device: str
    seconds: float
    secret: Array | FileSecret = field(repr=False)
    notices: tuple[str, ...] = ()

    @property
    def revealed_gray(self) -> Array:
        """(h, w) uint8: the revealed picture, converted to gray."""
        return _in_gray(self.secret)

    def as_json(self) -> dict[str, Any]:
        """The object that `reveal --json` prints."""
        return _plain(self, _REVEAL_KEYS, self.secret_bytes)


@dataclass(frozen=True)
class InfoReport:
    """What a stego says about itself. Sizes are (width, height).

    Attributes:
        model: id of the model, or 8 digits that identify it if it is not installed.
        model_here: whether the model is installed, so that this machine can reveal.
        sigma: error of the phases as written, in grey levels; None if nothing is hidden in phases.
        damage: estimated share of the pixels that were destroyed since the stego was written.
    """

    stego: str
    model: str
    model_here: bool
    size: Size
    secret_size: Size | None
    hidden_size: Size | None
    secret_bytes: int | None
    spread: int
    planes: int
    bpp: float
    sigma: float | None
    damage: float
    keyed: bool

    def as_json(self) -> dict[str, Any]:
        """The object that `info --json` prints."""
        return _plain(self, _INFO_KEYS, self.secret_bytes)


def _in_gray(secret: Array | FileSecret) -> Array:
    if isinstance(secret, FileSecret):
        raise UsageError("the secret is a file, not a picture", "Take its bytes.")
    return secret if secret.ndim == 2 else luma.gray(secret)


def _plain(report: object, names: str, secret_bytes: int | None) -> dict[str, Any]:
    """The named attributes as JSON values: sizes as lists, an infinite PSNR (of equal pictures) as null.

    The size of a file is added if there is one.
    """
    values = {name: _plain_value(getattr(report, name)) for name in names.split()}
    return values if secret_bytes is None else {**values, "secret_bytes": secret_bytes}


def _plain_value(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
