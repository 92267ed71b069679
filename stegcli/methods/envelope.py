"""What every method shares: which pixels carry, what hiding gives back, and the header in front of it all.

cover, alpha ──> usable pixels, room for a header ──> one of the methods ──> HideOutcome
stego, alpha ──> usable pixels ──> locator ──> salt ──> keys ──> header ──> Received
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stegcli import container, scars
from stegcli.errors import ImageError, NothingFoundError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.container import Header
    from stegcli.keys import Keyring, Keys

    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]

__all__ = [
    "HideOutcome",
    "Received",
    "carriers",
    "check_room",
    "check_secret",
    "check_sizes",
    "put_back",
    "receive",
    "usable_pixels",
]

MIN_SIDE = 64
_MISSED = 0.1
"""Share of the scars that are taken to be hidden in texture, even where no parity says so."""


@dataclass(frozen=True)
class HideOutcome:
    """A stego and how it was made.

    Attributes:
        stego_rgb: (H, W, 3) uint8.
        hidden_gray: (h, w) uint8, the secret as carried.
        header: what the stego says about itself.
        device: where the encoder ran.
        notices: what the user may not expect, one sentence each.
    """

    stego_rgb: Rgb
    hidden_gray: Gray
    header: Header
    device: str
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Received:
    """An opened stego.

    Attributes:
        stego_rgb: (H, W, 3) uint8.
        pixels: (n, 3) uint8, its usable pixels.
        header: what it says about itself.
        keys: derived from passphrase and salt.
        damage: share of pixels destroyed since it was written, 0..1, estimated from the header's parities.
        usable: (H, W) bool, which pixels carry; None if all do.
        plan: positions and bits of the header's parities, and how many of them were left wrong.
    """

    stego_rgb: Rgb
    pixels: Rgb
    header: Header
    keys: Keys
    damage: float
    usable: NDArray[np.bool_] | None
    plan: tuple[NDArray[np.int64], NDArray[np.uint8], int]

    def scars(self) -> tuple[NDArray[np.bool_], float]:
        """(n,) pixels that look destroyed, and the share of the others that is, 0..1, by their parities."""
        marks = scars.find(self.stego_rgb, self.damage)
        seen = marks.reshape(-1) if self.usable is None else marks[self.usable]
        positions, bits, spared = self.plan
        sound = ~seen[positions].any(axis=1)
        left = round(spared * float(sound.mean()))
        unseen = container.destroyed_share(self.pixels, positions[sound], bits[sound], left)
        return seen, max(unseen, _MISSED * self.damage)


def usable_pixels(alpha: Gray | None) -> NDArray[np.bool_] | None:
    """(H, W) mask of the pixels that carry: those not fully transparent. None if that is all of them."""
    if alpha is None or alpha.all():
        return None
    return alpha > 0


def carriers(rgb: Rgb, usable: NDArray[np.bool_] | None) -> Rgb:
    """(n, 3) pixels that carry, in raster order."""
    return np.ascontiguousarray(rgb).reshape(-1, 3) if usable is None else rgb[usable]


def put_back(cover_rgb: Rgb, usable: NDArray[np.bool_] | None, written: Rgb) -> Rgb:
    """(H, W, 3): the cover with its carriers replaced by `written`, (n, 3)."""
    if usable is None:
        return written.reshape(cover_rgb.shape)
    stego_rgb = cover_rgb.copy()
    stego_rgb[usable] = written
    return stego_rgb


def check_room(cover_rgb: Rgb, room: int) -> int:
    """Number of usable pixels -> the same, if a header fits; ImageError if not."""
    height, width = cover_rgb.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ImageError(
            f"the cover is {width}x{height}; at least {MIN_SIDE}x{MIN_SIDE} is needed", "Take a larger cover."
        )
    if room < container.MIN_PIXELS:
        raise ImageError(
            f"only {room} pixels of the cover are not fully transparent; {container.MIN_PIXELS} are needed",
            "Take a larger or less transparent cover.",
        )
    return room


def check_secret(secret_gray: Gray) -> None:
    """ImageError for a side that no header can state."""
    if max(secret_gray.shape) > container.MAX_SIZE:
        raise ImageError(
            f"the secret has a side of more than {container.MAX_SIZE} pixels", "Reduce it first."
        )


def check_sizes(header: Header, max_pixels: int, *, original: bool = True) -> None:
    """Refuse pictures that a header speaks of before any memory is asked for.

    Whoever knows the key, which without a passphrase is everybody, can seal any size.

    Args:
        header: of an opened stego; that its symbols fit the carrier was seen when it was opened.
        max_pixels: most pixels of a picture that the caller wants to handle.
        original: whether the secret is brought back to the size that it once had.

    Raises:
        ImageError: one of them has more pixels.
    """
    sizes = [("carries", header.hidden_width, header.hidden_height)]
    if original:
        sizes.append(("gives back", header.secret_width, header.secret_height))
    for verb, width, height in sizes:
        if width * height > max_pixels:
            less = "take it as it was carried (size hidden), or " if verb == "gives back" else ""
            raise ImageError(
                f"the stego {verb} a picture of {width}x{height}, more than {max_pixels:,} pixels",
                f"If you trust whom it came from, {less}raise the limit (--max-pixels).",
            )


def receive(stego_rgb: Rgb, alpha: Gray | None, keyring: Keyring) -> Received:
    """Open a stego's header; needs no model.

    Args:
        stego_rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8 or None.
        keyring: the passphrase's keys.

    Raises:
        NothingFoundError: nothing is hidden, the passphrase is wrong, or too much was destroyed.
    """
    usable = usable_pixels(alpha)
    pixels = carriers(stego_rgb, usable)
    if len(pixels) < container.MIN_PIXELS:
        raise NothingFoundError
    locator = keyring.locator(len(pixels))
    salt, group = container.read_salt(pixels, locator)
    subkeys = keyring.keys(salt)
    header = container.open_header(pixels, subkeys, locator, group)
    if header.channel == container.ISGAN and _carried(header) != stego_rgb.shape[:2]:
        raise NothingFoundError
    positions, bits = container.parity_plan(
        len(pixels), salt, container.seal(header, subkeys), locator, group
    )
    spares = header.channel in container.SHARES and header.spread > 1
    plan = positions, bits, container.spared_count(len(bits)) if spares else 0
    damage = container.destroyed_share(pixels, *plan)
    return Received(stego_rgb, pixels, header, subkeys, damage, usable, plan)


def _carried(header: Header) -> tuple[int, int]:
    return header.hidden_height, header.hidden_width
