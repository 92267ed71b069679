"""Large secrets: parts of them are decoded to estimate the quality of the whole, after all of it was read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from desk import Desk

from stegcli import pipeline
from stegcli.errors import OutputError, UsageError
from stegcli.methods.phase import method as phase
from stegcli.models import tiling
from stegcli.models.loading import Models
from stegcli.pictures import metrics
from stegcli.pipeline import HideSettings

TILE = 128
SAMPLED = HideSettings(sampled=True)


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat the photographs of the tests like secrets of four megapixels or more."""
    monkeypatch.setattr(pipeline, "SAMPLED_FROM", 200 * 200)
    monkeypatch.setattr(tiling, "_SAMPLE_TILE_PIXELS", TILE**2)


@pytest.mark.parametrize("size", [(3000, 4000), (4096, 1024)])
def test_a_sample_is_an_eighth_of_all_parts_of_the_picture(size: tuple[int, int]) -> None:
    contract = Models().find("phase-v1")("decoder").contract
    tiles = tiling.plan_sample(*size, contract)
    assert tiles == tiling.plan_sample(*size, contract), "always the same ones"
    seen = np.zeros(size, dtype=np.uint8)
    for tile in tiles:
        seen[tile.kept_rows, tile.kept_cols] += 1
    assert seen.max() == 1
    assert 1 / 10 < seen.mean() < 1 / 6
    quarters = [half for rows in np.array_split(seen, 2) for half in np.array_split(rows, 2, axis=1)]
    assert all(quarter.any() for quarter in quarters)


@pytest.mark.usefixtures("small_is_large")
def test_a_sample_says_how_well_the_whole_comes_back(
    cover_rgb: np.ndarray, secret_gray: np.ndarray, tmp_path: Path
) -> None:
    report = pipeline.hide_as(cover_rgb, secret_gray, tmp_path / "stego.png", SAMPLED)
    revealed = pipeline.reveal(tmp_path / "stego.png", None).revealed_gray
    assert report.is_sample
    assert report.as_json()["sampled"] is True
    assert report.revealed_psnr_db == pytest.approx(metrics.psnr(secret_gray, revealed), abs=2)
    assert report.revealed_ssim == pytest.approx(metrics.ssim(secret_gray, revealed), abs=0.02)
    assert report.revealed_secret is None
    with pytest.raises(UsageError, match="sample"):
        _ = report.revealed_gray


@pytest.mark.usefixtures("small_is_large")
def test_what_cannot_be_read_back_is_not_kept(
    cover_rgb: np.ndarray, secret_gray: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phase, "_MOST_APART", 0.5)
    with pytest.raises(OutputError):
        pipeline.hide_as(cover_rgb, secret_gray, tmp_path / "stego.png", SAMPLED)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize(
    ("side", "settings"),
    [(256, HideSettings()), (128, SAMPLED), (300, SAMPLED), (256, HideSettings(model="coded", sampled=True))],
    ids=["not asked for", "small", "reduced", "no networks"],
)
def test_all_else_is_decoded_whole(
    cover_rgb: np.ndarray, secret_gray: np.ndarray, side: int, settings: HideSettings
) -> None:
    secret = np.resize(secret_gray, (side, side))
    report = pipeline.hide_as(cover_rgb, secret, None, settings)
    assert not report.is_sample
    assert "sampled" not in report.as_json()
    assert report.revealed_gray.shape == secret.shape


@pytest.mark.usefixtures("small_is_large")
def test_the_command_says_that_it_looked_at_a_sample(desk: Desk) -> None:
    command = ("hide", "cover.png", "secret.png", "-o", "stego.png", "--force")
    assert "(of a sample)" in desk.run(*command).out
    assert "(of a sample)" not in desk.run(*command, "--whole").out
