"""Read pictures as arrays: decoded, upright, 8 bits, with a notice for every unexpected change.

Files are opened by `stegcli.pictures.files`, and written by `stegcli.pictures.writing`. Pixels are converted
in strips, so that a large picture takes only the memory of its decoded form and of the result.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stegcli.errors import UsageError
from stegcli.pictures import colour, depths, luma, tiff
from stegcli.pictures.files import DECODER_ERRORS, OpenedPicture, opened
from stegcli.pictures.png import Chunk
from stegcli.pictures.writing import (
    check_writable,
    output_format,
    png_bytes,
    save_gray,
    save_stego,
    stego_draft,
)

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "Picture",
    "as_cover",
    "as_secret",
    "check_writable",
    "load_cover",
    "load_secret",
    "load_stego",
    "load_upright",
    "output_format",
    "png_bytes",
    "in_colour",
    "load_colour_secret",
    "resize",
    "resize_gray",
    "save_gray",
    "save_stego",
    "stego_draft",
]

DEFAULT_MAX_PIXELS = 89_478_485
"""Pillow's own limit against decompression bombs (a quarter of a gibibyte of RGB)."""

GrayArray = NDArray[np.uint8]
RgbArray = NDArray[np.uint8]
PathLike = str | os.PathLike[str]
ColourSecret = tuple[GrayArray | RgbArray, tuple[str, ...]]
Strip = tuple[slice, RgbArray, GrayArray | None]
"""Rows, their (h, W, 3) colours and their (h, W) alpha, if there is any."""

_STRIP_PIXELS: Final = 1 << 20
_OPAQUE: Final = 255
_ORIENTATION: Final = 0x0112
_JPEG_FORMATS: Final = frozenset({"JPEG", "MPO"})
_GRAY_MODES: Final = frozenset({"1", "L", "LA", "La", "I"})
_RGB_MODES: Final = frozenset({"RGB", "RGBA", "RGBa", "RGBX"})
_PALETTE_MODES: Final = frozenset({"P", "PA"})

_NOTICE_16_BIT = "16 bits per channel were reduced to 8"
_NOTICE_DEEP = "more than 8 bits per channel were reduced to 8"
_NOTICE_GRAY = "the gray cover is written as RGB"
_NOTICE_PALETTE = "the palette cover is written as RGB"
_COVER_ONLY_NOTICES = frozenset({_NOTICE_GRAY, _NOTICE_PALETTE})
_NOTICE_PROFILE = "the colours of its profile were converted to sRGB, as viewers show them"
_NOTICE_BAD_PROFILE = "its colour profile is damaged, or one for other pixels, and was ignored"
_NOTICE_WHITE = "the secret's transparent parts were put on white"
_NOTICE_HDR = "its colours are of high dynamic range and were taken for sRGB"


@dataclass(frozen=True)
class Picture:
    """A decoded picture, upright.

    Attributes:
        rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8, or None if the file has no transparency.
        icc: the colour profile that describes `rgb`, or None.
        exif: the EXIF block without its orientation, or None.
        notices: changes made while reading, one sentence each.
        from_jpeg: whether the file was a JPEG (its lattice is in the pixels, unless they were shrunk).
        jpeg: the file itself, if it is a JPEG and these are all of its pixels, perhaps rotated.
        chunks: what a PNG says about the colours of `rgb`; see `stegcli.pictures.png`.
    """

    rgb: RgbArray
    alpha: GrayArray | None
    icc: bytes | None
    exif: bytes | None
    notices: tuple[str, ...]
    from_jpeg: bool
    chunks: tuple[Chunk, ...] = ()
    jpeg: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _Colours:
    """How pixels are converted to sRGB, and a notice about it; `convert` is None if they are already."""

    convert: colour.Convert | None
    notices: tuple[str, ...]


def load_cover(path: PathLike, *, max_pixels: int = DEFAULT_MAX_PIXELS, scale: float = 1.0) -> Picture:
    """Read a cover: upright, 8-bit RGB with alpha; `scale` (0 < scale <= 1) shrinks it by Lanczos."""
    check_scale(scale)
    return as_cover(_load(path, max_pixels, upright=True), scale)


