"""Which pixels of a transparent cover carry symbols, and that readers find the same ones."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import stegcli
from stegcli.carriers import pixels
from stegcli.pictures import metrics

pytestmark = pytest.mark.usefixtures("quick_keys")

RNG = np.random.default_rng(11)
COVER = np.asarray(
    Image.fromarray(RNG.integers(40, 216, (14, 18, 3), dtype=np.uint8)).resize(
        (128, 96), Image.Resampling.BICUBIC
    )
)
SECRET = 64 + np.asarray(
    Image.fromarray(RNG.integers(0, 256, (8, 8), dtype=np.uint8)).resize((48, 40), Image.Resampling.BICUBIC)
) // 2  # fmt: skip


def _premultiplied(rgba: np.ndarray) -> np.ndarray:
    """What a canvas returns for (H, W, 4) uint8: colours times alpha, rounded, and divided again."""
    alpha = rgba[..., 3:].astype(int)
    colours = (rgba[..., :3] * alpha + 127) // 255
    back = np.where(alpha > 0, np.minimum(255, (colours * 255 + alpha // 2) // np.maximum(alpha, 1)), 0)
    return np.dstack((back, alpha)).astype(np.uint8)


def _alpha(opaque_share: float) -> np.ndarray:
    """(96, 128) uint8: opaque columns, then half-transparent ones, then a clear edge."""
    alpha = np.full((96, 128), 128, np.uint8)
    alpha[:, : round(128 * opaque_share)] = 255
    alpha[:, 120:] = 0
    return alpha


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_what_opaque_pixels_carry_survives_a_browser_s_canvas(exact_weights, passphrase) -> None:
    cover = np.dstack((COVER, _alpha(0.8)))
    report = stegcli.hide(cover, SECRET, weights=exact_weights, passphrase=passphrase)
    stego = np.dstack((report.stego_rgb, report.stego_alpha))
    assert not np.array_equal(_premultiplied(stego), stego)
    saved = stegcli.reveal(_premultiplied(stego), weights=exact_weights, passphrase=passphrase)
    assert np.array_equal(saved.revealed_gray, report.revealed_gray)
    assert np.array_equal(report.stego_rgb[cover[..., 3] < 255], COVER[cover[..., 3] < 255])
    assert not any("transparen" in notice for notice in report.notices)


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_half_transparent_pixels_carry_with_a_word_where_there_is_little_else(exact_weights, share) -> None:
    cover = np.dstack((COVER, _alpha(share)))
    report = stegcli.hide(cover, SECRET, weights=exact_weights)
    stego = np.dstack((report.stego_rgb, report.stego_alpha))
    again = stegcli.reveal(stego, weights=exact_weights).revealed_gray
    assert np.array_equal(again, report.revealed_gray)
    assert metrics.psnr(SECRET, again) > 27
    assert any("half-transparent" in notice for notice in report.notices)


def test_a_file_of_the_time_when_all_visible_pixels_carried_still_reveals(exact_weights, monkeypatch) -> None:
    monkeypatch.setattr("stegcli.methods.phase.method.usable_pixels", lambda alpha: alpha > 0)
    old = stegcli.hide(np.dstack((COVER, _alpha(0.8))), SECRET, weights=exact_weights)
    file = io.BytesIO()
    Image.fromarray(np.dstack((old.stego_rgb, old.stego_alpha))).save(file, "PNG")
    again = stegcli.reveal(np.asarray(Image.open(file)), weights=exact_weights)
    assert np.array_equal(again.revealed_gray, old.revealed_gray)


@pytest.mark.parametrize(
    ("values", "carrying"),
    [((255,), (255,)), ((255, 0), (255,)), ((255, 255, 255, 7), (255,)), ((1, 2), (1, 2)), ((0, 9), (9,))],
)
def test_which_pixels_carry(values, carrying) -> None:
    alpha = np.resize(np.array(values, np.uint8), (128, 128))
    usable = pixels.usable_pixels(alpha)
    carried = alpha if usable is None else alpha[usable]
    assert sorted(set(carried.ravel().tolist())) == sorted(carrying)
