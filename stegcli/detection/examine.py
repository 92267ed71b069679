"""What a single picture reveals: what a stego carries and how detectable it is, or what a cover can carry."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from stegcli.carriers import coefficients, samples
from stegcli.carriers.jpeg_scan import open_cover
from stegcli.detection.risk import Bound, coded_risk, jpeg_risk, risk_at
from stegcli.envelope.head import MESSAGE_BYTES, Head
from stegcli.envelope.keys import Keyring
from stegcli.errors import NothingFoundError
from stegcli.methods import files, table
from stegcli.methods.coded.body import TAG_BYTES
from stegcli.methods.coded.jpeg import load_of
from stegcli.pictures.files import is_jpeg
from stegcli.pictures.sources import load_stego

if TYPE_CHECKING:
    import os

    from stegcli.detection.risk import Risk
    from stegcli.envelope.opening import Opened
    from stegcli.methods.base import Cover, JpegLoad, Method
    from stegcli.pictures.reading import Picture
    from stegcli.reports import Size
    from stegcli.settings import HideSettings

    PathLike = str | os.PathLike[str]

__all__ = ["ERRORS", "CoverReport", "CarriesReport", "examine"]

ERRORS: Final = (0.45, 0.4, 0.3)
"""Detection errors for which the room of a cover is reported."""
_PHASES, _CODED = "phase", "coded"


@dataclass(frozen=True)
class CarriesReport:
    """A stego.

    Attributes:
        model: family of the method that hid the secret.
        size: (width, height).
        bpp: bits of the body per pixel; 8 for each pixel of the secret in phases.
        load: load of a JPEG file.
        risk: detection error at this size, estimated; None for a family without a table.
    """

    model: str
    size: Size
    bpp: float
    load: JpegLoad | None
    risk: Risk | None

    def as_json(self) -> dict[str, Any]:
        """Return all fields."""
        return {"kind": "stego", **asdict(self)}


@dataclass(frozen=True)
class CoverReport:
    """A cover for coded bits.

    Attributes:
        size: (width, height) after scaling.
        in_jpeg: whether its coefficients would carry the bits, not its pixels.
        capacity: (detection error, bytes of secret with which a detector errs that often).
        notices: what the user must know about the cover.
    """

    size: Size
    in_jpeg: bool
    capacity: tuple[tuple[float, int], ...]
    notices: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return all fields."""
        return {"kind": "cover", **asdict(self)}


def examine(
    picture: PathLike, settings: HideSettings, passphrase: str | None = None
) -> CarriesReport | CoverReport:
    """Open a picture as a stego; if nothing is found, examine it as a cover.

    Args:
        picture: a file.
        settings: `max_pixels`, and for a cover `scale_cover` and `force_jpeg_cover`.
        passphrase: passphrase of a stego.

    Raises:
        ImageError: it cannot be read, or is not a cover for coded bits.
    """
    found = load_stego(picture, settings.max_pixels)
    try:
        method, opened = table.open_stego(found.rgb, found.alpha, Keyring(passphrase), found.jpeg)
    except NothingFoundError:
        return _cover(picture, settings)
    return _stego(method, opened, found)


def _stego(method: Method, opened: Opened, found: Picture) -> CarriesReport:
    pixels, header = found.rgb.shape[0] * found.rgb.shape[1], opened.header
    load, risk, facts = None, None, method.facts(opened)
    if method.family == _PHASES:
        risk = risk_at(facts.spread, pixels)
    bits = 8 * (header.body_bytes if isinstance(header, Head) else math.prod(facts.shown_shape))
    if method.family == _CODED:
        load = _load(found, bits)
        risk = coded_risk(bits / pixels, pixels) if load is None else jpeg_risk(load.rate, load.step, pixels)
    return CarriesReport(method.family, _size(found), bits / pixels, load, risk)


def _load(found: Picture, body_bits: int) -> JpegLoad | None:
    if found.jpeg is None:
        return None
    return load_of(open_cover(found.jpeg, max_pixels=found.rgb.size), body_bits // 8)


def _cover(picture: PathLike, settings: HideSettings) -> CoverReport:
    limit, scale = settings.max_pixels, settings.scale_cover
    if is_jpeg(picture):
        seen, cover = files.cover_in_jpeg(picture, None, limit, scale, keep_metadata=False)
    else:
        refuse = not settings.force_jpeg_cover
        seen, cover = files.cover_in_pixels(picture, None, limit, scale, traced=True, refuse_jpeg=refuse)
    room = _room(cover)
    capacity = tuple(
        (error, max(0, min(room, Bound(error).most_bytes(cover)) - TAG_BYTES)) for error in ERRORS
    )
    return CoverReport(_size(seen), cover.jpeg is not None, capacity, seen.notices)


def _room(cover: Cover) -> int:
    """Return the number of bytes of body for which there is room."""
    if cover.jpeg is None:
        return samples.room(cover.rgb.reshape(-1, 3))
    return coefficients.most_bytes(cover.jpeg, coefficients.MOST_RATE) - MESSAGE_BYTES


def _size(picture: Picture) -> Size:
    return picture.rgb.shape[1], picture.rgb.shape[0]
