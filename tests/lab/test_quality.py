import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stegcli.errors import UsageError
from stegcli.lab.data.pairs import Pair, PairSource, from_dataset
from stegcli.lab.quality import baselines, damage, evaluate
from stegcli.lab.quality.hiders import ModelHider
from stegcli.lab.quality.journal import Journal
from stegcli.lab.quality.measure import measure
from stegcli.lab.report.pictures import amplified


@pytest.fixture(scope="module")
def source(small_photo_folder: Path) -> PairSource:
    return from_dataset(f"folder:{small_photo_folder}", None, 2, 0)


@pytest.fixture(scope="module")
def hiders() -> list:
    return [ModelHider("phase", None, "balanced", "cpu"), *baselines.choose("lsb-332,avif-lsbm")]


def test_a_cut_off_run_goes_on_and_gives_the_same(tmp_path: Path, source: PairSource, hiders: list) -> None:
    journal = tmp_path / "out.pairs.jsonl"
    whole = evaluate.evaluate(hiders, source, seed=4, journal=journal)
    head, *rows = journal.read_text().splitlines()
    assert len(rows) == 6
    journal.write_text("\n".join([head, *rows[:3], rows[3][:20]]) + "\n")
    told = []
    again = evaluate.evaluate(
        hiders, source, seed=4, journal=journal, progress=lambda stage, share: told.append(share)
    )
    assert told == [0.5, 1.0]
    for line, other in zip(whole.lines, again.lines, strict=True):
        for name in line.values.keys() - {"hide_seconds", "reveal_seconds"}:
            assert line.values[name] == other.values[name]


def test_another_measurement_s_journal_is_refused(tmp_path: Path, source: PairSource, hiders: list) -> None:
    journal = tmp_path / "out.pairs.jsonl"
    Journal(journal, evaluate.settings_of(hiders, source, [1], "balanced", 0))
    with pytest.raises(UsageError, match="another measurement"):
        evaluate.evaluate(hiders, source, seed=1, journal=journal)


def test_baselines_are_compared_at_the_model_s_stego_psnr(source: PairSource, hiders: list) -> None:
    model, raw, avif = evaluate.evaluate(hiders, source).lines
    assert model.summaries["stego_psnr_db"].mean == pytest.approx(52, abs=0.5)
    assert avif.summaries["stego_psnr_db"].low > model.summaries["stego_psnr_db"].mean - 0.1
    assert raw.summaries["revealed_ssim"].mean == 1
    assert model.summaries["bpp"].mean == 8


def test_a_row_holds_every_figure(pair: Pair) -> None:
    measured = measure(ModelHider("phase", None, "balanced", "cpu"), pair, "seed", None)
    assert measured.row().keys() - {"spread", "simulated"} == set(evaluate.FIGURES)
    assert measured.figures["stego_luma_psnr_db"] > measured.figures["stego_psnr_db"]
    assert measured.figures["written_bpp"] is None
    assert json.dumps(measured.row())


def test_a_network_survives_damage_that_ends_a_file(
    small_photo_folder: Path, hiders: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [replace(each, levels=each.levels[1:3]) for each in damage.DAMAGES]
    monkeypatch.setattr(
        damage, "DAMAGES", some[:1] + [replace(each, levels=each.levels[1:]) for each in some[1:]]
    )
    rows = damage.assess(hiders, from_dataset(f"folder:{small_photo_folder}", None, 1, 0))
    psnr = {(row.hider, row.damage, row.level): row for row in rows}
    network, file = (psnr[name, "overwrite", 0.03] for name in ("phase-v1", "avif-lsbm"))
    assert network.opened == 1
    assert network.revealed_psnr_db.mean > 33
    assert file.opened == 0
    assert psnr["lsb-332", "none", 0.0].revealed_psnr_db.mean == 99


def test_every_damage_keeps_shape_and_gets_harder(cover_rgb: np.ndarray) -> None:
    for each in damage.DAMAGES:
        for level in each.levels:
            damaged = each.apply(cover_rgb, level, np.random.default_rng(0))
            assert damaged.shape == cover_rgb.shape
            assert damaged.dtype == np.uint8
            assert (damaged != cover_rgb).any(), (each.name, level)


def test_a_residual_is_amplified_as_far_as_it_fits() -> None:
    first = np.full((40, 40, 3), 100, np.uint8)
    second = first.copy()
    second[25:32, 25:32] = 103
    shown, gain = amplified(first, second)
    assert gain == 42
    assert shown[30, 30, 0] == 128 + 3 * 42
    assert shown[35, 35, 0] == 128
