"""`stegcli evaluate`, `stegcli check` and `stegcli hide --cover-from`, as users run them."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from desk import Desk
from PIL import Image
from skimage import data

from stegcli import pipeline
from stegcli.detection import judge
from stegcli.lab.data.covers import COVER_SHAPE
from stegcli.lab.provenance import commit
from stegcli.lab.quality import evaluate
from stegcli.methods.phase import method as phase


def test_evaluate_writes_a_page_that_needs_nothing_else(desk: Desk, small_photos: Path) -> None:
    outcome = desk.run(
        *[
            "evaluate",
            "--dataset",
            "folder:photos",
            "--baselines",
            "lsb-332,avif-hill",
            "--pairs",
            "1",
            "--spreads",
            "1,4",
        ],
        *["--sheets", "1", "--report", "out.html", "--report", "out.md", "--report", "out.json"],
    )
    assert outcome.code == 0, outcome
    assert "| phase-v1 | 1 | 5" in outcome.out
    page = (desk.folder / "out.html").read_text()
    pictures = {kind: page.count(f'src="data:image/{kind};base64,') for kind in ("webp", "svg+xml")}
    assert pictures == {"webp": 3 * 6, "svg+xml": 3 + 2 * 3}
    assert "<td>avif-hill*</td>" in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "<script" not in page
    assert "avif-hill*" in (desk.folder / "out.md").read_text()
    assert json.loads((desk.folder / "out.json").read_text())["commit"] == commit()
    again = desk.run("evaluate", "--dataset", "folder:photos", "--report", "out.html")
    assert (again.code, "exists already" in again.err) == (2, True)


def test_a_page_needs_the_extra_and_says_so_first(
    desk: Desk, small_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    asked = ("evaluate", "--dataset", "folder:photos", "--models", "none", "--baselines", "lsb-332")
    desk.refuses(7, *asked, "--report", "out.html", words="needs matplotlib")
    assert not list(desk.folder.glob("out.*")), "nothing was measured in vain"
    outcome = desk.run(*asked, "--pairs", "1", "--report", "out.md", "--report", "out.json")
    assert outcome.code == 0, outcome


def test_an_evaluation_that_is_cut_short_says_what_it_keeps(
    desk: Desk, small_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, calls = evaluate.measure, []

    def interrupted(*args: object) -> object:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measured(*args)

    monkeypatch.setattr(evaluate, "measure", interrupted)
    command = ("evaluate", "--dataset", "folder:photos", "--models", "none", "--baselines", "lsb-332")
    without = desk.run(*command, "--pairs", "2", "--quiet")
    assert (without.code, without.err) == (130, "error: interrupted\n  No measurement was finished.\n")
    calls.clear()
    stopped = desk.run(*command, "--pairs", "2", "--quiet", "--report", "out.json")
    told = "  out.pairs.jsonl keeps 1 finished measurement(s): the same command continues from there."
    assert (stopped.code, stopped.err.splitlines()[-1]) == (130, told)
    monkeypatch.setattr(evaluate, "measure", measured)
    (small_photos / "bad.png").write_bytes(b"garbage")
    done = desk.run(*command, "--pairs", "2", "--report", "out.json")
    assert done.code == 2, "another picture makes another measurement"
    again = desk.run(*command, "--pairs", "2", "--report", "out.json", "--fresh")
    assert again.code == 0, again
    assert "note: photos/bad.png cannot be decoded and is left out" in again.err


def test_evaluate_says_what_is_missing(desk: Desk, photos: Path) -> None:
    desk.refuses(2, "evaluate", words="nothing to measure on")
    desk.refuses(2, "evaluate", "--dataset", "nowhere", words="no data set nowhere")
    desk.refuses(2, "evaluate", "--dataset", "lfw", words="lfw is not in")
    desk.refuses(2, "evaluate", "--dataset", "folder:photos", "--baselines", "best", words="'best'")
    desk.refuses(2, "evaluate", "--dataset", "folder:photos", "--spreads", "1,x", words="spreads")
    desk.refuses(2, "evaluate", "--dataset", "folder:photos", "--report", "out.pdf", words="out.pdf")
    desk.refuses(2, "evaluate", "security", words="no photographs")


@pytest.fixture
def salt_of_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `hide` use the salt that trials of covers have, so that nothing differs by chance."""
    monkeypatch.setattr(phase, "urandom", lambda count: pipeline._TRIAL_SALT[:count])


@pytest.mark.usefixtures("salt_of_trials")
def test_check_forecasts_what_hide_reports(desk: Desk) -> None:
    small = np.array(Image.open("secret.png").resize((64, 64)))
    desk.put("small.png", small)
    forecast = desk.run("check", "cover.png", "small.png", "--json").json
    report = desk.run("hide", "cover.png", "small.png", "-o", "out.png", "--json").json
    assert forecast["spread"] == report["spread"] == 16
    for figure in ("stego_psnr_db", "revealed_psnr_db"):
        assert forecast[figure] == pytest.approx(report[figure], abs=1e-6)
    for risk in (forecast["risk"], forecast["measured_risk"]):
        assert risk["low"] <= risk["error"] <= risk["high"]
    assert "detection error" in desk.run("check", "cover.png", "small.png").out


