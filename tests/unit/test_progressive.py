"""The bundled progressive codec: planes that are not sent, and symbols that are known to be lost."""

from __future__ import annotations

import numpy as np
import pytest

from stegcli import pipeline
from stegcli.envelope import keys
from stegcli.errors import UsageError
from stegcli.methods import table
from stegcli.methods.phase import method as phase
from stegcli.methods.phase import overwritten
from stegcli.pictures import metrics

pytestmark = pytest.mark.usefixtures("quick_keys")

PROGRESSIVE = "phase-progressive-v1"


def with_overwritten(rgb: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The picture with random colours in a share of its pixels, and which pixels those are."""
    rng = np.random.default_rng(7)
    hit = rng.random(rgb.shape[:2]) < share
    return np.where(hit[..., None], rng.integers(0, 256, rgb.shape), rgb).astype(np.uint8), hit


@pytest.fixture(scope="module")
def whole(cover_rgb: np.ndarray, secret_gray: np.ndarray) -> pipeline.HideReport:
    return pipeline.hide(cover_rgb, secret_gray, model=PROGRESSIVE)


def test_a_target_sends_fewer_planes_and_spares_the_cover(
    cover_rgb: np.ndarray, secret_gray: np.ndarray, whole: pipeline.HideReport
) -> None:
    modest = pipeline.hide(cover_rgb, secret_gray, target=26.0, passphrase="correct horse")
    assert (modest.model, whole.planes) == (PROGRESSIVE, 64)
    assert modest.planes < 32
    assert modest.stego_psnr_db > whole.stego_psnr_db + 3
    assert 26 - 0.3 <= modest.revealed_psnr_db < whole.revealed_psnr_db - 5
    assert modest.notices == ()
    told = pipeline.info(modest.stego_rgb, passphrase="correct horse")
    assert (told.planes, told.spread) == (modest.planes, modest.spread)
    revealed = pipeline.reveal(modest.stego_rgb, passphrase="correct horse").revealed_gray
    assert np.array_equal(revealed, modest.revealed_gray)


def test_more_is_asked_more_is_sent(cover_rgb: np.ndarray, secret_gray: np.ndarray) -> None:
    sent = [pipeline.hide(cover_rgb, secret_gray, target=target).planes for target in (24.0, 30.0, 60.0)]
    assert sent == sorted(sent)
    assert sent[0] < sent[1] < sent[2] == 64


def test_a_target_out_of_reach_is_said(cover_rgb: np.ndarray, secret_gray: np.ndarray) -> None:
    (notice,) = pipeline.hide(cover_rgb, secret_gray, target=60.0).notices
    assert "not at the 60 dB that were asked for" in notice


@pytest.mark.parametrize("model", ["phase-v1", "isgan"])
def test_other_models_say_that_they_cannot(
    cover_rgb: np.ndarray, secret_gray: np.ndarray, model: str
) -> None:
    with pytest.raises(UsageError) as caught:
        pipeline.hide(cover_rgb, secret_gray, model=model, target=30.0)
    assert "--target" in caught.value.hint


@pytest.mark.parametrize("shape", [(13, 9), (64, 100)])
def test_secrets_of_any_size(cover_rgb: np.ndarray, shape: tuple[int, int]) -> None:
    secret = np.add.outer(np.arange(shape[0]), np.arange(shape[1])).astype(np.uint8)
    report = pipeline.hide(cover_rgb, secret, target=22.0)
    assert report.revealed_gray.shape == shape
    assert np.array_equal(pipeline.reveal(report.stego_rgb).revealed_gray, report.revealed_gray)


@pytest.mark.parametrize("share", [0.01, 0.03, 0.1])
def test_scars_are_found(cover_rgb: np.ndarray, share: float) -> None:
    damaged, hit = with_overwritten(cover_rgb, share)
    found = overwritten.find(damaged, share)
    assert found.mean() == pytest.approx(share, rel=0.1)
    assert (found & hit).sum() > 0.85 * hit.sum()


def test_no_scars_where_nothing_is_wrong(cover_rgb: np.ndarray) -> None:
    assert not overwritten.find(cover_rgb, 0.0).any()
    assert not overwritten.find(np.full((40, 50, 3), 7, np.uint8), 0.1).any(), "flat ground stands out"


def test_strips_do_not_show(cover_rgb: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged, _ = with_overwritten(cover_rgb, 0.03)
    at_once = overwritten.find(damaged, 0.03)
    monkeypatch.setattr(overwritten, "_STRIP_ROWS", 50)
    assert np.array_equal(overwritten.find(damaged, 0.03), at_once)


def test_what_is_known_to_be_lost_costs_less(
    whole: pipeline.HideReport, secret_gray: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged, _ = with_overwritten(whole.stego_rgb, 0.03)
    method, opened = table.open_stego(damaged, None, keys.Keyring(None))
    damage = method.damage(opened)
    assert damage == pytest.approx(0.03, abs=0.012)
    seen, unseen = phase._overwritten(*phase._ours(opened), damage)
    assert seen.mean() == pytest.approx(damage, rel=0.1)
    assert unseen < 0.4 * damage
    knowing = metrics.psnr(secret_gray, pipeline.reveal(damaged).revealed_gray)
    monkeypatch.setattr(overwritten, "find", lambda rgb, _: np.zeros(rgb.shape[:2], dtype=np.bool_))
    guessing = metrics.psnr(secret_gray, pipeline.reveal(damaged).revealed_gray)
    assert knowing > guessing + 0.5
