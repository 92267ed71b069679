"""What fits into a cover, by method and by how likely a detector is to find it. Nothing is hidden for this.

Sizes follow from the format. The bits that a photograph takes as a secret are a median over photographs
(`benchmarks/secret_rates.py`), and wrong for an unusual one. Errors are measured or, where they are not,
estimated by the square root law (Ker, Pevny, Kodovsky and Fridrich 2008), as in `risk`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from stegcli.carriers.pixels import carriers, usable_pixels
from stegcli.codecs.base import FAVOR
from stegcli.detection.risk import coded_rate, deflection, error_of, risk_at, secret_rates, table
from stegcli.envelope.keys import Keyring
from stegcli.errors import ImageError
from stegcli.methods import files
from stegcli.methods.base import check_room
from stegcli.methods.coded import jpeg, pixels
from stegcli.pictures.sources import load_cover

if TYPE_CHECKING:
    from stegcli.pictures.encoded import PathLike
    from stegcli.reports import Size

__all__ = ["CapacityReport", "Fit", "capacity"]

_SPREADS: Final = (1, 2, 4, 8, 16, 64)
_BLOCK: Final = 8
"""Sides of a picture in phases are multiples of this."""
_LEAST_SIDE: Final = 16
"""Smallest side of a picture that is worth hiding."""


@dataclass(frozen=True)
class Fit:
    """One way of hiding, to one extent.

    Attributes:
        method: name for `hide --model`.
        extent: how much of the cover it uses, in words.
        error: a detector's P_E, from 0 (always found) to 0.5 (guessing); None if it was never measured.
        is_estimate: whether the error is for another size than the measured one.
        gray_size: (width, height) of the largest gray picture, of the cover's shape; None if no picture fits.
        colour_sizes: the same of a photograph in colour, by `--favor`; empty for a method of gray pictures.
        file_bytes: size of the largest file; None if the method takes no files.
    """

    method: str
    extent: str
    error: float | None
    is_estimate: bool
    gray_size: Size | None
    colour_sizes: dict[str, Size | None]
    file_bytes: int | None


@dataclass(frozen=True)
class CapacityReport:
    """All fits of one cover.

    Attributes:
        cover_size: (width, height).
        fits: the largest secret of each method first.
        detector: detector of the errors of phase.
        coded_detector: detector of the errors of coded.
        measured_size: (width, height) of the covers on which they were measured.
    """

    cover_size: Size
    fits: tuple[Fit, ...]
    detector: str
    coded_detector: str
    measured_size: Size

    def as_json(self) -> dict[str, Any]:
        """Return all fields."""
        return asdict(self)


def capacity(cover: PathLike, max_pixels: int) -> CapacityReport:
    """Return what fits into a cover.

    Args:
        cover: file.
        max_pixels: largest number of pixels of a picture.

    Raises:
        ImageError: it cannot be read, or is too small for anything.
    """
    picture = load_cover(cover, max_pixels, 1.0)
    height, width = picture.rgb.shape[:2]
    shape = (width, height)
    carrying = carriers(picture.rgb, usable_pixels(picture.alpha))
    room = check_room(picture.rgb, len(carrying))
    most = pixels.most_bytes(carrying, Keyring(None).locator(room))
    fits = [
        *(_in_phases(spread, room, shape) for spread in _SPREADS),
        *_coded(room, most, shape),
        *(_in_jpeg(cover, max_pixels, shape) if picture.from_jpeg else ()),
        Fit("isgan", "every pixel", None, False, shape, {}, None),
    ]
    measured = table()
    fitting = tuple(each for each in fits if each.gray_size or each.file_bytes)
    return CapacityReport(
        shape, fitting, measured["detector"], measured["coded"]["detector"], tuple(measured["cover_size"])
    )


def _in_phases(spread: int, room: int, shape: Size) -> Fit:
    extent = "every pixel" if spread == 1 else f"{spread} pixels for each of the secret's"
    size = _fitted(room / spread, shape, _BLOCK)
    return Fit("phase", extent, risk_at(spread, room).error, not _is_measured(room), size, {}, None)


def _coded(room: int, most: int, shape: Size) -> list[Fit]:
    """Return coded bits at the measured rate, at an error nearly as good, and all that fit."""
    measured = coded_rate()
    lab_pixels = math.prod(table()["cover_size"])
    rate, error, apart = measured["rate"], measured["error"], deflection(measured["error"])
    estimated = not _is_measured(room)
    quiet = int(rate * math.sqrt(room * lab_pixels) / 8)
    plain = int(rate * room / 8)
    levels: list[tuple[int, str, float, bool]] = [
        (plain, f"{rate:g} bits a pixel", error_of(apart * math.sqrt(room / lab_pixels)), estimated)
    ]
    if quiet < plain:
        levels.insert(0, (quiet, f"{8 * quiet / room:.2f} bits a pixel", error, estimated))
    fits = [
        _of_bytes(size, "coded", extent, errs, estimate, shape)
        for size, extent, errs, estimate in levels
        if size <= most
    ]
    return [*fits, _of_bytes(most, "coded", "all that fits", None, False, shape)]


def _in_jpeg(cover: PathLike, max_pixels: int, shape: Size) -> list[Fit]:
    """Return coded bits in the file's own coefficients; none if this kind of JPEG cannot carry them."""
    try:
        _, carrier = files.cover_in_jpeg(cover, "stego.jpg", max_pixels, 1.0, keep_metadata=False)
    except ImageError:
        return []
    if carrier.jpeg is None:
        return []
    return [
        _of_bytes(most, "coded", f"{rate:g} bits a coefficient of the JPEG", None, False, shape)
        for rate, most in jpeg.most_bytes_by_rate(carrier.jpeg).items()
    ]


def _of_bytes(size: int, method: str, extent: str, error: float | None, estimated: bool, shape: Size) -> Fit:
    rates = secret_rates()

    def sized(kind: str, favor: str) -> Size | None:
        return _fitted(8 * size / rates[kind][favor]["median_bpp"], shape, 1)

    colour = {favor: sized("colour", favor) for favor in FAVOR}
    return Fit(method, extent, error, estimated, sized("gray", "balanced"), colour, max(0, size))


def _fitted(count: float, shape: Size, multiple: int) -> Size | None:
    """Return the sides of a picture with that many pixels in the cover's shape; None if it is too small."""
    width, height = shape
    scale = math.sqrt(max(0.0, count) / (width * height))
    sides = tuple(int(side * scale) // multiple * multiple for side in shape)
    return (sides[0], sides[1]) if min(sides) >= _LEAST_SIDE else None


def _is_measured(room: int) -> bool:
    return bool(room == math.prod(table()["cover_size"]))
