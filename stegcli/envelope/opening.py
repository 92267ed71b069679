"""The way into a stego whose header lies in parities: locator, salt, keys, header. Needs no model.

stego, alpha ──> pixels that carry ──> places (locator) ──> salt ──> keys ──> header ──> Opened
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stegcli.carriers import parity
from stegcli.carriers.pixels import carrier_masks, carriers
from stegcli.envelope.header import draw_places, open_header, parity_plan, read_salt, seal
from stegcli.errors import ImageError, NothingFoundError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stegcli.carriers.streams import Keys
    from stegcli.envelope.header import Header
    from stegcli.envelope.keys import Keyring

    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]

__all__ = ["Opened", "check_sizes", "open_parities"]


@dataclass(frozen=True)
class Opened:
    """An opened stego.

    Attributes:
        stego_rgb: (H, W, 3) uint8.
        pixels: (n, 3) uint8, those that carry.
        header: what it says about itself.
        keys: derived from passphrase and salt.
        usable: (H, W) bool, which pixels carry; None if all do.
        plan: positions and bits of the header's parities as they were meant to be.
    """

    stego_rgb: Rgb
    pixels: Rgb
    header: Header
    keys: Keys
    usable: NDArray[np.bool_] | None
    plan: tuple[NDArray[np.int64], NDArray[np.uint8]]

    def destroyed_share(self, spared: int = 0) -> float:
        """Share of the pixels that were changed since, 0..1; `spared` parities were wrong from the start."""
        return parity.destroyed_share(self.pixels, *self.plan, spared)


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


def open_parities(stego_rgb: Rgb, alpha: Gray | None, keyring: Keyring) -> Opened:
    """Open the header that lies in the parities of a stego.

    Args:
        stego_rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8 or None.
        keyring: the passphrase's keys.

    Raises:
        NothingFoundError: nothing is hidden, the passphrase is wrong, or too much was destroyed.
    """
    *others, last = carrier_masks(alpha)
    for usable in others:
        try:
            return _opened(stego_rgb, usable, keyring)
        except NothingFoundError:
            continue  # written when half-transparent pixels still carried, or where they had to
    return _opened(stego_rgb, last, keyring)


def _opened(stego_rgb: Rgb, usable: NDArray[np.bool_] | None, keyring: Keyring) -> Opened:
    """What these pixels open; NothingFoundError if that is nothing."""
    pixels = carriers(stego_rgb, usable)
    count = len(pixels)
    if count < parity.MIN_PIXELS:
        raise NothingFoundError
    places = draw_places(count, keyring.locator(count))
    salt, group = read_salt(pixels, places)
    keys = keyring.keys(salt)
    header = open_header(pixels, keys, places, group)
    plan = parity_plan(count, salt, seal(header, keys), places, group)
    return Opened(stego_rgb, pixels, header, keys, usable, plan)
