"""Coded bits, arrays in and arrays out: a secret comes back as the codec made it, or not at all."""

from __future__ import annotations

import math

import coded_cases
import numpy as np
import pytest
from coded_cases import hidden, revealed
from PIL import Image, ImageDraw

from stegcli.codecs.base import FileSecret
from stegcli.envelope import keys
from stegcli.errors import ChangedError, ImageError, NothingFoundError, UsageError
from stegcli.methods import table
from stegcli.methods.base import Wishes
from stegcli.pictures import metrics

pytestmark = pytest.mark.usefixtures("quick_keys")

SIDE = 128


@pytest.fixture(scope="module")
def cover(cover_rgb: np.ndarray) -> np.ndarray:
    """(128, 128, 3) uint8: a part of a photograph."""
    return np.ascontiguousarray(cover_rgb[:SIDE, :SIDE])


@pytest.fixture(scope="module")
def gray(secret_gray: np.ndarray) -> np.ndarray:
    """(64, 64) uint8."""
    return np.ascontiguousarray(secret_gray[64:128, 64:128])


def same(found: np.ndarray | FileSecret, expected: np.ndarray | FileSecret) -> None:
    if isinstance(expected, FileSecret):
        assert found == expected
    else:
        np.testing.assert_array_equal(found, expected)


def text_page(side: int = 96) -> np.ndarray:
    """(side, side) uint8: black letters on white."""
    page = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(page)
    for row in range(0, side, 12):
        draw.text((2, row), f"line {row}: pack my box", fill=0)
    return np.asarray(page)


def qr_like(modules: int = 33, scale: int = 4) -> np.ndarray:
    """(132, 132) uint8: random black and white modules, as in a QR code."""
    bits = np.random.default_rng(5).integers(2, size=(modules, modules), dtype=np.uint8)
    return np.kron(bits * np.uint8(255), np.ones((scale, scale), dtype=np.uint8))


