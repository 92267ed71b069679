"""The contract of a method: what it is given, what it gives back, and the checks that all of them share.

Job (cover, secret, model, keys, wishes) ──> Method.hide   ──> Stego
Opened (header, keys, carriers), Models  ──> Method.reveal ──> Secret
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from stegcli.carriers.parity import MIN_PIXELS
from stegcli.carriers.pixels import OPAQUE
from stegcli.envelope.header import MAX_SIZE
from stegcli.errors import ImageError, ModelError

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray

    from stegcli.envelope.header import Header
    from stegcli.envelope.keys import Keyring
    from stegcli.envelope.opening import Opened
    from stegcli.models.loading import Loader, Models
    from stegcli.progress import Progress

    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]

__all__ = [
    "MIN_SIDE",
    "Cover",
    "Facts",
    "Job",
    "Method",
    "Secret",
    "Stego",
    "Wishes",
    "alpha_notices",
    "check_room",
    "check_secret",
    "decoder_of",
]

MIN_SIDE = 64


@dataclass(frozen=True)
class Cover:
    """The picture that will carry.

    Attributes:
        rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8, or None if it is opaque.
    """

    rgb: Rgb
    alpha: Gray | None = None


@dataclass(frozen=True)
class Wishes:
    """What a user asks of a method; each refuses what it cannot do.

    Attributes:
        favor: "cover", "balanced" or "secret": how to share out the quality.
        target: PSNR in dB that the revealed picture shall have; what is won by that goes into the stego.
            None for all that the method can give.
    """

    favor: str = "balanced"
    target: float | None = None


@dataclass(frozen=True)
class Job:
    """One secret to hide in one cover.

    Attributes:
        cover: the picture that will carry.
        secret_gray: (h, w) uint8 of any size; reduced if it has more pixels than the cover can carry.
        model: the networks to hide with; they are loaded while the keys are being derived.
        keyring: the passphrase's keys.
        wishes: what the user asks for.
        salt: 16 bytes; random unless a test fixes them.
        progress: told the stage and the share of it that is done.
    """

    cover: Cover
    secret_gray: Gray
    model: Loader
    keyring: Keyring
    wishes: Wishes = field(default_factory=Wishes)
    salt: bytes | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class Facts:
    """What a header tells beyond sizes.

    Attributes:
        model: 4 bytes that name the model.
        spread: cover pixels per symbol; 1 where a method has no choice.
        planes: planes of the code map that were sent, 1..64.
        shown_shape: (height, width) of the hidden picture.
        sigma: phase noise that the writer expected, in grey levels; None where there are no phases.
    """

    model: bytes
    spread: int
    planes: int
    shown_shape: tuple[int, int]
    sigma: float | None


@dataclass(frozen=True)
class Stego:
    """A stego and how it was made.

    Attributes:
        rgb: (H, W, 3) uint8.
        hidden_gray: (h, w) uint8, the secret as carried.
        header: what the stego says about itself.
        facts: the method's own part of it.
        device: where the encoder ran.
        notices: what the user may not expect, one sentence each.
    """

    rgb: Rgb
    hidden_gray: Gray
    header: Header
    facts: Facts
    device: str
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Secret:
    """What was revealed.

    Attributes:
        gray: (h, w) uint8, at the size that was carried.
        model: id of the model that decoded it.
        device: where the decoder ran.
    """

    gray: Gray
    model: str
    device: str


class Method(Protocol):
    """One way of hiding. Methods are arrays in, arrays out, and keep nothing between two calls."""

    @property
    def family(self) -> str:
        """Of the models that it runs, as their contracts name it."""

    @property
    def channels(self) -> Collection[int]:
        """How the headers of its stegos name it."""

    @property
    def has_key(self) -> bool:
        """Whether a passphrase keeps the picture itself private, not only the header."""

    def hide(self, job: Job) -> Stego:
        """Hide a secret in a cover.

        Raises:
            ImageError: the cover is too small, or the secret has a side that no header can state.
            UsageError: a wish that the method cannot fulfil, or an empty passphrase.
        """

    def reveal(self, opened: Opened, models: Models, progress: Progress | None = None) -> Secret:
        """Decode an opened stego.

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
