"""The tables of the paper from start to end, on a few photographs and with seconds of training."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from accelerate import Accelerator  # noqa: E402
from PIL import Image  # noqa: E402
from skimage import data  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from stegcli.errors import TrainingError  # noqa: E402
from stegcli.lab.data import pairs as lab_pairs  # noqa: E402
from stegcli.pictures import luma, metrics  # noqa: E402
from stegcli.training.__main__ import app  # noqa: E402
from stegcli.training.config import as_table  # noqa: E402
from stegcli.training.detectors import paper  # noqa: E402
from stegcli.training.detectors.paper import JudgeSettings, judge_pairs, train_judge  # noqa: E402
from stegcli.training.isgan.losses import TABLE_4  # noqa: E402
from stegcli.training.isgan.recipe import IsganRecipe  # noqa: E402
from stegcli.training.isgan.train_step import IsganTask  # noqa: E402
from stegcli.training.loop.checkpoint import Run  # noqa: E402
from stegcli.training.paper import reproduce, steganalysis, tables  # noqa: E402
from stegcli.training.paper.measuring import FIGURES, held_out_pairs, measure_pairs  # noqa: E402
from stegcli.training.paper.systems import open_system, run_system  # noqa: E402
from stegcli.training.run import export_run  # noqa: E402

pytestmark = pytest.mark.train

SIDE = 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Thirty different crops of photographs, with sides below 64 pixels."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(3)
    for i in range(30):
        source = (data.astronaut(), data.coffee(), data.chelsea())[i % 3]
        y, x = (int(random.integers(size - SIDE)) for size in source.shape[:2])
        Image.fromarray(source[y : y + SIDE, x : x + SIDE]).save(folder / f"{i:02}.png")
    return folder


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch):
    """The protocol's squares are 256 pixels wide; 64 are enough to test it."""

    def small(_, ref):
        with ref.open() as picture:
            return np.asarray(picture.convert("RGB").resize((SIDE, SIDE)))

    monkeypatch.setattr(lab_pairs, "rgb_square", small)
    monkeypatch.setattr(steganalysis, "rgb_square", small)


def save_run(folder, model):
    recipe = IsganRecipe(model=model, adversarial_steps=5 if model == "isgan" else 0)
    folder.mkdir(parents=True)
    Run(folder).save(model, 0, as_table(recipe), IsganTask(recipe, Accelerator(cpu=True)).state_dict())
    return folder


def wishes(folder, out, **changes):
    given = {"budget": 0.01, "device": "cpu", "dataset": f"folder:{folder}", "sheet_pairs": 1, "pairs": 1}
    return reproduce.Wishes(out=out, **{**given, **changes})


@pytest.mark.parametrize("model", ["isgan", "rehman"])
def test_a_run_and_its_file_are_measured_alike(folder, tmp_path, model):
    system = run_system(save_run(tmp_path / model, model))
    pairs = held_out_pairs(f"folder:{folder}", f"folder:{folder}", None, 1)
    ((cover, secret),) = ((pair.cover_rgb, pair.secret_gray) for pair in pairs)
    found = measure_pairs(system, pairs, shown=1)
    ((shown, measured),) = found.shown
    assert np.array_equal(shown.cover_rgb, cover)
    stego, revealed = measured.stego_rgb, measured.revealed_gray
    assert np.array_equal(stego, system.stego(cover, secret))
    assert revealed.shape == secret.shape
    means = found.means()
    assert list(means) == list(FIGURES)
    assert means["stego_luma_psnr_db"] == metrics.psnr(luma.gray(cover), luma.gray(stego))
    assert means["revealed_ssim"] == metrics.ssim(secret, revealed)


def test_within_one_data_set_every_picture_hides_another(folder):
    pairs = held_out_pairs(f"folder:{folder}", f"folder:{folder}", None, None).members
    covers, secrets = ([ref.key for ref in refs] for refs in zip(*pairs, strict=True))
    assert len(set(covers)) == len(covers) > 1
    assert sorted(covers) == sorted(secrets)
    assert all(cover != secret for cover, secret in zip(covers, secrets, strict=True))


