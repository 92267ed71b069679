"""The contract of a method: what it is given, what it gives back, and the checks that all of them share.

Job (cover, secret, model, keys, wishes) ──> Method.hide   ──> Stego
Opened (header, keys, carriers), Models  ──> Method.reveal ──> Secret
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from stegcli.carriers.parity import MIN_PIXELS
from stegcli.carriers.pixels import OPAQUE
from stegcli.codecs.file_secret import FileSecret
from stegcli.envelope.header import MAX_SIZE
from stegcli.errors import ImageError, ModelError

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray

    from stegcli.carriers.jpeg_scan import JpegCover
    from stegcli.codecs.base import Picture
    from stegcli.envelope.head import Head
    from stegcli.envelope.header import Header
    from stegcli.envelope.keys import Keyring
    from stegcli.envelope.opening import Opened
    from stegcli.models.loading import Loader, Models
    from stegcli.progress import Progress

    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]
    Rectangles = tuple[tuple[slice, slice], ...]

__all__ = [
    "KINDS",
    "MIN_SIDE",
    "Ceiling",
    "Cover",
    "Facts",
    "Job",
    "JpegLoad",
    "Method",
    "Proof",
    "Secret",
    "Stego",
    "Wishes",
    "alpha_notices",
    "check_room",
    "check_secret",
    "decoder_of",
]

MIN_SIDE = 64
KINDS: Final = ("gray", "colour", "file")
"""Of secrets."""


@dataclass(frozen=True)
class Cover:
    """The picture that will carry.

    Attributes:
        rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8, or None if it is opaque.
        jpeg: the file that `rgb` was decoded from, where its coefficients shall carry and not the pixels.
        error: (R, C, 8, 8) float32, what rounding took from luma's coefficients, where the file was made just
            now: see `carriers.jpeg_fresh`.
    """

    rgb: Rgb
    alpha: Gray | None = None
    jpeg: JpegCover | None = None
    error: NDArray[np.float32] | None = None


class Ceiling(Protocol):
    """How much a cover may carry, by what somebody knows of detectors."""

    def most_bytes(self, cover: Cover) -> int:
        """Of a body, seal included, in these pixels or in the coefficients of `cover.jpeg`; maybe none."""


@dataclass(frozen=True)
class Wishes:
    """What a user asks of a method; each refuses what it cannot do.

    Attributes:
        favor: "cover", "balanced" or "secret": how to share out the quality.
        target: PSNR in dB that the revealed picture shall have; what is won by that goes into the stego.
            None for all that the method can give.
        ceiling: what the stego must stay under; then the secret is as good as that allows, and no better
            than `target`.
        survive: what the secret shall survive, a name of `methods.robust.profiles`; None for nothing.
    """

    favor: str = "balanced"
    target: float | None = None
    ceiling: Ceiling | None = None
    survive: str | None = None


@dataclass(frozen=True)
class Job:
    """One secret to hide in one cover.

    Attributes:
        cover: the picture that will carry.
        secret: (h, w) or (h, w, 3) uint8 of any size, or a file; what the method takes: see `Method.takes`. A
            picture is reduced if it does not fit.
        models: the networks of the caller.
        model: those among them to hide with, loaded while the keys are being derived; None for a method that
            needs none.
        keyring: the passphrase's keys.
        wishes: what the user asks for.
        salt: 16 bytes; random unless a test fixes them.
        progress: told the stage and the share of it that is done.
        reads_back: the caller will decode a sample of the result only, so the method itself makes sure that
            all it wrote can be read.
    """

    cover: Cover
    secret: Picture | FileSecret
    models: Models
    model: Loader | None
    keyring: Keyring
    wishes: Wishes = field(default_factory=Wishes)
    salt: bytes | None = None
    progress: Progress | None = None
    reads_back: bool = False

    @property
    def secret_gray(self) -> Gray:
        """The secret of a method that takes nothing but gray pictures."""
        if isinstance(self.secret, FileSecret) or self.secret.ndim != 2:
            raise TypeError("this method takes gray pictures")
        return self.secret

    @property
    def networks(self) -> Loader:
        """The model of a method that needs one."""
        if self.model is None:
            raise TypeError("this method needs a model")
        return self.model


@dataclass(frozen=True)
class Facts:
    """What a header tells beyond sizes.

    Attributes:
        model: 4 bytes that name the model; None where no network is needed to reveal.
        spread: cover pixels per symbol; 1 where a method has no choice.
        planes: planes of the code map that were sent, 1..64.
        shown_shape: (height, width) of the hidden picture; (0, 0) for a file.
        sigma: phase noise that the writer expected, in grey levels; None where there are no phases.
    """

    model: bytes | None
    spread: int
    planes: int
    shown_shape: tuple[int, int]
    sigma: float | None


@dataclass(frozen=True)
class JpegLoad:
    """How much a JPEG file carries.

    Attributes:
        rate: bits, head and all, per AC coefficient of luma that is not zero.
        step: mean of luma's quantisation table, 1 or more: the finer, the better the file's quality.
    """

    rate: float
    step: float


@dataclass(frozen=True)
class Proof:
    """That a secret was read again after something had been done to its stego.

    Attributes:
        channel: what was done, as users say it.
        opened: whether the secret came back.
        margin: by what share more information arrived than is needed.
    """

    channel: str
    opened: bool
    margin: float


@dataclass(frozen=True)
class Stego:
    """A stego and how it was made.

    Attributes:
        pixels: (H, W, 3) uint8; None for one that is a JPEG file.
        hidden: the secret as carried.
        header: what the stego says about itself.
        facts: the method's own part of it.
        device: where the encoder ran.
        notices: what the user may not expect, one sentence each.
        jpeg: the whole file, where coefficients carry.
        load: how much they carry.
        proofs: what it was tried on, if the method promises that it survives anything.
    """

    pixels: Rgb | None
    hidden: Picture | FileSecret
    header: Header | Head
    facts: Facts
    device: str
    notices: tuple[str, ...]
    jpeg: bytes | None = field(default=None, repr=False)
    load: JpegLoad | None = None
    proofs: tuple[Proof, ...] = ()

    @property
    def rgb(self) -> Rgb:
        """(H, W, 3) uint8: the pixels of a stego that hides in them."""
        if self.pixels is None:
            raise TypeError("this stego is a JPEG file")
        return self.pixels


@dataclass(frozen=True)
class Secret:
    """What was revealed.

    Attributes:
        content: (h, w) or (h, w, 3) uint8, at the size that was carried, or a file.
        model: id of the model that decoded it, or the family's name where none was needed.
        device: where the decoder ran.
        sample: rows and columns of the parts that were decoded; the rest of `content` is black. None if all
            of it was, as it always is unless a sample was asked for.
    """

    content: Picture | FileSecret
    model: str
    device: str
    sample: Rectangles | None = None


class Method(Protocol):
    """One way of hiding. Methods are arrays in, arrays out, and keep nothing between two calls."""

    @property
    def family(self) -> str:
        """Of the models that it runs, as their contracts name it."""

    @property
    def channels(self) -> Collection[int]:
        """How the headers of its stegos name it."""

    @property
    def has_models(self) -> bool:
        """Whether models of the family hide; else the method needs no model to be named."""

    @property
    def takes(self) -> Collection[str]:
        """Kinds of secrets, of `KINDS`."""

    @property
    def has_key(self) -> bool:
        """Whether a passphrase keeps the secret itself private, not only the header."""

    @property
    def has_runs(self) -> bool:
        """Whether the salts of many stegos may begin alike, and save most of their keys' work: see `keys`."""

    @property
    def has_jpeg(self) -> bool:
        """Whether it also hides in the coefficients of a JPEG file: see `Cover.jpeg`."""

    @property
    def has_ceiling(self) -> bool:
        """Whether it stays under `Wishes.ceiling`; others take no notice of it."""

    @property
    def shuns_jpeg_pixels(self) -> bool:
        """Whether it is taken in order not to be detected, so that pixels of a decoded JPEG are refused."""

    def hide(self, job: Job) -> Stego:
        """Hide a secret in a cover.

        Raises:
            ImageError: the cover is too small, or the secret has a side that no header can state.
            UsageError: a wish that the method cannot fulfil, or an empty passphrase.
        """

    def reveal(
        self, opened: Opened, models: Models, progress: Progress | None = None, *, sampled: bool = False
    ) -> Secret:
        """Decode an opened stego.

        Args:
            opened: what the keys opened.
            models: the networks of the caller.
            progress: told the share done.
            sampled: parts of the picture are enough, if the method can decode such.

        Raises:
            NothingFoundError: the header says what this stego cannot hold.
            ModelError: the model is not here, or is of another family.
        """

    def facts(self, opened: Opened) -> Facts:
        """What the header says in the method's own bytes.

        Raises:
            NothingFoundError: it says what this stego cannot hold.
        """

    def damage(self, opened: Opened) -> float:
        """Share of the pixels destroyed since the stego was written, 0..1, estimated."""


