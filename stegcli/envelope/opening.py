"""The ways into a stego, by which its header is found. None needs a model.

stego, alpha ──> pixels that carry ──┐
JPEG file ──> luma's coefficients ───┴─> places (locator) ──> salt ──> keys ──> header ──> Opened

A header of format 1 lies in parities of pixels, one of format 2 in bits of pixels' or coefficients' steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stegcli.carriers import coefficients, parity
from stegcli.carriers.jpeg_scan import read_luma
from stegcli.carriers.pixels import carrier_masks, carriers
from stegcli.envelope import head
from stegcli.envelope.header import draw_places, open_header, parity_plan, read_salt, seal
from stegcli.errors import ImageError, NothingFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from stegcli.carriers.streams import Keys
    from stegcli.envelope.head import Head
    from stegcli.envelope.header import Header
    from stegcli.envelope.keys import Keyring

    I16 = NDArray[np.int16]
    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]
    Mask = NDArray[np.bool_] | None
    Way = Callable[[Rgb, Mask, Keyring], "Opened"]

__all__ = [
    "CoefficientsOpened",
    "Opened",
    "ParitiesOpened",
    "PixelsOpened",
    "SamplesOpened",
    "check_sizes",
    "open_coefficients",
    "open_parities",
    "open_parities_of_run",
    "open_samples",
]


@dataclass(frozen=True)
class Opened:
    """An opened stego.

    Attributes:
        keys: derived from passphrase and salt.
        header: what it says about itself.
    """

    keys: Keys
    header: Header | Head


@dataclass(frozen=True)
class PixelsOpened(Opened):
    """One that hides something in its pixels.

    Attributes:
        stego_rgb: (H, W, 3) uint8.
        pixels: (n, 3) uint8, those that carry.
        usable: (H, W) bool, which pixels carry; None if all do.
    """

    stego_rgb: Rgb
    pixels: Rgb
    usable: NDArray[np.bool_] | None


@dataclass(frozen=True)
class ParitiesOpened(PixelsOpened):
    """By a header in parities.

    Attributes:
        plan: positions and bits of the header's parities as they were meant to be.
    """

    header: Header
    plan: tuple[NDArray[np.int64], NDArray[np.uint8]]

    def destroyed_share(self, spared: int = 0) -> float:
        """Share of the pixels that were changed since, 0..1; `spared` parities were wrong from the start."""
        return parity.destroyed_share(self.pixels, *self.plan, spared)


@dataclass(frozen=True)
class SamplesOpened(PixelsOpened):
    """By a head in samples.

    Attributes:
        places: (m,) int64, the pixels that the head has to itself.
    """

    header: Head
    places: NDArray[np.int64]


@dataclass(frozen=True)
class CoefficientsOpened(Opened):
    """By a head in the coefficients of a JPEG file.

    Attributes:
        values: (n,) int16, all that may carry: see `carriers.coefficients`.
        places: (m,) int64, those that the head has to itself.
    """

    header: Head
    values: I16
    places: NDArray[np.int64]


def check_sizes(header: Header | Head, max_pixels: int, *, original: bool = True) -> None:
    """Refuse pictures that a header speaks of before any memory is asked for.

    Whoever knows the key, which without a passphrase is everybody, can seal any size.

    Args:
        header: of an opened stego; that its symbols fit the carrier was seen when it was opened.
        max_pixels: most pixels of a picture that the caller wants to handle.
        original: whether the secret is brought back to the size that it once had.

    Raises:
        ImageError: one of them has more pixels.
    """
    sizes = [("carries", header.hidden_shape)]
    if original:
        sizes.append(("gives back", header.secret_shape))
    for verb, (height, width) in sizes:
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
    return _by_pixels(stego_rgb, alpha, keyring, _open_parities)


def open_parities_of_run(stego_rgb: Rgb, alpha: Gray | None, keyring: Keyring) -> Opened:
    """Open one that was hidden in a run with a master key of its own (see `keys`); as `open_parities`."""
    return _by_pixels(stego_rgb, alpha, keyring, _open_parities_of_run)


def open_samples(stego_rgb: Rgb, alpha: Gray | None, keyring: Keyring) -> Opened:
    """Open the head that lies in samples of a stego; as `open_parities`."""
    return _by_pixels(stego_rgb, alpha, keyring, _open_samples)


def open_coefficients(jpeg: bytes, max_pixels: int, keyring: Keyring) -> Opened:
    """Open the head that lies in the coefficients of a JPEG file; as `open_parities`.

    A file of a kind that hides nothing there is one in which nothing is found.
    """
    try:
        values = coefficients.values(read_luma(jpeg, max_pixels=max_pixels))
        locator = keyring.locator(len(values))
        places = head.COEFFICIENTS.draw(len(values), locator)
    except ImageError:
        raise NothingFoundError from None
    salt, sealed = head.read_coefficients(values[places], locator)
    keys = keyring.keys(salt)
    return CoefficientsOpened(keys, head.open_head(sealed, keys), values, places)


def _by_pixels(stego_rgb: Rgb, alpha: Gray | None, keyring: Keyring, way: Way) -> Opened:
    """What the pixels that shall carry open, or else all that may have carried."""
    *others, last = carrier_masks(alpha)
    for usable in others:
        try:
            return way(stego_rgb, usable, keyring)
        except NothingFoundError:
            continue  # written when half-transparent pixels still carried, or where they had to
    return way(stego_rgb, last, keyring)


def _open_parities(stego_rgb: Rgb, usable: Mask, keyring: Keyring) -> ParitiesOpened:
    return _open_parities_by(keyring.keys, stego_rgb, usable, keyring)


def _open_parities_of_run(stego_rgb: Rgb, usable: Mask, keyring: Keyring) -> ParitiesOpened:
    met: list[bytes] = []

    def keys_of(salt: bytes) -> Keys:
        met.append(salt)
        return keyring.keys_in_run(salt)

    try:
        return _open_parities_by(keys_of, stego_rgb, usable, keyring)
    except NothingFoundError:
        for salt in met:
            keyring.forget_run(salt)
        raise


def _open_parities_by(
    keys_of: Callable[[bytes], Keys], stego_rgb: Rgb, usable: Mask, keyring: Keyring
) -> ParitiesOpened:
    pixels = _enough(stego_rgb, usable)
    count = len(pixels)
    places = draw_places(count, keyring.locator(count))
    salt, group = read_salt(pixels, places)
    keys = keys_of(salt)
    header = open_header(pixels, keys, places, group)
    plan = parity_plan(count, salt, seal(header, keys), places, group)
    return ParitiesOpened(keys, header, stego_rgb, pixels, usable, plan)


def _open_samples(stego_rgb: Rgb, usable: Mask, keyring: Keyring) -> SamplesOpened:
    pixels = _enough(stego_rgb, usable)
    locator = keyring.locator(len(pixels))
    places = head.PIXELS.draw(len(pixels), locator)
    salt, sealed = head.read(pixels[places], locator)
    keys = keyring.keys(salt)
    return SamplesOpened(keys, head.open_head(sealed, keys), stego_rgb, pixels, usable, places)


def _enough(stego_rgb: Rgb, usable: Mask) -> Rgb:
    """(n, 3) pixels that carry; NothingFoundError if no header fits into so few."""
    pixels = carriers(stego_rgb, usable)
    if len(pixels) < parity.MIN_PIXELS:
        raise NothingFoundError
    return pixels
