"""Files that are broken or strange: refused with the right code, or accepted with a notice."""

from __future__ import annotations

import hostile_files
import numpy as np
import pytest
from desk import Desk
from PIL import Image

RNG = np.random.default_rng(3)
SMALL = RNG.integers(0, 256, (80, 80, 3), dtype=np.uint8)

BROKEN = {
    "zero-byte": (b"", "empty"),
    "garbage": (hostile_files.garbage(), "not a picture"),
    "truncated": (hostile_files.truncated(SMALL), "cannot be decoded"),
    "header bomb": (hostile_files.header_bomb(), "pixels"),
    "animated GIF": (hostile_files.animation(SMALL, "GIF"), "animated"),
    "animated PNG": (hostile_files.animation(SMALL, "PNG"), "animated"),
    "animated WebP": (hostile_files.animation(SMALL, "WEBP"), "animated"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("role", ["cover", "secret", "stego"])
def test_broken_files(desk: Desk, role: str, case: str) -> None:
    content, words = BROKEN[case]
    bad = desk.put_bytes("bad.png", content)
    desk.refuses(3, *_using(role, bad), words=words)


@pytest.mark.parametrize("role", ["cover", "secret", "stego"])
def test_missing_file(desk: Desk, role: str) -> None:
    desk.refuses(3, *_using(role, "missing.png"), words="missing.png: no such file")


@pytest.mark.parametrize("role", ["cover", "secret"])
def test_folder(desk: Desk, role: str) -> None:
    (desk.folder / "folder.png").mkdir()
    desk.refuses(3, *_using(role, "folder.png"), words="folder.png: a folder")


def test_a_folder_without_stegos(desk: Desk) -> None:
    (desk.folder / "folder.png").mkdir()
    desk.refuses(4, *_using("stego", "folder.png"), words="no hidden picture found")


def _using(role: str, name: str) -> tuple[str, ...]:
    return {
        "cover": ("hide", name, "secret.png", "-o", "out.png"),
        "secret": ("hide", "cover.png", name, "-o", "out.png"),
        "stego": ("reveal", name, "-o", "out.png"),
    }[role]


# --- covers that cannot carry -


@pytest.mark.parametrize("shape", [(1, 1), (63, 64), (64, 63), (1, 10_000)])
def test_covers_that_are_too_small(desk: Desk, shape: tuple[int, int]) -> None:
    desk.put("small.png", np.zeros((*shape, 3), np.uint8))
    desk.refuses(3, "hide", "small.png", "secret.png", "-o", "out.png")


def test_fully_transparent_cover(desk: Desk, cover_rgb: np.ndarray) -> None:
    desk.put("clear.png", np.dstack((cover_rgb, np.zeros(cover_rgb.shape[:2], np.uint8))))
    desk.refuses(3, "hide", "clear.png", "secret.png", "-o", "out.png", words="transparent")


def test_smallest_picture_as_stego(desk: Desk) -> None:
    desk.put("dot.png", np.zeros((1, 1, 3), np.uint8))
    desk.refuses(4, "reveal", "dot.png", "-o", "out.png", words="no hidden picture found")


# --- strange, but good -


def _round_trip(desk: Desk, cover: str, secret: str = "secret.png") -> tuple[np.ndarray, str]:
    """Hide and reveal: (the revealed picture, the notices)."""
    hidden = desk.run("hide", cover, secret, "-o", "stego.png")
    assert hidden.code == 0, hidden
    desk.keep("stego.png")
    revealed = desk.run("reveal", "stego.png", "-o", "revealed.png")
    assert revealed.code == 0, revealed
    desk.check_inputs()
    return desk.pixels("revealed.png"), hidden.err


def _alike(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_one_pixel_secret(desk: Desk) -> None:
    desk.put("dot.png", np.full((1, 1), 200, np.uint8))
    revealed, _ = _round_trip(desk, "cover.png", "dot.png")
    assert revealed.shape == (1, 1)


@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white_covers(desk: Desk, secret_gray: np.ndarray, value: int) -> None:
    desk.put("flat.png", np.full((256, 256, 3), value, np.uint8))
    revealed, _ = _round_trip(desk, "flat.png")
    assert _alike(revealed, secret_gray) > 0.9


@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white_secrets(desk: Desk, value: int) -> None:
    desk.put("flat.png", np.full((100, 120), value, np.uint8))
    revealed, _ = _round_trip(desk, "cover.png", "flat.png")
    assert abs(revealed.astype(int) - value).mean() < 16


def test_secret_larger_than_its_cover(desk: Desk, secret_gray: np.ndarray) -> None:
    large = np.array(Image.fromarray(secret_gray).resize((640, 480)))
    desk.put("large.png", large)
    revealed, told = _round_trip(desk, "cover.png", "large.png")
    assert revealed.shape == (480, 640)
    assert "reduced from 640x480" in told
    assert _alike(revealed, large) > 0.9


@pytest.mark.parametrize("shape", [(1, 200), (300, 3), (17, 31)])
def test_secrets_of_odd_shapes(desk: Desk, shape: tuple[int, int]) -> None:
    desk.put("odd.png", RNG.integers(0, 256, shape, dtype=np.uint8))
    assert _round_trip(desk, "cover.png", "odd.png")[0].shape == shape


def test_sixteen_bit_cover_and_secret(desk: Desk, cover_rgb: np.ndarray, secret_gray: np.ndarray) -> None:
    desk.put_bytes("deep.png", hostile_files.sixteen_bit_rgb(cover_rgb.astype(np.uint16) * 257))
    desk.put("deep-secret.png", secret_gray.astype(np.uint16) * 257)
    revealed, told = _round_trip(desk, "deep.png", "deep-secret.png")
    assert "16 bits" in told
    assert _alike(revealed, secret_gray) > 0.9


def test_cmyk_cover(desk: Desk, cover_rgb: np.ndarray, secret_gray: np.ndarray) -> None:
    Image.fromarray(cover_rgb).convert("CMYK").save(desk.folder / "print.tif")
    desk.keep("print.tif")
    revealed, told = _round_trip(desk, "print.tif")
    assert "CMYK" in told
    assert _alike(revealed, secret_gray) > 0.9


def test_palette_cover_with_transparency(desk: Desk, cover_rgb: np.ndarray) -> None:
    indices = Image.fromarray(cover_rgb).quantize(64)
    indices.save(desk.folder / "palette.png", transparency=5)
    desk.keep("palette.png")
    _, told = _round_trip(desk, "palette.png")
    assert "palette" in told
    clear = np.asarray(indices) == 5
    stego = desk.pixels("stego.png")
    assert np.array_equal(stego[..., 3] == 0, clear)
    assert np.array_equal(stego[clear][:, :3], np.asarray(indices.convert("RGB"))[clear])


def test_rotated_cover_and_secret(desk: Desk, cover_rgb: np.ndarray, secret_gray: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    desk.put("cover-turned.png", cover_rgb[:200], exif=exif)
    desk.put("secret-turned.png", secret_gray[:, :150], exif=exif)
    revealed, _ = _round_trip(desk, "cover-turned.png", "secret-turned.png")
    assert desk.pixels("stego.png").shape == (256, 200, 3)
    assert _alike(revealed, np.rot90(secret_gray[:, :150], -1)) > 0.9