def alpha_notices(alpha: Gray | None, usable: NDArray[np.bool_] | None) -> tuple[str, ...]:
    """What the user must know of pixels that carry though they are half-transparent."""
    if alpha is None or int((alpha if usable is None else alpha[usable]).min()) == OPAQUE:
        return ()
    return (
        "half-transparent pixels carry a part of the secret: a program that multiplies colours by "
        "transparency when it saves, as a browser's canvas does, destroys it",
    )


def check_room(cover_rgb: Rgb, room: int) -> int:
    """Number of usable pixels -> the same, if a header fits; ImageError if not."""
    height, width = cover_rgb.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ImageError(
            f"the cover is {width}x{height}; at least {MIN_SIDE}x{MIN_SIDE} is needed", "Take a larger cover."
        )
    if room < MIN_PIXELS:
        raise ImageError(
            f"only {room} pixels of the cover are not fully transparent; {MIN_PIXELS} are needed",
            "Take a larger or less transparent cover.",
        )
    return room


def check_secret(secret_gray: Gray) -> None:
    """ImageError for a side that no header can state."""
    if max(secret_gray.shape) > MAX_SIZE:
        raise ImageError(f"the secret has a side of more than {MAX_SIZE} pixels", "Reduce it first.")


def decoder_of(models: Models, fingerprint: bytes, family: str) -> Loader:
    """The model that a header names, if it belongs to the family of the method that the header names.

    Raises:
        ModelError: it is not here, or is another family's.
    """
    model = models.fingerprinted(fingerprint)
    if model.family != family:
        raise ModelError(
            f"the picture was hidden by {family}; its model {model.id} is {model.family}",
            "Give the folder of the weights that it was hidden with: --weights DIR.",
        )
    return model