def test_an_exported_model_stands_beside_the_papers_figures(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("stegcli.training.loop.export.SIZES", ((64, 64),))
    export_run(save_run(tmp_path / "run", "isgan"), tmp_path / "weights", "isgan-none-v0")
    monkeypatch.setattr(
        tables,
        "TABLE_5",
        {(f"folder:{folder}",) * 2: tables.TABLE_5["lfw", "lfw"], ("folder:/none", "lfw"): {}},
    )
    sheet = tmp_path / "sheet.png"  # the name of a data set here is a path
    monkeypatch.setattr(reproduce, "save_sheet", lambda _, rows: tables.save_sheet(sheet, rows))
    path = reproduce.reproduce(5, wishes(folder, tmp_path, weights=str(tmp_path / "weights")))
    text = path.read_text(encoding="utf-8")
    assert "| isgan | paper | 34.63 | 33.63 | 0.9573 | 0.9429 |" in text
    assert "isgan-none-v0 | ours |" in text
    assert "not measured: " in text, "a data set that is not here"
    rows = json.loads((tmp_path / "table-5.json").read_text(encoding="utf-8"))["rows"]
    assert rows[0]["measured_pairs"] == 1
    assert rows[0]["intervals"]["stego_psnr_db"] == [rows[0]["ours"]["stego_psnr_db"]] * 2
    assert rows[0]["data"]["sha256"]
    with Image.open(sheet) as shown:
        assert shown.size == (6 * (SIDE + 4) - 4, 22 + SIDE + 4 + 22)


@pytest.fixture
def _seconds_of_training(monkeypatch):
    """Tiny crops, and no pictures of 256x256 in the loop's own validation."""
    monkeypatch.setattr(reproduce, "CPU_CROP", 33)
    monkeypatch.setattr(reproduce, "CPU_BATCH", 2)
    monkeypatch.setattr(IsganTask, "validate", lambda *_: {})
    monkeypatch.setattr(IsganTask, "samples", lambda *_: {})


@pytest.mark.slow
@pytest.mark.usefixtures("_seconds_of_training")
def test_table_4_trains_and_measures_its_losses(folder, tmp_path, monkeypatch):
    two = {name: TABLE_4[name] for name in ("mse", "mse+ssim+ms-ssim")}
    monkeypatch.setattr(reproduce, "TABLE_4", two)
    path = reproduce.reproduce(4, wishes(folder, tmp_path, steps=2))
    text = path.read_text(encoding="utf-8")
    for loss in two:
        figures = tables.TABLE_4[loss]
        assert f"| {loss} | isgan-basic | paper | {figures[0]:.2f} |" in text
        assert (tmp_path / f"table-4-{loss}.png").exists()
    again = reproduce.reproduce(4, wishes(folder, tmp_path, steps=2))
    assert again.read_text(encoding="utf-8") == text, "finished runs are not trained again"


@pytest.mark.slow
@pytest.mark.usefixtures("_seconds_of_training")
def test_table_6_trains_both_stages_and_two_judges(folder, tmp_path):
    asked = wishes(folder, tmp_path, steps=3, covers=8, test_covers=4, side=32, seeds=2)
    content = reproduce.table_6(asked)
    assert [row["steganalyzer"] for row in content["rows"]] == ["the paper's"] * 2 + [
        "with high-pass filters"
    ] * 2
    assert content["data"] == {"set": f"folder:{folder}", "learned": 8, "judged": 4, "side": 32}
    for basic, isgan in (content["rows"][:2], content["rows"][2:]):
        for row in (basic, isgan):
            assert len(row["accuracy_by_seed"]) == 2
            assert row["accuracy"] == pytest.approx(np.mean(row["accuracy_by_seed"]))
            assert row["steps"] == 3
        assert basic["below_basic_interval"] is None
        low, high = isgan["below_basic_interval"]
        assert low <= isgan["below_basic"] <= high
        assert isgan["below_basic"] == pytest.approx(basic["accuracy"] - isgan["accuracy"])
        judge = isgan["steganalyzer"]
        assert content["isgan_below_basic"][judge] == (low > 0)
    isgan = Run(tmp_path / "table-6-runs" / "isgan").load("isgan")
    assert isgan["step"] == 3
    assert "adversary" in isgan["state"]
    with pytest.raises(TrainingError, match="two stages"):
        reproduce.table_6(wishes(folder, tmp_path, basic=str(tmp_path)))
    with pytest.raises(TrainingError, match="not 300"):
        reproduce.table_6(wishes(folder, tmp_path, covers=300))


def test_a_steganalyzer_finds_what_is_easy():
    """A texture of one grey level, which the high-pass variant detects at once."""
    random = np.random.default_rng(0)
    covers = np.repeat(random.integers(90, 160, (24, 1, 1, 3), dtype=np.uint8), SIDE, 1).repeat(SIDE, 2)
    stegos = covers + random.integers(0, 2, covers.shape, dtype=np.uint8)
    judge, steps = train_judge(covers[:16], stegos[:16], JudgeSettings(True, 1.0, steps=40))
    assert steps == 40
    assert judge_pairs(judge, covers[16:], stegos[16:]).accuracy > 0.9


def test_the_lab_s_steganalyzer_learns_from_five_in_seven(monkeypatch):
    monkeypatch.setattr(paper, "EPOCHS", 3)
    seen = []
    monkeypatch.setattr(paper, "judge_pairs", lambda *given: seen.append(given) or judge_pairs(*given))
    covers = np.random.default_rng(0).integers(90, 160, (28, 32, 32, 3), dtype=np.uint8)
    stegos = np.clip(covers.astype(int) + 60, 0, 255).astype(np.uint8)
    first, again = (paper.accuracy(covers, stegos, seed=2) for _ in range(2))
    assert first == again
    assert np.array_equal(seen[0][1], covers[20:])
    assert np.array_equal(seen[0][2], stegos[20:])


def test_names_that_are_no_system(tmp_path):
    with pytest.raises(TrainingError, match="neither a run's folder nor a model"):
        open_system(str(tmp_path), None)


def test_the_papers_tables_have_the_rows_that_we_measure():
    assert tables.TABLE_4.keys() == TABLE_4.keys()


def test_the_command_line_becomes_wishes(tmp_path, monkeypatch):
    asked = []
    (tmp_path / "table.md").write_text("# a table\n", encoding="utf-8")

    def noted(table, wishes):
        asked.append((table, wishes))
        return tmp_path / "table.md"

    monkeypatch.setattr(reproduce, "reproduce", noted)
    runner = CliRunner()
    words = "reproduce --table 6 --budget 3 --isgan a --isgan b --basic c --side 128 --sheet-pairs 1"
    outcome = runner.invoke(app, words.split())
    assert (outcome.exit_code, outcome.output) == (0, "# a table\n\n")
    ((table, given),) = asked
    wanted = reproduce.Wishes(3.0, Path("results"), basic="c", isgan=("a", "b"), side=128, sheet_pairs=1)
    assert (table, given) == (6, wanted)
    for wrong in ("--table 7", "--table 6 --side 40", "--table 6 --seeds 0", "--table 4 --budget 0"):
        assert runner.invoke(app, ["reproduce", *wrong.split()]).exit_code == 2, wrong
    assert len(asked) == 1
