"""Open a stego by finding its header. No model is needed.

stego, alpha ──> pixels that carry ──┐
JPEG file ──> luma's coefficients ───┴─> places (locator) ──> salt ──> keys ──> header ──> Opened

A header of format 1 lies in parities of pixels, one of format 2 in bits of steps of pixels or coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stegcli.carriers import parity
from stegcli.carriers.pixels import carrier_masks, carriers
from stegcli.envelope.header import (
    agreement,
    draw_places,
    open_header,
    parity_plan,
    read_salt,
    seal,
)
from stegcli.errors import ImageError, NothingFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from stegcli.carriers.streams import Keys
    from stegcli.envelope.head import Head
    from stegcli.envelope.header import Header
    from stegcli.envelope.keys import Keyring
    from stegcli.envelope.sturdy import SturdyHead

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
    "SturdyOpened",
    "by_pixels",
    "check_sizes",
    "enough",
    "open_evident_parities",
    "open_parities",
    "open_parities_of_run",
]


_EVIDENT: Final = 0.8
"""Agreement that noise never reaches, and a header loses only if a tenth of the picture was destroyed."""


@dataclass(frozen=True)
class Opened:
    """An opened stego.

    Attributes:
        keys: keys derived from passphrase and salt.
        header: what the stego says about itself.
    """

    keys: Keys
    header: Header | Head


@dataclass(frozen=True)
class PixelsOpened(Opened):
    """An opened stego that hides something in its pixels.

    Attributes:
        stego_rgb: (H, W, 3) uint8.
        pixels: (n, 3) uint8, the pixels that carry.
        usable: (H, W) bool, which pixels carry; None if all do.
    """

    stego_rgb: Rgb
    pixels: Rgb
    usable: NDArray[np.bool_] | None


@dataclass(frozen=True)
class ParitiesOpened(PixelsOpened):
    """A stego opened by a header in parities.

    Attributes:
        plan: intended positions and bits of the header's parities.
    """

    header: Header
    plan: tuple[NDArray[np.int64], NDArray[np.uint8]]

    def destroyed_share(self, spared: int = 0) -> float:
        """Return the share, 0..1, of pixels changed since; `spared` parities were wrong from the start."""
        return parity.destroyed_share(self.pixels, *self.plan, spared)


@dataclass(frozen=True)
class SamplesOpened(PixelsOpened):
    """A stego opened by a head in samples.

    Attributes:
        places: (m,) int64, the pixels reserved for the head.
    """

    header: Head
    places: NDArray[np.int64]


@dataclass(frozen=True)
class CoefficientsOpened(Opened):
    """A stego opened by a head in the coefficients of a JPEG file.

    Attributes:
        values: (n,) int16, all values that may carry: see `carriers.coefficients`.
        places: (m,) int64, those reserved for the head.
    """

    header: Head
    values: I16
    places: NDArray[np.int64]


@dataclass(frozen=True)
class SturdyOpened(Opened):
    """A stego opened by a sturdy head, with its body.

    Attributes:
        sturdy: the sturdy head.
        payload: payload for the secret's codec.
    """

    header: Head
    sturdy: SturdyHead
    payload: bytes


def check_sizes(header: Header | Head, max_pixels: int, *, original: bool = True) -> None:
    """Refuse the sizes in a header before any memory is allocated for them.

    Anyone who has the key, which without a passphrase is everybody, can seal any size.

    Args:
        header: header of an opened stego; opening has checked that its symbols fit the carrier.
        max_pixels: largest number of pixels that the caller accepts in a picture.
        original: whether the secret will be scaled back to its original size.

    Raises:
        ImageError: a picture has more pixels.
    """
    sizes = [("carries", header.hidden_shape)]
    if original:
        sizes.append(("gives back", header.secret_shape))
    for verb, (height, width) in sizes:
        if width * height > max_pixels:
            less = "take it as it was carried (size hidden), or " if verb == "gives back" else ""
            raise ImageError(
                f"the stego {verb} a picture of {width}x{height}, more than {max_pixels:,} pixels",
                f"If you trust its sender, {less}raise the limit (--max-pixels).",
            )


def open_evident_parities(stego_rgb: Rgb, alpha: Gray | None, keyring: Keyring) -> Opened:
    """Open a header in parities, written in a run or not, if they clearly hold a salt; as `open_parities`.

    Deriving keys is what takes time: a stego that holds something else is spared it.
    """
    return by_pixels(stego_rgb, alpha, keyring, _open_evident_parities)


def open_parities(stego_rgb: Rgb, alpha: Gray | None, keyring: Keyring) -> Opened:
    """Open the header that lies in the parities of a stego.

    Args:
        stego_rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8 or None.
        keyring: the keys that belong to the passphrase.

    Raises:
        NothingFoundError: nothing is hidden, the passphrase is wrong, or too much was destroyed.
    """
    return by_pixels(stego_rgb, alpha, keyring, _open_parities)


def open_parities_of_run(stego_rgb: Rgb, alpha: Gray | None, keyring: Keyring) -> Opened:
    """Open a header written in a run with a master key (see `keys`); as `open_parities`."""
    return by_pixels(stego_rgb, alpha, keyring, _open_parities_of_run)


def by_pixels(stego_rgb: Rgb, alpha: Gray | None, keyring: Keyring, way: Way) -> Opened:
    """Try `way` with the pixels that should carry, then with all that may have carried.

    Args:
        stego_rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8 or None.
        keyring: the keys that belong to the passphrase.
        way: function of the pixels, (H, W) bool which of them carry (None for all), and the keys.

    Raises:
        NothingFoundError: raised by the last try.
    """
    *others, last = carrier_masks(alpha)
    for usable in others:
        try:
            return way(stego_rgb, usable, keyring)
        except NothingFoundError:
            continue  # written when half-transparent pixels still carried, or where they had to
    return way(stego_rgb, last, keyring)


def _open_evident_parities(stego_rgb: Rgb, usable: Mask, keyring: Keyring) -> ParitiesOpened:
    found = _Salted.of(stego_rgb, usable, keyring)
    if agreement(found.pixels, found.places, found.salt, found.group) < _EVIDENT:
        raise NothingFoundError
    try:
        return found.opened(keyring.keys(found.salt))
    except NothingFoundError:
        return found.opened_in_run(keyring)


def _open_parities(stego_rgb: Rgb, usable: Mask, keyring: Keyring) -> ParitiesOpened:
    found = _Salted.of(stego_rgb, usable, keyring)
    return found.opened(keyring.keys(found.salt))


def _open_parities_of_run(stego_rgb: Rgb, usable: Mask, keyring: Keyring) -> ParitiesOpened:
    return _Salted.of(stego_rgb, usable, keyring).opened_in_run(keyring)


@dataclass(frozen=True)
class _Salted:
    """A stego with the salt that its parities most likely hold; see `header.read_salt`.

    Attributes:
        stego_rgb: (H, W, 3) uint8.
        usable: (H, W) bool, which pixels carry; None if all do.
        pixels: (n, 3) uint8, those that do.
        places: int64, where parities are, see `Keyring.places`.
        salt: 16 bytes.
        group: number of pixels whose parity is one bit.
    """

    stego_rgb: Rgb
    usable: Mask
    pixels: Rgb
    places: NDArray[np.int64]
    salt: bytes
    group: int

    @classmethod
    def of(cls, stego_rgb: Rgb, usable: Mask, keyring: Keyring) -> _Salted:
        pixels = enough(stego_rgb, usable)
        places = keyring.places(len(pixels), draw_places)
        return cls(stego_rgb, usable, pixels, places, *read_salt(pixels, places))

    def opened(self, keys: Keys) -> ParitiesOpened:
        header = open_header(self.pixels, keys, self.places, self.group)
        plan = parity_plan(len(self.pixels), self.salt, seal(header, keys), self.places, self.group)
        return ParitiesOpened(keys, header, self.stego_rgb, self.pixels, self.usable, plan)

    def opened_in_run(self, keyring: Keyring) -> ParitiesOpened:
        try:
            return self.opened(keyring.keys_in_run(self.salt))
        except NothingFoundError:
            keyring.forget_run(self.salt)
            raise


def enough(stego_rgb: Rgb, usable: Mask) -> Rgb:
    """(H, W, 3) uint8 -> (n, 3) pixels that carry; NothingFoundError if there are too few for a header."""
    pixels = carriers(stego_rgb, usable)
    if len(pixels) < parity.MIN_PIXELS:
        raise NothingFoundError
    return pixels
