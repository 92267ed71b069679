"""A stego that reveals nothing is never reported as done, whatever its header says."""

import math

import numpy as np
import onnx
import pytest

import stegcli
from stegcli import pipeline
from stegcli.errors import ModelError, UsageError
from stegcli.pictures import floor

pytestmark = pytest.mark.usefixtures("quick_keys")


@pytest.fixture
def blind(exact_weights, make_weights):
    """Weights whose decoder returns the negative of what was hidden."""
    model = onnx.load_model_from_string((exact_weights / "phase-tiny" / "decoder.onnx").read_bytes())
    (scale,) = [each for each in model.graph.initializer if each.name == "scale"]
    scale.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(scale), "scale"))
    return make_weights(decoder=model.SerializeToString())


@pytest.fixture
def secret(secret_gray):
    """Away from black and white, where the exact codec is close to the discontinuity of phases."""
    return 64 + secret_gray[:128, :128] // 2


def test_a_picture_that_shows_nothing_is_refused(cover_rgb, secret, blind, tmp_path):
    reached = stegcli.hide(cover_rgb, secret, weights=blind).revealed_psnr_db
    assert reached < floor.least_db(secret) < floor.ENOUGH_DB
    with pytest.raises(ModelError, match=f"phase-tiny would reveal the secret at {reached:.0f}") as caught:
        stegcli.hide(cover_rgb, secret, tmp_path / "stego.png", weights=blind)
    assert "--floor" in caught.value.hint
    assert not list(tmp_path.glob("*.png"))


def test_what_the_user_accepts_is_written(cover_rgb, secret, blind, tmp_path):
    report = stegcli.hide(cover_rgb, secret, tmp_path / "stego.png", weights=blind, floor=0)
    assert stegcli.reveal(tmp_path / "stego.png", weights=blind).size == report.secret_size


def test_a_floor_of_the_users_counts(cover_rgb, secret, exact_weights, tmp_path):
    stegcli.hide(cover_rgb, secret, tmp_path / "good.png", weights=exact_weights)
    with pytest.raises(ModelError, match=r"the least is 70\.0"):
        stegcli.hide(cover_rgb, secret, tmp_path / "stego.png", weights=exact_weights, floor=70)


def test_a_floor_that_no_quality_falls_below_is_none():
    with pytest.raises(UsageError, match="nan"):
        pipeline.HideSettings(floor=math.nan)


def test_the_command_has_the_floor(desk, blind, secret):
    desk.put("even.png", secret)
    args = ("hide", "cover.png", "even.png", "-o", "stego.png", "--weights", str(blind))
    before = sorted(desk.folder.rglob("*"))
    outcome = desk.run(*args)
    assert (outcome.code, outcome.out) == (5, "")
    assert "a flat gray picture has" in outcome.err
    assert sorted(desk.folder.rglob("*")) == before
    assert desk.run(*args, "--floor", "0").code == 0


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (64, 64)])
@pytest.mark.parametrize("gray", [0, 90, 255])
def test_flat_secrets_need_a_finite_floor(shape, gray):
    assert floor.least_db(np.full(shape, gray, np.uint8)) == floor.ENOUGH_DB


def test_a_secret_much_reduced_passes(cover_rgb, secret_gray, tmp_path):
    """The picture counts, not how little of it the cover had room for."""
    secret = np.kron(secret_gray, np.ones((3, 3), np.uint8))
    noisy = secret ^ np.random.default_rng(0).integers(0, 128, secret.shape, dtype=np.uint8)
    report = pipeline.hide(cover_rgb[:64, :64], noisy, tmp_path / "stego.png")
    assert report.hidden_size == (64, 64)
    assert report.revealed_psnr_db < floor.ENOUGH_DB
