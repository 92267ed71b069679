"""Open stegos whose secret is bits: the head lies in steps of pixels or of coefficients.

Separate from `opening`, since it takes as long to import as everything that a stego of phases needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stegcli.envelope import head
from stegcli.envelope.opening import CoefficientsOpened, SamplesOpened, by_pixels, enough
from stegcli.errors import ImageError, NothingFoundError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stegcli.envelope.keys import Keyring
    from stegcli.envelope.opening import Opened

    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]
    Mask = NDArray[np.bool_] | None

__all__ = ["open_coefficients", "open_samples"]


def open_samples(stego_rgb: Rgb, alpha: Gray | None, keyring: Keyring) -> Opened:
    """Open the head that lies in samples of a stego; as `opening.open_parities`."""
    return by_pixels(stego_rgb, alpha, keyring, _open_samples)


def open_coefficients(jpeg: bytes, max_pixels: int, keyring: Keyring) -> Opened:
    """Open the head that lies in the coefficients of a JPEG file; as `opening.open_parities`.

    In a file of a kind that cannot carry, nothing is found.
    """
    from stegcli.carriers import coefficients
    from stegcli.carriers.jpeg_scan import read_luma

    try:
        values = coefficients.values(read_luma(jpeg, max_pixels=max_pixels))
        locator = keyring.locator(len(values))
        places = head.COEFFICIENTS.draw(len(values), locator)
    except ImageError:
        raise NothingFoundError from None
    salt, sealed = head.read_coefficients(values[places], locator)
    keys = keyring.keys(salt)
    return CoefficientsOpened(keys, head.open_head(sealed, keys), values, places)


def _open_samples(stego_rgb: Rgb, usable: Mask, keyring: Keyring) -> SamplesOpened:
    pixels = enough(stego_rgb, usable)
    locator = keyring.locator(len(pixels))
    places = head.PIXELS.draw(len(pixels), locator)
    salt, sealed = head.read(pixels[places], locator)
    keys = keyring.keys(salt)
    return SamplesOpened(keys, head.open_head(sealed, keys), stego_rgb, pixels, usable, places)
