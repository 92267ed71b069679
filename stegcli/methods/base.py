"""The contract of a method: what it takes, what it returns, and the checks that all methods share.

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
"""The kinds of secrets."""


@dataclass(frozen=True)
class Cover:
    """The picture that will carry.

    Attributes:
        rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8, or None if it is opaque.
        jpeg: the file that `rgb` was decoded from, if its coefficients carry instead of the pixels.
        error: (R, C, 8, 8) float32, the rounding errors of luma's coefficients, if the file has just been
            made: see `carriers.jpeg_fresh`.
    """

    rgb: Rgb
    alpha: Gray | None = None
    jpeg: JpegCover | None = None
    error: NDArray[np.float32] | None = None


class Ceiling(Protocol):
    """How much a cover may carry, given what is known about detectors."""

    def most_bytes(self, cover: Cover) -> int:
        """Largest body in bytes, seal included, for the pixels, or the coefficients of `cover.jpeg`."""


@dataclass(frozen=True)
class Wishes:
    """What a user asks of a method, which refuses what it cannot do.

    Attributes:
        favor: "cover", "balanced" or "secret": which picture gets more of the quality.
        target: PSNR in dB that the revealed picture should have; anything beyond it benefits the stego.
            None asks for all that the method can give.
        ceiling: limit that the stego must respect; the secret is then as good as it allows, but no better
            than `target`.
        survive: what the secret must survive, a name in `methods.robust.profiles`; None for nothing.
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
        secret: (h, w) or (h, w, 3) uint8 of any size, or a file, of a kind in `Method.takes`. A picture is
            reduced if it does not fit.
        models: the caller's networks.
        model: the model to hide with, loaded while the keys are being derived; None for a method that needs
            none.
        keyring: the keys that belong to the passphrase.
        wishes: what the user asks for.
        salt: 16 bytes; random unless a test fixes them.
        progress: called with the stage and the share of it that is done.
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
        """The secret, for a method that takes only gray pictures."""
        if isinstance(self.secret, FileSecret) or self.secret.ndim != 2:
            raise TypeError("this method takes gray pictures")
        return self.secret

    @property
    def networks(self) -> Loader:
        """The model, for a method that needs one."""
        if self.model is None:
            raise TypeError("this method needs a model")
        return self.model


@dataclass(frozen=True)
class Facts:
    """What a header says apart from sizes.

    Attributes:
        model: 4 bytes that identify the model; None if revealing needs no network.
        spread: cover pixels per symbol; 1 if the method has no choice.
        planes: planes of the code map that were sent, 1..64.
        shown_shape: (height, width) of the hidden picture; (0, 0) for a file.
        sigma: phase noise that the writer expected, in grey levels; None if there are no phases.
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
        rate: bits, including the head, per non-zero AC coefficient of luma.
        step: mean of luma's quantisation table, at least 1: the smaller, the better the quality of the file.
    """

    rate: float
    step: float


@dataclass(frozen=True)
class Proof:
    """Proof that a secret can be read after something was done to its stego.

    Attributes:
        channel: what was done, in the words of users.
        opened: whether the secret came back.
        margin: share by which more information arrived than is needed.
    """

    channel: str
    opened: bool
    margin: float


@dataclass(frozen=True)
class Stego:
    """A stego and how it was made.

    Attributes:
        pixels: (H, W, 3) uint8; None if the stego is a JPEG file.
        hidden: the secret as carried.
        header: what the stego says about itself.
        facts: the method's own part of the header.
        device: where the encoder ran.
        notices: what the user may not expect, one sentence each.
        jpeg: the whole file, if coefficients carry.
        load: how much they carry.
        proofs: what the stego was put through, if the method promises that it survives anything.
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
        """(H, W, 3) uint8: the pixels, for a stego that hides in pixels."""
        if self.pixels is None:
            raise TypeError("this stego is a JPEG file")
        return self.pixels


@dataclass(frozen=True)
class Secret:
    """What was revealed.

    Attributes:
        content: (h, w) or (h, w, 3) uint8, at the size that the stego carries, or a file.
        model: id of the model that decoded it, or the name of the family if none was needed.
        device: where the decoder ran.
        sample: rows and columns of the parts that were decoded; the rest of `content` is black. None if all
            of it was, as it always is unless a sample was asked for.
    """

    content: Picture | FileSecret
    model: str
    device: str
    sample: Rectangles | None = None


class Method(Protocol):
    """One way of hiding. Methods take and return arrays, and keep no state between calls."""

    @property
    def family(self) -> str:
        """Family of the models that it runs, as named in their contracts."""

    @property
    def channels(self) -> Collection[int]:
        """Numbers by which the headers of its stegos name it."""

    @property
    def has_models(self) -> bool:
        """Whether it hides with models; if not, no model needs to be named."""

    @property
    def takes(self) -> Collection[str]:
        """The kinds of secrets that it takes, among `KINDS`."""

    @property
    def has_key(self) -> bool:
        """Whether a passphrase protects the secret itself, and not only the header."""

    @property
    def has_runs(self) -> bool:
        """Whether salts of many stegos may begin alike, which saves key derivations: see `keys`."""

    @property
    def has_jpeg(self) -> bool:
        """Whether it can also hide in the coefficients of a JPEG file: see `Cover.jpeg`."""

    @property
    def has_ceiling(self) -> bool:
        """Whether it respects `Wishes.ceiling`; other methods ignore it."""

    @property
    def refuses_jpeg_pixels(self) -> bool:
        """Whether it refuses the pixels of a decoded JPEG, because it is meant to stay undetected."""

    def hide(self, job: Job) -> Stego:
        """Hide a secret in a cover.

        Raises:
            ImageError: the cover is too small, or the secret has a side too long for a header to state.
            UsageError: the method cannot fulfil a wish, or the passphrase is empty.
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
            NothingFoundError: the header claims what this stego cannot hold.
            ModelError: the model is not installed, or belongs to another family.
        """

    def facts(self, opened: Opened) -> Facts:
        """Read the part of the header that belongs to the method.

        Raises:
            NothingFoundError: it claims what this stego cannot hold.
        """

    def damage(self, opened: Opened) -> float:
        """Estimated share, 0..1, of the pixels that were destroyed since the stego was written."""


def alpha_notices(alpha: Gray | None, usable: NDArray[np.bool_] | None) -> tuple[str, ...]:
    """What the user must know about half-transparent pixels that carry."""
    if alpha is None or int((alpha if usable is None else alpha[usable]).min()) == OPAQUE:
        return ()
    return (
        "half-transparent pixels carry a part of the secret: a program that multiplies colours by "
        "transparency when it saves, as a browser's canvas does, destroys it",
    )


def check_room(cover_rgb: Rgb, room: int) -> int:
    """Return the number of usable pixels if a header fits into them; ImageError if not."""
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
    """Raise an ImageError if a side is too long for a header to state."""
    if max(secret_gray.shape) > MAX_SIZE:
        raise ImageError(f"the secret has a side of more than {MAX_SIZE} pixels", "Reduce it first.")


def decoder_of(models: Models, fingerprint: bytes, family: str) -> Loader:
    """The model that a header names, which must belong to the family that the header names.

    Raises:
        ModelError: it is not installed, or belongs to another family.
    """
    model = models.fingerprinted(fingerprint)
    if model.family != family:
        raise ModelError(
            f"the picture was hidden by {family}, but its model {model.id} belongs to {model.family}",
            "Give the folder with the weights that it was hidden with: --weights DIR.",
        )
    return model
