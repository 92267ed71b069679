"""Hiding by a network alone: sizes, alpha, header, dispatch and honest reports, by an untrained codec."""

import numpy as np
import pytest
from PIL import Image

import stegcli
from stegcli import pipeline
from stegcli.envelope import opening
from stegcli.envelope.header import Header
from stegcli.errors import ImageError, ModelError, NothingFoundError, UsageError
from stegcli.methods import isgan, table
from stegcli.methods.phase.body import Body
from stegcli.models.loading import Models
from stegcli.pictures import luma, metrics

pytestmark = pytest.mark.usefixtures("quick_keys")


def wave(height, width, low=40, high=215):
    """(height, width) uint8, smooth."""
    y, x = np.mgrid[:height, :width]
    return np.rint(low + (high - low) * (0.5 + 0.25 * (np.sin(x / 17) + np.cos(y / 11)))).astype(np.uint8)


def gray_cover(height, width):
    """(height, width, 3) uint8: without chroma the plain codec is exact."""
    return np.repeat(wave(height, width)[::-1, :, None], 3, axis=2)


@pytest.fixture
def weights(plain_isgan_weights):
    return plain_isgan_weights


@pytest.mark.parametrize("size", [(64, 64), (97, 131)])
def test_covers_of_any_size_carry_a_secret_of_their_size(weights, size, tmp_path):
    secret = wave(*size)
    report = stegcli.hide(gray_cover(*size), secret, tmp_path / "stego.png", weights=weights)
    revealed = stegcli.reveal(tmp_path / "stego.png", weights=weights)
    assert np.array_equal(revealed.revealed_gray, report.revealed_gray)
    assert np.abs(revealed.revealed_gray.astype(int) - secret).max() <= 1, "one step of blue in the header"
    assert report.hidden_size == report.cover_size == size[::-1]
    assert report.model == revealed.model == "isgan-plain"
    assert report.bpp == 8


def test_a_secret_takes_the_covers_size_and_comes_back_at_its_own(weights):
    secret = wave(50, 200)
    report = stegcli.hide(gray_cover(100, 80), secret, weights=weights)
    assert report.hidden_size == (80, 100)
    assert any("200x50" in notice and "80x100" in notice for notice in report.notices)
    assert report.revealed_gray.shape == secret.shape
    assert metrics.psnr(report.revealed_gray, secret) > 30
    assert stegcli.reveal(report.stego_rgb, weights=weights, size="hidden").size == (80, 100)


def test_tiles_leave_no_seams(weights, monkeypatch):
    cover, secret = gray_cover(90, 110), wave(90, 110)
    whole = stegcli.hide(cover, secret, weights=weights).revealed_gray
    for name in ("ENCODER_TILE", "DECODER_TILE"):
        monkeypatch.setattr(isgan, name, 1500)
    assert np.abs(stegcli.hide(cover, secret, weights=weights).revealed_gray.astype(int) - whole).max() <= 1


def test_the_covers_chroma_stays():
    cover = np.full((4, 5, 3), (120, 90, 140), dtype=np.uint8)
    given = luma.rgb_to_ycrcb(cover)
    given[..., 0] += 10
    assert np.array_equal(luma.ycrcb_to_rgb(given), cover + 10)


def test_transparent_pixels_stay_and_are_told_of(weights, tmp_path):
    rgba = np.dstack([gray_cover(100, 100), np.full((100, 100), 255, np.uint8)])
    rgba[:30, :, 3] = 0
    rgba[30:40, :, 3] = 7
    report = stegcli.hide(rgba, wave(100, 100), tmp_path / "stego.png", weights=weights)
    stego = np.asarray(Image.open(tmp_path / "stego.png"))
    assert np.array_equal(stego[..., 3], rgba[..., 3])
    assert np.array_equal(stego[:30], rgba[:30])
    assert any("40% of the cover is transparent" in notice for notice in report.notices)
    revealed = stegcli.reveal(tmp_path / "stego.png", weights=weights).revealed_gray
    assert metrics.psnr(revealed[40:], wave(100, 100)[40:]) > 45


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_the_passphrase_locks_the_header_and_no_more(weights, passphrase):
    secret = wave(80, 80)
    report = stegcli.hide(gray_cover(80, 80), secret, weights=weights, passphrase=passphrase)
    assert report.keyed is (passphrase is not None)
    assert not report.has_key
    assert report.notices[0] == (isgan.HEADER_ONLY_NOTICE if passphrase else isgan.OPEN_NOTICE)
    assert np.abs(luma.gray(report.stego_rgb).astype(int) - secret).max() <= 1, "readable without any key"
    for wrong in ({None, "correct horse", "another"}) - {passphrase}:
        with pytest.raises(NothingFoundError):
            stegcli.reveal(report.stego_rgb, weights=weights, passphrase=wrong)


def test_info_knows_the_method(weights):
    report = stegcli.hide(gray_cover(70, 90), wave(20, 30), weights=weights)
    told = pipeline.info(report.stego_rgb, weights=weights)
    assert (told.model, told.hidden_size, told.secret_size) == ("isgan-plain", (90, 70), (30, 20))
    assert told.sigma is None
    assert told.as_json()["sigma"] is None


def test_its_balance_is_fixed(weights):
    with pytest.raises(UsageError, match="cannot favor 'secret'"):
        stegcli.hide(gray_cover(64, 64), wave(64, 64), weights=weights, favor="secret")


def test_small_covers_are_refused(weights):
    with pytest.raises(ImageError, match="at least 64x64"):
        stegcli.hide(gray_cover(63, 80), wave(64, 64), weights=weights)


def test_a_header_of_another_size_opens_nothing():
    header = Header(isgan.CHANNEL, 64, 64, 64, 64, keyed=False, own=Body(b"abcd").to_bytes())
    stego = gray_cover(32, 128)
    opened = opening.ParitiesOpened(
        keys=None, header=header, stego_rgb=stego, pixels=stego.reshape(-1, 3), usable=None, plan=None
    )
    with pytest.raises(NothingFoundError):
        isgan.IsganMethod().reveal(opened, Models())


def test_every_family_and_channel_has_one_method():
    from stegcli.models.contract import ROLES

    hiding = [family for family, roles in ROLES.items() if "encoder" in roles]
    assert [method.family for method in table.METHODS if method.has_models] == hiding
    channels = [channel for method in table.METHODS for channel in method.channels]
    assert len(set(channels)) == len(channels)
    with pytest.raises(ModelError, match="family wgan"):
        table.for_family("wgan")
    with pytest.raises(ModelError, match="a way that this stegcli does not know"):
        table.for_channel(9)