def test_opening_derives_no_key_in_vain(
    cover: np.ndarray, gray: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    stego = hidden(cover, gray).rgb
    derived = []
    derive = keys._argon2
    monkeypatch.setattr(keys, "_argon2", lambda text, salt: derived.append(salt) or derive(text, salt))
    table.open_stego(stego, None, keys.Keyring(None))
    assert len(derived) == 2  # where the head is, and what it says; none for parities that hold no salt


def test_a_gray_picture_comes_back_as_the_codec_made_it(cover: np.ndarray, gray: np.ndarray) -> None:
    made = hidden(cover, gray)
    found = revealed(made.rgb)
    same(found, made.hidden)
    assert metrics.psnr(gray, found) >= 40
    assert not made.notices


def test_a_colour_picture_keeps_its_colours(cover: np.ndarray, cover_rgb: np.ndarray) -> None:
    secret = np.ascontiguousarray(cover_rgb[160:208, 160:216])
    made = hidden(cover, secret)
    found = revealed(made.rgb)
    same(found, made.hidden)
    assert found.shape == secret.shape
    assert metrics.psnr(secret, found) >= 40


@pytest.mark.parametrize("size", [0, 1, 10, 3000])
def test_a_file_comes_back_byte_for_byte(cover: np.ndarray, size: int) -> None:
    secret = FileSecret("report.pdf", np.random.default_rng(size).bytes(size))
    assert revealed(hidden(cover, secret).rgb) == secret


def test_a_large_file_in_a_large_cover(cover_rgb: np.ndarray) -> None:
    secret = FileSecret("archive.zip", np.random.default_rng(0).bytes(100_000))
    assert revealed(hidden(np.tile(cover_rgb, (3, 2, 1)), secret).rgb) == secret


@pytest.mark.parametrize(
    ("name", "back"),
    [("../up.txt", "up.txt"), ("a\0b.txt", "ab.txt"), ("n" * 300 + ".pdf", "n" * 251 + ".pdf")],
)
def test_names_come_back_safe(cover: np.ndarray, name: str, back: str) -> None:
    assert revealed(hidden(cover, FileSecret(name, b"content")).rgb) == FileSecret(back, b"content")


@pytest.mark.parametrize("secret", [text_page(), qr_like()], ids=["text", "code"])
def test_text_and_codes_come_back_exactly(cover_rgb: np.ndarray, secret: np.ndarray) -> None:
    same(revealed(hidden(cover_rgb, secret).rgb), secret)


@pytest.mark.parametrize(
    ("name", "value"), [("white", 255), ("black", 0), ("gray", 128)], ids=["white", "black", "gray"]
)
def test_a_cover_of_one_colour_carries(gray: np.ndarray, name: str, value: int) -> None:
    cover = np.full((SIDE, SIDE, 3), value, dtype=np.uint8)
    secret = FileSecret(name, gray.tobytes()[:300])
    assert revealed(hidden(cover, secret).rgb) == secret


def test_a_cover_of_two_colours_carries() -> None:
    cover = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    cover[::3] = 255
    secret = FileSecret("ten", b"0123456789")
    assert revealed(hidden(cover, secret).rgb) == secret


def test_the_smallest_cover_carries(cover_rgb: np.ndarray, gray: np.ndarray) -> None:
    made = hidden(np.ascontiguousarray(cover_rgb[:64, :64]), gray)
    same(revealed(made.rgb), made.hidden)


def test_steps_of_one_and_of_no_more_in_a_photograph(cover: np.ndarray, gray: np.ndarray) -> None:
    made = hidden(cover, gray)
    assert np.abs(made.rgb.astype(int) - cover).max() == 1


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_transparent_pixels_are_left_alone(cover: np.ndarray, gray: np.ndarray, kind: str) -> None:
    alpha = np.full((SIDE, SIDE), 255, dtype=np.uint8)
    alpha[:40] = 0
    if kind == "soft":
        alpha[40:60] = np.linspace(1, 254, 20, dtype=np.uint8)[:, None]
    made = hidden(cover, gray, alpha=alpha)
    same(revealed(made.rgb, alpha=alpha), made.hidden)
    assert not coded_cases.changed_pixels(cover, made.rgb)[alpha < 255].any()


def test_half_transparent_pixels_carry_where_there_are_no_others(cover: np.ndarray, gray: np.ndarray) -> None:
    alpha = np.full((SIDE, SIDE), 127, dtype=np.uint8)
    made = hidden(cover, gray, alpha=alpha)
    same(revealed(made.rgb, alpha=alpha), made.hidden)
    assert "half-transparent" in made.notices[0]


def test_only_the_right_passphrase_finds_it(cover: np.ndarray, gray: np.ndarray) -> None:
    made = hidden(cover, gray, passphrase="correct horse")
    same(revealed(made.rgb, passphrase="correct horse"), made.hidden)
    for wrong in (None, "Correct horse"):
        with pytest.raises(NothingFoundError):
            revealed(made.rgb, passphrase=wrong)


def test_a_cover_holds_nothing(cover: np.ndarray) -> None:
    with pytest.raises(NothingFoundError):
        revealed(cover)


def test_one_changed_sample_of_the_body_is_told(cover: np.ndarray, gray: np.ndarray) -> None:
    stego = hidden(cover, gray).rgb
    pixels = stego.reshape(-1, 3).copy()
    free = np.setdiff1d(np.arange(len(pixels)), coded_cases.head_places(len(pixels)))
    pixels[free[1234], 1] ^= 1
    with pytest.raises(ChangedError, match="the file has since been changed") as caught:
        revealed(pixels.reshape(stego.shape))
    assert int(caught.value.exit_code) == 4
    assert "exactly as" in caught.value.hint


def test_one_changed_sample_of_the_head_is_nothing_found(cover: np.ndarray, gray: np.ndarray) -> None:
    stego = hidden(cover, gray).rgb
    pixels = stego.reshape(-1, 3).copy()
    pixels[coded_cases.head_places(len(pixels))[77], 1] ^= 1
    with pytest.raises(NothingFoundError):
        revealed(pixels.reshape(stego.shape))


def test_a_picture_without_room_comes_back_as_well_as_fits(cover_rgb: np.ndarray) -> None:
    secret = np.random.default_rng(0).integers(256, size=(SIDE, SIDE), dtype=np.uint8)
    made = hidden(np.ascontiguousarray(cover_rgb[:64, :64]), secret)
    found, seen = revealed(made.rgb), made.hidden
    assert found.shape == made.facts.shown_shape
    assert isinstance(seen, np.ndarray)
    assert seen.shape == secret.shape
    db = metrics.psnr(secret, seen)
    assert db < 40
    assert made.notices == (f"the secret comes back at {db:.1f} dB: the cover has no room for more",)


def test_a_file_without_room_is_refused_with_what_would_fit(cover: np.ndarray) -> None:
    secret = FileSecret("big.bin", np.random.default_rng(0).bytes(40_000))
    with pytest.raises(
        ImageError, match=r"big.bin takes 40,0\d\d bytes, but the cover has room for \d,\d\d\d"
    ) as caught:
        hidden(cover, secret)
    assert "times the pixels" in caught.value.hint


def test_the_smallest_cover_holds_something_of_a_large_picture() -> None:
    rough = np.random.default_rng(0).integers(256, size=(47, 63), dtype=np.uint8)
    secret = np.kron(rough, np.ones((16, 16), dtype=np.uint8))
    made = hidden(np.zeros((64, 64, 3), dtype=np.uint8), secret)
    assert revealed(made.rgb).shape == made.facts.shown_shape < secret.shape
    assert "the cover has no room for more" in made.notices[0]


def test_more_quality_takes_more_bytes(cover_rgb: np.ndarray, gray: np.ndarray) -> None:
    sizes = [
        hidden(cover_rgb, gray, wishes=Wishes(favor)).header.body_bytes
        for favor in ("cover", "balanced", "secret")
    ]
    assert sizes == sorted(set(sizes))
    exact = hidden(cover_rgb, gray, wishes=Wishes(target=100.0))
    same(exact.hidden, gray)
    assert metrics.psnr(gray, revealed(exact.rgb)) == math.inf


def test_an_unknown_preference_lists_the_known(cover: np.ndarray, gray: np.ndarray) -> None:
    with pytest.raises(UsageError) as caught:
        hidden(cover, gray, wishes=Wishes("everything"))
    assert "balanced" in caught.value.hint