def test_check_knows_that_larger_covers_give_more_away(desk: Desk) -> None:
    """The spread is the same, and so is the measured risk, in covers of three sizes."""
    found = []
    for times in (1, 2, 3):
        for name, side in (("cover", 256), ("secret", 64)):
            picture = Image.open(f"{name}.png").convert("RGB").resize((times * side, times * side))
            desk.put(f"{name}{times}.png", np.array(picture))
        found.append(desk.run("check", f"cover{times}.png", f"secret{times}.png", "--json").json)
    assert [report["spread"] for report in found] == [16, 16, 16]
    assert [report["measured_risk"] for report in found] == [found[0]["measured_risk"]] * 3
    errors = [report["risk"]["error"] for report in found]
    assert found[0]["measured_risk"]["error"] > errors[0] > errors[1] > errors[2]
    assert found[2]["missed"] is None


def test_a_cover_that_check_calls_quiet_is_quiet(desk: Desk) -> None:
    desk.put("small.png", np.array(Image.open("secret.png").resize((88, 88))))
    forecast = desk.run("check", "cover.png", "small.png", "--json").json
    assert forecast["risk"]["error"] < 0.4
    assert "or hide a smaller secret" in desk.run("check", "cover.png", "small.png").out
    desk.put("quiet.png", np.array(Image.open("cover.png").resize(forecast["quiet_cover_size"])))
    quiet = desk.run("check", "quiet.png", "small.png", "--json").json
    assert quiet["risk"]["error"] >= 0.4
    assert quiet["quiet_cover_size"] is None


def test_check_says_how_likely_this_very_stego_is_missed(desk: Desk) -> None:
    desk.put("small.png", np.array(Image.open("secret.png").resize((64, 64))))
    brick = Image.fromarray(data.brick()).convert("RGB").resize((352, 264), Image.Resampling.LANCZOS)
    desk.put("brick.png", np.array(brick))
    quiet, loud = (
        desk.run("check", "brick.png", secret, "--json").json for secret in ("small.png", "secret.png")
    )
    assert 0 <= loud["missed"] < 0.01 < quiet["missed"] < 1
    assert "with a probability of" in desk.run("check", "brick.png", "small.png").out


def test_check_says_when_a_cover_is_beyond_its_knowledge(desk: Desk) -> None:
    desk.put("small.png", np.array(Image.open("secret.png").resize((64, 64))))
    drawn = np.zeros((256, 256, 3), dtype=np.uint8)
    drawn[::7, :, 1], drawn[:, ::5, 0] = 255, 255
    desk.put("drawn.png", drawn)
    assert desk.run("check", "drawn.png", "small.png", "--json").json["missed"] is None
    assert "this very stego          unknown" in desk.run("check", "drawn.png", "small.png").out


def test_check_warns_of_a_jpeg(desk: Desk) -> None:
    Image.open("cover.png").save("cover.jpg", quality=95)
    assert "block grid" in desk.run("check", "cover.jpg", "secret.png").out
    assert "block grid" not in desk.run("check", "cover.jpg", "secret.png", "--scale-cover", "0.75").out


@pytest.mark.usefixtures("salt_of_trials")
def test_the_cover_that_hides_best_is_taken(desk: Desk, photos: Path) -> None:
    flat = np.random.default_rng(0).integers(118, 120, size=(264, 352, 3), dtype=np.uint8)
    busy = np.random.default_rng(0).integers(60, 200, size=(264, 352, 3), dtype=np.uint8)
    Image.fromarray(flat).save("photos/flat.png")
    Image.fromarray(busy).save("photos/busy.png")
    Image.fromarray(busy[:20, :20]).save("photos/tiny.png")
    outcome = desk.run("hide", "secret.png", "--cover-from", "photos", "--json")
    assert outcome.code == 0, outcome
    ranking = [Path(ranked["cover"]).name for ranked in outcome.json["ranking"]]
    assert ranking[0] == "busy.png"
    assert ranking.index("flat.png") > 1
    assert ranking[-1] == "tiny.png"
    scores = [ranked["score"] for ranked in outcome.json["ranking"][:-1]]
    assert scores == sorted(scores)
    root = math.sqrt(264 * 352 / math.prod(COVER_SHAPE))
    written, spread = desk.pixels("busy.stego.png"), outcome.json["spread"]
    margins = judge.load(judge.PHASES).margins(busy, written, spread)
    assert judge.weigh(*margins, root) == pytest.approx(scores[0], abs=1e-5)
    assert outcome.json["stego"] == "busy.stego.png"
    assert (desk.folder / "busy.stego.png").is_file()


def test_cover_from_takes_one_picture(desk: Desk, photos: Path) -> None:
    desk.refuses(2, "hide", "cover.png", "secret.png", "--cover-from", "photos", words="exclude each other")
    desk.refuses(2, "hide", "cover.png", words="no SECRET")
    desk.refuses(2, "hide", "secret.png", "--cover-from", "secret.png", words="not a folder")


def test_judges_are_models_that_hide_nothing(desk: Desk) -> None:
    shown = desk.run("models").out
    for model, family in (("judge-v1", "judge"), ("coded-judge-v1", "coded-judge")):
        assert model in shown
        desk.refuses(5, "hide", "cover.png", "secret.png", "--model", family, words="nothing can be hidden")


def test_hiding_imports_neither_lab_nor_torch(desk: Desk, small_photos: Path) -> None:
    for path in sorted(small_photos.iterdir())[2:]:
        path.unlink()
    prelude = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(any(n.startswith(('stegcli.lab', 'torch')) for n in sys.modules)))"
    )
    outcome = desk.run_process("hide", "secret.png", "--cover-from", "photos", "--quiet", prelude=prelude)
    assert outcome.out.splitlines()[-1] == "False"
