"""A stego's PNG is, apart from its pixels, one that Pillow writes for any picture: nothing gives it away."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from png_layout import Layout, layout_of

import stegcli
from stegcli.pictures import writing

pytestmark = pytest.mark.usefixtures("quick_keys")

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GAMMA = (b"gAMA", (45455).to_bytes(4, "big"))
DEFLATE_32K, DEFAULT_LEVEL = 0x78, 2  # RFC 1950: CMF of every PNG writer's zlib; FLEVEL of its default


def pillows(pixels: np.ndarray, **options: Any) -> bytes:
    """The file that `Image.save` writes for these pixels with default options."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def is_as_usual(found: Layout) -> bool:
    """Compared with the standards themselves, so that a strange Pillow would not go unnoticed."""
    cmf, flags = found.zlib_header
    names = [name for name, _ in found.chunks]
    sizes = [length for name, length in found.chunks if name == b"IDAT"]
    return (
        (names[0], names[-1]) == (b"IHDR", b"IEND")
        and (cmf, flags >> 6) == (DEFLATE_32K, DEFAULT_LEVEL)
        and set(sizes[:-1]) <= {max(sizes)}
        and len(set(found.filters)) > 1
    )


@pytest.mark.parametrize("model", ["phase", "isgan-lfw-v1", "coded"])
def test_a_stego_has_the_envelope_that_pillow_gives_its_pixels(
    model: str, cover_rgb: np.ndarray, secret_gray: np.ndarray, tmp_path: Path
) -> None:
    stream = io.BytesIO()
    for out in (tmp_path / "stego.png", stream):
        stegcli.hide(cover_rgb, secret_gray[:64, :64], out, model=model)
    for file in ((tmp_path / "stego.png").read_bytes(), stream.getvalue()):
        found = layout_of(file)
        assert found == layout_of(pillows(np.asarray(Image.open(io.BytesIO(file)))))
        assert is_as_usual(found)
        assert [name for name, _ in found.chunks].count(b"IDAT") > 1


def test_transparency_and_profiles_stand_where_pillow_puts_them(
    cover_rgb: np.ndarray, secret_gray: np.ndarray, tmp_path: Path
) -> None:
    pixels = np.dstack((cover_rgb, np.full(cover_rgb.shape[:2], 255, dtype=np.uint8)))
    words = PngImagePlugin.PngInfo()
    words.add(*GAMMA)
    (tmp_path / "c.png").write_bytes(pillows(pixels, icc_profile=ICC, pnginfo=words))
    stegcli.hide(tmp_path / "c.png", secret_gray[:64, :64], tmp_path / "s.png", model="coded")
    found = layout_of((tmp_path / "s.png").read_bytes())
    stego = np.asarray(Image.open(tmp_path / "s.png"))
    assert stego.shape[-1] == 4
    assert found == layout_of(pillows(stego, icc_profile=ICC, pnginfo=words))
    assert [name for name, _ in found.chunks][:3] == [b"IHDR", b"iCCP", b"gAMA"]


def test_a_revealed_picture_is_as_plain(secret_gray: np.ndarray, tmp_path: Path) -> None:
    writing.save_gray(tmp_path / "r.png", secret_gray)
    assert (tmp_path / "r.png").read_bytes() == writing.png_bytes(secret_gray) == pillows(secret_gray)


def test_another_setting_of_zlib_would_be_seen(cover_rgb: np.ndarray) -> None:
    """What gave away the files of earlier versions, and what the comparison above would find."""
    quick = layout_of(pillows(cover_rgb, compress_level=1, compress_type=3))
    assert quick != layout_of(pillows(cover_rgb))
    assert not is_as_usual(quick)
