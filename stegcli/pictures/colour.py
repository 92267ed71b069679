"""Colour management: profiles, and the colour chunks of PNG, applied as viewers do.

A secret is hidden as the gray that a viewer shows, so that its pixels are first converted to sRGB. Covers
keep their pixels, and the data that says how to interpret them.
Sources: ICC.1:2022 (profiles); ITU-T H.273 (code points of cICP).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from stegcli.pictures.png import Chunk

__all__ = ["Convert", "is_high_dynamic_range", "profile_of", "to_srgb"]

Convert = Callable[[Image.Image], Image.Image]
"""Function from a picture in the profile's mode to an RGB picture in sRGB."""

F64 = NDArray[np.float64]

_SPACES: Final = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}
_SAME: Final = 2
"""Grey levels by which a profile may differ from sRGB and still count as sRGB: rounding inside tables."""
_GRID: Final = 17

_GAMMA_UNIT: Final = 100_000
_SRGB_GAMMA: Final = 1 / 2.2
_GAMMA_TOLERANCE: Final = 0.05
"""As in libpng: a gAMA this close to 1/2.2 counts as sRGB's."""
_LEAST_GAMMA, _MOST_GAMMA = 16 / _GAMMA_UNIT, 625_000_000 / _GAMMA_UNIT
"""Outside of them, libpng ignores a gAMA."""
_CHROMATICITY_TOLERANCE: Final = 0.002

