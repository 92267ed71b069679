"""Changes that a stego must survive on its way, and changes that it need not survive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from desk import Desk
from PIL import Image

pytestmark = pytest.mark.usefixtures("quick_keys")

RNG = np.random.default_rng(4)

Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def stego_rgb(
    tmp_path_factory: pytest.TempPathFactory, cover_rgb: np.ndarray, secret_gray: np.ndarray
) -> np.ndarray:
    """One stego, made as a user makes it."""
    desk = Desk(tmp_path_factory.mktemp("stego"))
    names = [
        str(desk.folder / desk.put(name, pixels))
        for name, pixels in (("c.png", cover_rgb), ("s.png", secret_gray))
    ]
    outcome = desk.run("hide", *names, "-o", str(desk.folder / "stego.png"))
    assert outcome.code == 0, outcome
    return desk.pixels("stego.png")


def _one_pixel(rgb: np.ndarray) -> np.ndarray:
    rgb[100, 100] = 255 - rgb[100, 100]
    return rgb


def _five_per_cent(rgb: np.ndarray) -> np.ndarray:
    hit = RNG.random(rgb.shape[:2]) < 0.05
    rgb[hit] = RNG.integers(0, 256, (int(hit.sum()), 3))
    return rgb


def _stripe(rgb: np.ndarray) -> np.ndarray:
    rgb[118:138] = 0
    return rgb


@pytest.mark.parametrize("change", [_one_pixel, _five_per_cent, _stripe])
def test_overwritten_pixels_cost_a_little_quality(
    desk: Desk, stego_rgb: np.ndarray, secret_gray: np.ndarray, change: Change
) -> None:
    desk.put("stego.png", change(stego_rgb.copy()))
    outcome = desk.run("reveal", "stego.png", "-o", "out.png")
    assert outcome.code == 0, outcome
    assert np.corrcoef(desk.pixels("out.png").ravel(), secret_gray.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(("side", "share"), [(128, 0.05), (64, 0.005)])
def test_small_secrets_bear_less(desk: Desk, cover_rgb: np.ndarray, side: int, share: float) -> None:
    small = np.asarray(Image.open(desk.folder / "secret.png").resize((side, side)))
    desk.put("small.png", small)
    assert desk.run("hide", "cover.png", "small.png", "-o", "stego.png").code == 0
    rgb = desk.pixels("stego.png").copy()
    hit = np.random.default_rng(1).random(rgb.shape[:2]) < share
    rgb[hit] = RNG.integers(0, 256, (int(hit.sum()), 3))
    desk.put("stego.png", rgb)
    outcome = desk.run("reveal", "stego.png", "-o", "out.png")
    assert outcome.code == 0, outcome
    assert np.corrcoef(desk.pixels("out.png").ravel(), small.ravel())[0, 1] > 0.85


@pytest.mark.parametrize("save", ["PNG", "WEBP", "TIFF", "BMP"])
def test_lossless_formats_keep_it(desk: Desk, stego_rgb: np.ndarray, save: str) -> None:
    desk.put("stego.img", stego_rgb, format=save, **({"lossless": True} if save == "WEBP" else {}))
    assert desk.run("reveal", "stego.img", "-o", "out.png").code == 0


def test_alpha_flattened_where_nothing_was_transparent(
    desk: Desk, cover_rgb: np.ndarray, secret_gray: np.ndarray
) -> None:
    desk.put("opaque.png", np.dstack((cover_rgb, np.full(cover_rgb.shape[:2], 255, np.uint8))))
    assert desk.run("hide", "opaque.png", "secret.png", "-o", "stego.png").code == 0
    assert desk.pixels("stego.png").shape[2] == 4
    Image.open(desk.folder / "stego.png").convert("RGB").save(desk.folder / "flat.png")
    assert desk.run("reveal", "flat.png", "-o", "out.png").code == 0
    assert np.corrcoef(desk.pixels("out.png").ravel(), secret_gray.ravel())[0, 1] > 0.9


def _jpeg(rgb: np.ndarray, path: Path) -> None:
    Image.fromarray(rgb).save(path, "JPEG", quality=95)


def _resized(rgb: np.ndarray, path: Path) -> None:
    Image.fromarray(rgb).resize((255, 255)).save(path, "PNG")


def _cropped(rgb: np.ndarray, path: Path) -> None:
    Image.fromarray(rgb[1:]).save(path, "PNG")


def _brighter(rgb: np.ndarray, path: Path) -> None:
    Image.fromarray((rgb * 1.02).clip(0, 255).astype(np.uint8)).save(path, "PNG")


def _palette(rgb: np.ndarray, path: Path) -> None:
    Image.fromarray(rgb).quantize(256).save(path, "PNG")


@pytest.mark.parametrize("damage", [_jpeg, _resized, _cropped, _brighter, _palette])
@pytest.mark.parametrize("command", [("reveal", "-o", "out.png"), ("info",)])
def test_other_changes_destroy_it(
    desk: Desk, stego_rgb: np.ndarray, damage: Callable[[np.ndarray, Path], None], command: tuple[str, ...]
) -> None:
    damage(stego_rgb, desk.folder / "changed")
    desk.keep("changed")
    name, *options = command
    desk.refuses(4, name, "changed", *options, words="no hidden picture found")


def test_an_innocent_picture(desk: Desk) -> None:
    desk.refuses(4, "reveal", "cover.png", "-o", "out.png", words="no hidden picture found")