def as_cover(picture: Picture, scale: float = 1.0) -> Picture:
    """Prepare a picture as a cover: shrink it if requested."""
    check_scale(scale)
    return _scaled(picture, scale) if scale < 1 else picture


def check_scale(scale: float) -> None:
    """Raise a UsageError for a factor by which covers cannot be shrunk."""
    if not 0 < scale <= 1:
        raise UsageError(
            f"cannot scale the cover by {scale:g}", "Give a factor above 0 and up to 1, such as 0.7."
        )


def load_stego(path: PathLike, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Read a stego as its pixels are stored: hiding ignores the EXIF orientation."""
    return _load(path, max_pixels, upright=False)


def load_upright(path: PathLike, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Read a picture as a viewer shows it, without notices about its fitness as a carrier."""
    return _load(path, max_pixels, upright=True)


def load_secret(path: PathLike, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> tuple[GrayArray, tuple[str, ...]]:
    """Read a secret as (H, W) uint8 gray, upright, as a viewer shows it on white; and notices."""
    with opened(path, max_pixels) as found:
        image = found.image
        notices = [notice for notice in _mode_notices(image) if notice not in _COVER_ONLY_NOTICES]
        image.load()
        _, orientation, exif_notices = _split_exif(image)
        colours = _colours(found, all_modes=True)
        gray, gray_notices = _gray_of(_strips(image, colours.convert), (image.height, image.width))
    return _upright(gray, orientation), (*notices, *exif_notices, *colours.notices, *gray_notices)


def as_secret(picture: Picture) -> tuple[GrayArray, tuple[str, ...]]:
    """Return a picture's pixels, assumed to be sRGB, as a secret: (H, W) uint8 gray on white; and notices."""
    rows = _rows(*picture.rgb.shape[:2])
    alpha = picture.alpha
    strips = ((row, picture.rgb[row], None if alpha is None else alpha[row]) for row in rows)
    return _gray_of(strips, (picture.rgb.shape[0], picture.rgb.shape[1]))


def load_colour_secret(path: PathLike, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> ColourSecret:
    """Read a secret in its own colours: (H, W) uint8 if it is entirely gray, else (H, W, 3); and notices."""
    with opened(path, max_pixels) as found:
        image = found.image
        notices = [notice for notice in _mode_notices(image) if notice not in _COVER_ONLY_NOTICES]
        image.load()
        _, orientation, exif_notices = _split_exif(image)
        colours = _colours(found, all_modes=True)
        rgb, alpha = _arrays(image, colours.convert)
    pixels, white_notices = in_colour(rgb, alpha)
    return _upright(pixels, orientation), (*notices, *exif_notices, *colours.notices, *white_notices)


def in_colour(rgb: RgbArray, alpha: GrayArray | None) -> ColourSecret:
    """Return pixels, assumed to be sRGB, as a secret in its own colours; see `load_colour_secret`."""
    clear = alpha is not None and int(alpha.min()) < _OPAQUE
    if clear and alpha is not None:
        rgb = _on_white(rgb, alpha)
    notices = (_NOTICE_WHITE,) if clear else ()
    return (rgb if _has_colour(rgb) else np.ascontiguousarray(rgb[..., 0])), notices


def resize(picture: GrayArray | RgbArray, size: tuple[int, int]) -> GrayArray | RgbArray:
    """Resize (H, W) or (H, W, 3) uint8 to (height, width) with Lanczos; unchanged if it has that size."""
    if picture.shape[:2] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize((size[1], size[0]), Image.Resampling.LANCZOS))


def resize_gray(gray: GrayArray, size: tuple[int, int]) -> GrayArray:
    """Resize (H, W) uint8, as `resize`."""
    return resize(gray, size)


# --- reading -


def _load(path: PathLike, max_pixels: int, *, upright: bool) -> Picture:
    with opened(path, max_pixels) as found:
        image = found.image
        notices = _mode_notices(image)
        image.load()
        exif, orientation, exif_notices = _split_exif(image)
        colours = _colours(found, all_modes=False) if upright else _Colours(None, ())
        rgb, alpha = _arrays(image, colours.convert)
        keeps = colours.convert is None
        icc = found.icc if keeps and _profile_mode(image) == "RGB" else None
        turn = orientation if upright else 1
        return Picture(
            _upright(rgb, turn),
            None if alpha is None else _upright(alpha, turn),
            icc,
            exif,
            (*notices, *exif_notices, *colours.notices),
            image.format in _JPEG_FORMATS,
            found.colour if keeps else (),
            found.jpeg,
        )


def _mode_notices(image: Image.Image) -> tuple[str, ...]:
    notices = []
    if depths.is_reduced(image):
        notices.append(_NOTICE_16_BIT if depths.white_of(image)[0] == depths.WHITE else _NOTICE_DEEP)
    if image.mode in _PALETTE_MODES:
        notices.append(_NOTICE_PALETTE)
    elif image.mode in _GRAY_MODES or depths.is_deep(image):
        notices.append(_NOTICE_GRAY)
    elif image.mode not in _RGB_MODES:
        notices.append(f"{image.mode} colours were converted to RGB")
    return tuple(notices)


def _split_exif(image: Image.Image) -> tuple[bytes | None, int, tuple[str, ...]]:
    """Return the EXIF block without orientation, the orientation (1 = upright), and notices.

    A TIFF's block also locates the pixels of its own file; these tags are removed.
    """
    orientation = 1
    try:
        exif = image.getexif()
        orientation = exif.pop(_ORIENTATION, 1)
        for tag in tiff.STRUCTURE_TAGS.intersection(exif):
            del exif[tag]
        return (exif.tobytes() if len(exif) else None), orientation, ()
    except DECODER_ERRORS:
        return None, orientation, ("its EXIF data is damaged and was ignored",)


def _profile_mode(image: Image.Image) -> str:
    """Return the mode of the pixels to which a profile of this picture applies; empty if none does."""
    if image.mode in _GRAY_MODES or depths.is_deep(image):
        return "L"
    if image.mode in _RGB_MODES | _PALETTE_MODES:
        return "RGB"
    return image.mode if image.mode == "CMYK" else ""


def _colours(found: OpenedPicture, *, all_modes: bool) -> _Colours:
    """Return how a picture's pixels become sRGB; RGB only with `all_modes`, since a cover keeps those."""
    mode, chunks = _profile_mode(found.image), found.colour
    if not mode or (mode == "RGB" and not all_modes):
        return _Colours(None, ())
    if colour.is_high_dynamic_range(chunks):
        return _Colours(None, (_NOTICE_HDR,) if all_modes else ())
    icc = found.icc
    if icc is None or b"cICP" in dict(chunks):
        # A gray cover keeps its chunks, which apply to RGB as well.
        icc = colour.profile_of(chunks, gray=mode == "L") if all_modes else None
    if icc is None:
        return _Colours(None, ())
    try:
        convert = colour.to_srgb(icc, mode)
    except ValueError:
        return _Colours(None, (_NOTICE_BAD_PROFILE,))
    return _Colours(convert, (_NOTICE_PROFILE,) if convert else ())


# --- strips -


def _rows(height: int, width: int) -> Iterator[slice]:
    """Yield slices of about `_STRIP_PIXELS` that together cover all rows."""
    step = max(1, _STRIP_PIXELS // max(1, width))
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


def _strips(image: Image.Image, convert: colour.Convert | None) -> Iterator[Strip]:
    """Yield the strips of a decoded picture from top to bottom."""
    scale = depths.white_of(image)
    for rows in _rows(image.height, image.width):
        strip = image.crop((0, rows.start, image.width, rows.stop))
        if strip.mode == "La":  # gray multiplied by its alpha, which Pillow converts to nothing else
            strip = strip.convert("LA")
        if depths.is_deep(image):
            yield rows, *_deep_strip(strip, *scale, convert)
        elif strip.has_transparency_data:
            rgba = strip.convert("RGBA")
            rgb = _converted(strip if strip.mode == "LA" else rgba, convert)
            yield rows, rgb, np.asarray(rgba.getchannel("A"))
        else:
            yield rows, _converted(strip, convert), None


def _converted(strip: Image.Image, convert: colour.Convert | None) -> RgbArray:
    """Return (h, W, 3) in sRGB, whatever the strip's mode."""
    if convert is None:
        return np.asarray(strip.convert("RGB"))
    mode = _profile_mode(strip)
    return np.asarray(convert(strip if strip.mode == mode else strip.convert(mode)))


def _deep_strip(
    strip: Image.Image, white: int, turned: bool, convert: colour.Convert | None
) -> tuple[RgbArray, GrayArray | None]:
    """Return (h, W, 3) and alpha of gray samples with more than 8 bits."""
    values = np.asarray(strip)
    clear = strip.info.get("transparency")
    alpha = np.where(values == clear, 0, _OPAQUE).astype(np.uint8) if isinstance(clear, int) else None
    levels = depths.to_eight_bits(values, white, turned)
    if convert is not None:  # interpolated between a profile's 256 grays, so that dark tones show no steps
        ramp = np.asarray(convert(Image.fromarray(np.arange(256, dtype=np.uint8)[None])))[0, :, 1]
        place = values.astype(np.float32) * np.float32(_OPAQUE / white)
        place = _OPAQUE - place if turned else place
        levels = luma.to_uint8(np.interp(place, np.arange(256), ramp))
    return np.repeat(levels[..., None], 3, axis=2), alpha


def _arrays(image: Image.Image, convert: colour.Convert | None) -> tuple[RgbArray, GrayArray | None]:
    """Return (H, W, 3) and, if anything is transparent, alpha (H, W)."""
    rgb = np.empty((image.height, image.width, 3), dtype=np.uint8)
    alpha = np.empty(rgb.shape[:2], dtype=np.uint8) if image.has_transparency_data else None
    for rows, colours, clear in _strips(image, convert):
        rgb[rows] = colours
        if alpha is not None:
            alpha[rows] = _OPAQUE if clear is None else clear
    return rgb, alpha


def _gray_of(strips: Iterator[Strip], shape: tuple[int, int]) -> tuple[GrayArray, tuple[str, ...]]:
    """Return (H, W) uint8, the luma of strips on white; and notices about what was lost."""
    gray = np.empty(shape, dtype=np.uint8)
    coloured = transparent = False
    for rows, rgb, alpha in strips:
        coloured = coloured or _has_colour(rgb)
        clear = alpha is not None and int(alpha.min()) < _OPAQUE
        transparent = transparent or clear
        gray[rows] = luma.gray(_on_white(rgb, alpha) if clear and alpha is not None else rgb)
    notices = []
    if transparent:
        notices.append(_NOTICE_WHITE)
    if coloured:
        notices.append("the secret is in colour; it is hidden in gray")
    return gray, tuple(notices)


def _on_white(rgb: RgbArray, alpha: GrayArray) -> RgbArray:
    """Composite (H, W, 3) over white, exactly: round(alpha * c + (255 - alpha) * 255) / 255."""
    weight = alpha[..., None].astype(np.uint32)
    return ((rgb * weight + (255 - weight) * 255 + 127) // 255).astype(np.uint8)


def _has_colour(rgb: RgbArray) -> bool:
    return bool((rgb[..., 0] != rgb[..., 1]).any() or (rgb[..., 1] != rgb[..., 2]).any())


def _upright(pixels: NDArray[np.uint8], orientation: object) -> NDArray[np.uint8]:
    """Rotate and mirror (H, W, ...) by one of EXIF's eight orientations; others count as upright."""
    if orientation not in _TURNS:
        return pixels
    transposed, rows, columns = _TURNS[orientation]
    turned: NDArray[Any] = pixels.swapaxes(0, 1) if transposed else pixels
    return np.ascontiguousarray(turned[::rows, ::columns])


_TURNS: Final[dict[object, tuple[bool, int, int]]] = {
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}
"""By orientation: whether to swap rows and columns, then the steps along rows and along columns."""


def _scaled(picture: Picture, scale: float) -> Picture:
    height, width = (max(1, round(side * scale)) for side in picture.rgb.shape[:2])
    pixels = picture.rgb if picture.alpha is None else np.dstack((picture.rgb, picture.alpha))
    small = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
    alpha = None if picture.alpha is None else np.ascontiguousarray(small[..., 3])
    return replace(picture, rgb=np.ascontiguousarray(small[..., :3]), alpha=alpha, jpeg=None)