# x and y of white, red, green and blue, in the order of cHRM.
_D65: Final = (0.3127, 0.3290)
_BT709: Final = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: Final = {
    1: _BT709,
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_SRGB_CURVE: Final = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_TRANSFERS: Final = {4: (2.2,), 5: (2.8,), 8: (1.0,), **dict.fromkeys((1, 6, 13, 14, 15), _SRGB_CURVE)}
_HIGH_DYNAMIC_RANGE: Final = frozenset({16, 18})
"""PQ and HLG: viewers differ in how they show them in sRGB."""

_D50: Final = np.array([0.9642, 1.0, 0.8249])
_BRADFORD: Final = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def to_srgb(icc: bytes, mode: str) -> Convert | None:
    """Return a function from pictures in a mode ("RGB", "L", "CMYK") to sRGB; None if nothing changes.

    Raises:
        ValueError: the profile is damaged, or is for other pixels.
    """
    from PIL import ImageCms  # few pictures have a profile, and this imports decimal and fractions

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if profile.profile.xcolor_space != _SPACES[mode]:
            raise ValueError(f"a profile for {profile.profile.xcolor_space.strip()} pixels")
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent(ImageCms.getDefaultIntent(profile)),
            # littleCMS would turn a gray curve into a table of 33 steps: 8 grey levels off in dark tones.
            ImageCms.Flags.BLACKPOINTCOMPENSATION
            | (ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE),
        )
    except (OSError, ImageCms.PyCMSError, TypeError) as error:
        raise ValueError("a damaged profile") from error

    def convert(image: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(image, transform)
        if converted is None:
            raise ValueError("a profile that cannot be applied")
        return converted

    return None if mode != "CMYK" and _changes_nothing(convert, mode) else convert


def profile_of(chunks: tuple[Chunk, ...], *, gray: bool = False) -> bytes | None:
    """Return the colour profile that a PNG's chunks describe; None if that is sRGB, or nothing is stated.

    cICP takes precedence over sRGB, and that over gAMA and cHRM, as the specification requires.
    """
    said = dict(chunks)
    if b"cICP" in said:
        corners, transfer = said[b"cICP"][:2]
        return _profile(_PRIMARIES.get(corners, _BT709), _TRANSFERS.get(transfer, _SRGB_CURVE), gray)
    if b"sRGB" in said or not said:
        return None
    gamma = struct.unpack(">I", said.get(b"gAMA", bytes(4)))[0] / _GAMMA_UNIT
    is_unusual = _LEAST_GAMMA <= gamma <= _MOST_GAMMA and abs(gamma / _SRGB_GAMMA - 1) > _GAMMA_TOLERANCE
    curve = (1 / gamma,) if is_unusual else _SRGB_CURVE
    told = struct.unpack(">8I", said[b"cHRM"]) if b"cHRM" in said else ()
    return _profile(tuple(value / _GAMMA_UNIT for value in told) or _BT709, curve, gray)


def is_high_dynamic_range(chunks: tuple[Chunk, ...]) -> bool:
    """Whether the brightness of the pixels exceeds the range of sRGB."""
    return dict(chunks).get(b"cICP", bytes(2))[1] in _HIGH_DYNAMIC_RANGE


def _changes_nothing(convert: Convert, mode: str) -> bool:
    """Whether colours throughout the cube, or all grays, stay the same."""
    if mode == "L":
        grays = np.arange(256, dtype=np.uint8)[None]
        before = np.repeat(grays[..., None], 3, axis=2)
        after = np.asarray(convert(Image.fromarray(grays)))
    else:
        steps = np.linspace(0, 255, _GRID).astype(np.uint8)
        before = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        after = np.asarray(convert(Image.fromarray(before)))
    return int(np.abs(after.astype(np.int16) - before).max()) <= _SAME


# --- writing a profile -


def _profile(primaries: tuple[float, ...], curve: tuple[float, ...], gray: bool) -> bytes | None:
    """Return an ICC profile of version 4; None if it is sRGB, or if the primaries make no sense."""
    usual = gray or np.allclose(primaries, _BT709, rtol=0, atol=_CHROMATICITY_TOLERANCE)
    if usual and curve == _SRGB_CURVE:
        return None
    tags = {b"wtpt": _xyz(_D50), b"desc": _text("as its PNG says"), b"cprt": _text("CC0")}
    if gray:
        tags[b"kTRC"] = _parametric(curve)
    else:
        matrix = _matrix(primaries)
        if matrix is None:
            return None
        for name, column in zip((b"r", b"g", b"b"), matrix.T, strict=True):
            tags[name + b"XYZ"], tags[name + b"TRC"] = _xyz(column), _parametric(curve)
    return _file(tags, b"GRAY" if gray else b"RGB ")


def _matrix(primaries: tuple[float, ...]) -> F64 | None:
    """(3, 3): linear RGB -> XYZ under D50, adapted with Bradford's matrix; None if there is none."""
    xy = np.array(primaries).reshape(4, 2)
    if (xy[:, 1] <= 0).any():
        return None
    white, *corners = (np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in xy)
    columns = np.stack(corners, axis=1)
    try:
        scaled: F64 = columns * np.linalg.solve(columns, white)
    except np.linalg.LinAlgError:
        return None
    cones = _BRADFORD @ white
    if (cones <= 0).any():
        return None
    adapted: F64 = np.linalg.inv(_BRADFORD) @ np.diag(_BRADFORD @ _D50 / cones) @ _BRADFORD @ scaled
    return adapted if np.abs(adapted).max() < 2 else None


def _file(tags: dict[bytes, bytes], space: bytes) -> bytes:
    """Return a file: header of 128 bytes, table of tags, and their data at multiples of 4."""
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    size = start + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"", 0x04200000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _numbers(_D50)
    return header + bytes(128 - len(header)) + table + data


def _numbers(values: F64) -> bytes:
    """Return numbers as s15Fixed16."""
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def _xyz(values: F64) -> bytes:
    return b"XYZ \0\0\0\0" + _numbers(values)


def _parametric(curve: tuple[float, ...]) -> bytes:
    """Return a power (function 0), or sRGB's curve (function 3)."""
    kind = 0 if len(curve) == 1 else 3
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + _numbers(np.array(curve))


def _text(words: str) -> bytes:
    content = words.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(content), 28) + content
