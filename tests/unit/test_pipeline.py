"""Hide and reveal, end to end, with an exact codec: what the reports say is what a receiver gets."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import stegcli
from stegcli import pipeline
from stegcli.errors import ImageError, ModelError, NothingFoundError, OutputError, UsageError
from stegcli.pictures import metrics


def photo(height, width, seed=0):
    """(height, width, 3) uint8 with the smoothness of a photograph."""
    coarse = np.random.default_rng(seed).integers(
        20, 236, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8
    )
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(seed + 1).integers(-3, 4, (height, width, 3))
    return np.clip(np.asarray(smooth) + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def cover():
    return photo(96, 128)


@pytest.fixture(scope="module")
def secret():
    """Mid greys: at black and white the exact codec is close to the discontinuity of phases."""
    return 64 + photo(96, 128, seed=5)[..., 0] // 2


@pytest.fixture(scope="module")
def hidden_file(tmp_path_factory, cover, secret, exact_weights):
    """(path of a stego that must stay unchanged, its report)."""
    path = tmp_path_factory.mktemp("hidden") / "stego.png"
    return path, stegcli.hide(cover, secret, path, weights=exact_weights)


def test_the_report_agrees_with_the_files(hidden_file, cover, secret, exact_weights, tmp_path):
    path, report = hidden_file
    stego = np.asarray(Image.open(path))
    revealed = stegcli.reveal(path, tmp_path / "revealed.png", weights=exact_weights)
    gray = np.asarray(Image.open(tmp_path / "revealed.png"))
    assert np.array_equal(report.stego_rgb, stego)
    assert np.array_equal(report.revealed_gray, gray)
    assert np.array_equal(revealed.revealed_gray, gray)
    assert report.stego_psnr_db == pytest.approx(metrics.psnr(cover, stego))
    assert report.revealed_psnr_db == pytest.approx(metrics.psnr(secret, gray))
    assert report.stego_psnr_db > 50
    assert report.revealed_psnr_db > 27
    assert report.spread == 1
    assert report.bpp == 8


def test_reports_as_json(hidden_file, exact_weights):
    path, report = hidden_file
    told = json.loads(json.dumps(report.as_json()))
    assert list(told) == [
        "stego", "model", "cover_size", "secret_size", "hidden_size", "spread", "bpp", "stego_psnr_db",
        "stego_ssim", "revealed_psnr_db", "revealed_ssim", "keyed", "device", "seconds",
    ]  # fmt: skip
    assert told["cover_size"] == told["secret_size"] == told["hidden_size"] == [128, 96]
    assert told["stego"] == str(path)
    assert told["model"] == "phase-tiny"
    told = json.loads(json.dumps(stegcli.reveal(path, weights=exact_weights).as_json()))
    assert list(told) == ["revealed", "model", "size", "secret_size", "keyed", "device", "seconds"]
    assert told["revealed"] is None
    assert told["size"] == [128, 96]


def test_equal_pictures_have_no_psnr_in_json(hidden_file):
    _, report = hidden_file
    exact = pipeline.HideReport(**{**vars(report), "revealed_psnr_db": math.inf})
    assert exact.as_json()["revealed_psnr_db"] is None


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_arrays_in_arrays_out(cover, secret, exact_weights, passphrase):
    report = stegcli.hide(cover, secret, weights=exact_weights, passphrase=passphrase)
    revealed = stegcli.reveal(report.stego_rgb, weights=exact_weights, passphrase=passphrase)
    assert np.array_equal(revealed.revealed_gray, report.revealed_gray)
    assert report.keyed is revealed.keyed is (passphrase is not None)
    assert report.stego is None


def test_a_small_secret_is_spread(cover, exact_weights):
    small = photo(24, 32, seed=9)[..., 0]
    report = stegcli.hide(cover, small, weights=exact_weights)
    assert report.spread == 16
    assert report.secret_size == report.hidden_size == (32, 24)
    assert report.stego_psnr_db > 55


def test_a_large_secret_is_reduced_and_given_back_at_its_size(cover, exact_weights):
    large = photo(300, 400, seed=9)[..., 0]
    report = stegcli.hide(cover, large, weights=exact_weights)
    assert report.hidden_size == (128, 96)
    assert report.revealed_gray.shape == (300, 400)
    assert any("400x300" in notice for notice in report.notices)
    hidden = stegcli.reveal(report.stego_rgb, weights=exact_weights, size="hidden")
    assert hidden.size == (128, 96)
    assert hidden.secret_size == (400, 300)


def test_transparent_pixels_carry_nothing_and_stay(cover, secret, exact_weights, tmp_path):
    alpha = np.full(cover.shape[:2], 255, dtype=np.uint8)
    alpha[:20] = 0
    alpha[20:30] = 1
    path = tmp_path / "stego.png"
    report = stegcli.hide(np.dstack([cover, alpha]), secret, path, weights=exact_weights)
    again = np.asarray(Image.open(path))
    assert np.array_equal(again[..., 3], alpha)
    assert np.array_equal(again[:20, :, :3], cover[:20])
    assert report.hidden_size[0] * report.hidden_size[1] <= 76 * 128
    assert np.array_equal(stegcli.reveal(path, weights=exact_weights).revealed_gray, report.revealed_gray)


def test_an_opaque_alpha_may_be_flattened(cover, secret, exact_weights):
    opaque = np.dstack([cover, np.full(cover.shape[:2], 255, dtype=np.uint8)])
    report = stegcli.hide(opaque, secret, weights=exact_weights)
    assert np.array_equal(
        stegcli.reveal(report.stego_rgb, weights=exact_weights).revealed_gray, report.revealed_gray
    )


def test_wrong_or_missing_passphrase_finds_nothing_and_writes_nothing(cover, secret, exact_weights, tmp_path):
    stego = stegcli.hide(cover, secret, weights=exact_weights, passphrase="right").stego_rgb
    texts = set()
    for wrong in (None, "wrong"):
        with pytest.raises(NothingFoundError) as caught:
            stegcli.reveal(stego, tmp_path / "r.png", weights=exact_weights, passphrase=wrong)
        texts.add(caught.value.message)
    with pytest.raises(NothingFoundError) as caught:
        stegcli.reveal(cover, tmp_path / "r.png", weights=exact_weights)
    assert texts == {caught.value.message}
    assert list(tmp_path.iterdir()) == []


def test_damage_is_estimated_and_survived(cover, secret, exact_weights):
    report = stegcli.hide(cover, secret, weights=exact_weights)
    damaged = report.stego_rgb.copy()
    damaged[:4] = np.random.default_rng(3).integers(0, 256, damaged[:4].shape, dtype=np.uint8)
    revealed = stegcli.reveal(damaged, weights=exact_weights)
    assert metrics.psnr(secret, revealed.revealed_gray) > 18
    assert 0.02 < pipeline.info(damaged, weights=exact_weights).damage < 0.07
    assert "changed since" in revealed.notices[0]


def test_info_reads_the_header_without_the_model(hidden_file, exact_weights, tmp_path):
    path, _ = hidden_file
    known = pipeline.info(path, weights=exact_weights)
    assert (known.model, known.model_here, known.damage) == ("phase-tiny", True, 0)
    assert (known.size, known.hidden_size, known.spread) == ((128, 96), (128, 96), 1)
    assert 0.02 < known.sigma < 0.035
    unknown = pipeline.info(path, weights=tmp_path)
    assert unknown.model_here is False
    assert bytes.fromhex(unknown.model)
    assert json.dumps(known.as_json())


def test_reveal_without_the_model_says_how_to_get_it(hidden_file):
    path, _ = hidden_file
    with pytest.raises(ModelError) as caught:
        stegcli.reveal(path)
    assert "--weights" in caught.value.hint


def test_favor_trades_one_quality_for_the_other(cover, secret, exact_weights):
    reports = [
        stegcli.hide(cover, secret, weights=exact_weights, favor=f) for f in ("cover", "balanced", "secret")
    ]
    stego = [report.stego_psnr_db for report in reports]
    revealed = [report.revealed_psnr_db for report in reports]
    assert stego == sorted(stego, reverse=True)
    assert revealed == sorted(revealed)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"favor": "speed"}, UsageError),
        ({"passphrase": ""}, UsageError),
        ({"device": "tpu"}, UsageError),
        ({"scale_cover": 0}, UsageError),
        ({"model": "phase-v9"}, ModelError),
        ({"max_pixels": 100}, ImageError),
    ],
)
def test_bad_arguments_are_named_and_leave_no_file(cover, secret, exact_weights, tmp_path, change, error):
    with pytest.raises(error) as caught:
        stegcli.hide(cover, secret, tmp_path / "s.png", **({"weights": exact_weights} | change))
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((63, 200, 3), np.uint8),
        np.zeros((96, 128), np.uint8),
        np.zeros((96, 128, 3), np.float32),
        np.zeros((96, 128, 4), np.uint8),
        np.zeros((0, 128, 3), np.uint8),
    ],
    ids=["too small", "gray", "float", "transparent", "empty"],
)
def test_unfit_covers_are_image_errors(bad, secret, exact_weights):
    with pytest.raises(ImageError):
        stegcli.hide(bad, secret, weights=exact_weights)


def test_an_existing_file_is_refused_before_any_work(hidden_file, cover, secret):
    path, _ = hidden_file
    before = path.read_bytes()
    with pytest.raises(OutputError):
        stegcli.hide(cover, secret, path, weights="no such folder")
    assert path.read_bytes() == before


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, NothingFoundError, MemoryError])
def test_a_stego_that_was_not_proved_never_appears(
    hidden_file, cover, secret, exact_weights, tmp_path, monkeypatch, trouble
):
    old, _ = hidden_file
    before, beside = old.read_bytes(), sorted(old.parent.iterdir())

    def fail(*_):
        raise trouble

    monkeypatch.setattr(pipeline.table, "open_stego", fail)
    expected = {NothingFoundError: OutputError, MemoryError: ImageError}.get(trouble, trouble)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    with pytest.raises(expected):
        stegcli.hide(cover, secret, fresh / "s.png", weights=exact_weights)
    assert list(fresh.iterdir()) == []
    with pytest.raises(expected):
        stegcli.hide(cover, secret, old, weights=exact_weights, force=True)
    assert old.read_bytes() == before
    assert [path for path in sorted(old.parent.iterdir()) if path != fresh] == beside


def test_progress_tells_every_stage_in_order(cover, secret, exact_weights):
    told = []
    stegcli.hide(
        cover, secret, weights=exact_weights, progress=lambda stage, share: told.append((stage, share))
    )
    assert list(dict.fromkeys(stage for stage, _ in told)) == [
        "load",
        "encode",
        "write",
        "save",
        "decode",
        "measure",
    ]
    assert all(0 <= share <= 1 for _, share in told)


def test_neither_torch_nor_the_hub_is_imported(hidden_file, exact_weights):
    path, _ = hidden_file
    program = (
        "import sys, stegcli\n"
        f"stegcli.reveal({str(path)!r}, weights={str(exact_weights)!r})\n"
        "print(sorted({'torch', 'onnx', 'huggingface_hub', 'rich', 'typer'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
