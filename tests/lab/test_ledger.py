"""Published figures agree with the results that they come from."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from ledger_views import differences, filled, render

from stegcli.detection.risk import RISK_FILE
from stegcli.errors import UsageError
from stegcli.methods.files import SEEN_AGAIN

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("weights/*/*.md"), *ROOT.glob("results/*.md")])

RESULTS = {
    "what": "quality",
    "rows": [
        {
            "hider": "phase-v1",
            "spread": 4,
            "simulated": False,
            "stego_psnr_db": {"mean": 57.61, "low": 57.5, "high": 57.7},
            "stego_ssim": {"mean": 0.9997},
            "revealed_psnr_db": {"mean": 42.356, "low": 42, "high": 43},
            "revealed_ssim": {"mean": 0.994},
        }
    ],
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_marked_figure_is_that_of_its_results(page: Path) -> None:
    assert differences(page.read_text(encoding="utf-8"), ROOT) == [], "run: python scripts/ledger.py --write"


def test_the_risk_table_is_that_of_its_results() -> None:
    table = json.loads(RISK_FILE.read_text(encoding="utf-8"))
    results = json.loads((ROOT / table["source"]).read_text(encoding="utf-8"))
    measured = {row["subject"]: row for row in results["rows"]}
    for row in table["rows"]:
        source = measured[f"phase, spread {row['spread']}"]
        found = (source["detection_error"], source["error_low"], source["error_high"])
        assert (row["error"], row["low"], row["high"]) == pytest.approx(found, abs=5e-4)
    as_is, scaled = (json.loads((ROOT / name).read_text(encoding="utf-8")) for name in table["jpeg_sources"])
    for key, values in (("as_is", as_is), ("scaled", scaled)):
        errors = {row["subject"]: row["detection_error"] for row in values["rows"]}
        for row in table["jpeg"]:
            assert row[key] == pytest.approx(errors[f"phase, spread {row['spread']}"], abs=5e-4)


def test_what_check_knows_of_sizes_is_that_of_its_results() -> None:
    table = json.loads(RISK_FILE.read_text(encoding="utf-8"))
    results = json.loads((ROOT / table["bare_source"]).read_text(encoding="utf-8"))
    assert results["low"] <= 0.5 <= results["high"], "check takes the square root"
    measured = {
        row["spread"]: tuple(row[key] for key in ("detection_error", "error_low", "error_high"))
        for row in results["rows"]
        if not row["header"] and [row["width"], row["height"]] == table["cover_size"]
    }
    assert {row["spread"]: (row["error"], row["low"], row["high"]) for row in table["bare"]} == measured
    assert measured.keys() == {row["spread"] for row in table["rows"]}


def test_what_is_said_of_decoded_jpegs_is_that_of_its_results() -> None:
    results = json.loads((ROOT / "results/requantisation.json").read_text(encoding="utf-8"))
    measured = {(row["set"], row["subject"]): row["detection_error"] for row in results["rows"]}
    error = measured["camera photographs", "phase, spread 16"]
    assert f"erred in {error:.2f} of camera photographs" in SEEN_AGAIN


@pytest.mark.parametrize(
    ("model", "results", "path"), [("judge-v1", "judge", ()), ("coded-judge-v1", "judge-coded", ("coded",))]
)
def test_a_judge_in_the_box_is_the_one_that_was_measured(
    model: str, results: str, path: tuple[str, ...]
) -> None:
    measured = json.loads((ROOT / f"results/{results}.json").read_text(encoding="utf-8"))
    weights = (ROOT / f"weights/{model}/judge.onnx").read_bytes()
    assert measured["judge_sha256"] == hashlib.sha256(weights).hexdigest()
    table = json.loads(RISK_FILE.read_text(encoding="utf-8"))
    for name in path:
        table = table[name]
    assert table["miss"] == measured["miss"]


def test_published_results_name_their_command_and_no_machine() -> None:
    published = {
        name for page in PAGES for name in re.findall(r"<!-- ledger (results/\S+)", page.read_text("utf-8"))
    }
    assert "results/quality-phase-v1.json" in published
    for name in published:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert json.loads(text)["command"], name
        assert not any(root in text for root in ("/tmp", "/root", "/home", "/mnt"))


def test_a_marked_place_is_filled_and_compared(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps(RESULTS))
    number = "rows[hider=phase-v1,spread=4].revealed_psnr_db.mean .1f"
    page = f"got <!-- ledger x.json {number} -->41.0<!-- /ledger --> dB\n"
    page += "<!-- ledger x.json quality --><!-- /ledger -->"
    assert len(differences(page, tmp_path)) == 2
    good = filled(page, tmp_path)
    assert differences(good, tmp_path) == []
    assert "-->42.4<!--" in good
    assert "| phase-v1 | 4 | 57.61 (57.50 to 57.70) | 0.9997 |" in good


def test_accuracies_of_steganalyzers_stand_below_the_papers() -> None:
    accuracy = {"accuracy": 0.75, "accuracy_by_seed": [0.74, 0.76], "covers_right": 0.7, "stegos_right": 0.8}
    named = {"steganalyzer": "ours", "stegos": "basic", "stego_psnr_db": 38.51, "steps": 150}
    row = {**named, **accuracy, "below_basic": 0.0, "below_basic_interval": None}
    better = {**row, "stegos": "isgan", "below_basic": 0.05, "below_basic_interval": [0.01, 0.09]}
    table = render({"paper": {"basic": 0.8305}, "rows": [row, better]}, "judges").splitlines()
    assert table[2:] == [
        "| as the paper reports | basic |  | 0.831 |  |  |  |  |  |",
        "| ours | basic | 38.51 | 0.750 | 0.740, 0.760 | 0.700 | 0.800 |  | 150 |",
        "| ours | isgan | 38.51 | 0.750 | 0.740, 0.760 | 0.700 | 0.800 | 0.050 (0.010 to 0.090) | 150 |",
    ]


def test_the_papers_tables_show_each_reported_row_once() -> None:
    figures = {"stego_psnr_db": 40.123, "revealed_psnr_db": 35.0, "stego_ssim": 0.98, "revealed_ssim": 0.97}
    row = {"pairs": "lfw / lfw", "paper": [34.63, 33.63, 0.9573, None], "paper_system": "isgan"}
    ours = {"ours": figures, "measured_pairs": 12}
    rows = [{**row, **ours, "system": name} for name in ("a", "b")]
    rows[1]["intervals"] = {name: [value - 0.01, value + 0.01] for name, value in figures.items()}
    missing = {"pairs": "lfw / voc2012", "not_measured": "no pictures"}
    table = render({"table": 5, "rows": [*rows, missing]}, "paper").splitlines()
    assert table[2:] == [
        "| lfw / lfw | isgan, the paper | 34.63 | 33.63 | 0.9573 |  |  |",
        "| lfw / lfw | a | 40.12 | 35.00 | 0.9800 | 0.9700 | 12 |",
        "| lfw / lfw | b | 40.12 (40.11 to 40.13) | 35.00 (34.99 to 35.01) | "
        "0.9800 (0.9700 to 0.9900) | 0.9700 (0.9600 to 0.9800) | 12 |",
        "| lfw / voc2012 | not measured |  |  |  |  |  |",
    ]


def test_rows_with_names_are_found_by_name() -> None:
    assert render({"rows": {"text pages": {"pairs": 50}}}, "rows[text pages].pairs .0f") == "50"
    with pytest.raises(UsageError, match="hold no rows"):
        render({"rows": {"text pages": {"pairs": 50}}}, "rows[QR codes].pairs .0f")


def test_cases_of_chaos_are_named_in_words() -> None:
    row = {"target": "test_writers_of_one_name[True]", "failed": 0, "seconds": 4.82, "writers": 50}
    assert "| writers of one name (True) | writers: 50 | 0 |" in render({"rows": [row]}, "chaos")


def test_an_unknown_place_in_the_results_is_an_error() -> None:
    with pytest.raises(UsageError, match="hold no rows"):
        render(RESULTS, "rows[hider=other].stego_psnr_db.mean")


def test_every_detector_of_a_suite_stands_beside_the_one_that_errs_least() -> None:
    row = {
        "subject": "coded",
        "pairs": 40,
        "stego_psnr_db": 57.5,
        "detection_error": 0.4,
        "error_low": 0.3,
        "error_high": 0.5,
        "auc": 0.6,
        "by_detector": {"colour": [0.39, 0.41], "spam": [0.5, 0.48]},
    }
    table = render({"rows": [row]}, "suite").splitlines()
    assert table[0] == "| method | covers | stego PSNR (dB) | colour | spam | least |"
    assert table[2] == "| coded | 40 | 57.50 | 0.400 | 0.490 | 0.400 (0.300 to 0.500) |"
    row |= {"pooled_error": 0.25, "pooled_low": 0.2, "pooled_high": 0.31}
    table = render({"rows": [row]}, "pooled").splitlines()
    assert table[0].endswith(" least | whole photographs |")
    assert table[2].endswith(" 0.400 (0.300 to 0.500) | 0.250 (0.200 to 0.310) |")


def test_coded_bits_stand_beside_an_ideal_coder_that_carries_as_much() -> None:
    goals = [f"@{quality}, spread {spread}" for quality in (40, 36) for spread in (1, 4, 16, 64)]
    names = [f"coded{goal}" for goal in goals]
    names += [f"coded, {rate} bit per pixel" for rate in (0.5, 0.3, 0.15)]
    names += [f"avif-hill-40, spread {spread}" for spread in (1, 4, 16, 64)]
    names += [f"ideal coder, HILL, {rate} bit per pixel" for rate in (0.5, 0.3, 0.15)]
    row = {"pairs": 40, "stego_psnr_db": 57.5, "error_low": 0.1, "error_high": 0.5, "auc": 0.6}
    rows = [row | {"subject": name, "detection_error": place / 100} for place, name in enumerate(names)]
    table = render({"rows": rows}, "stealth").splitlines()[2:]
    assert table[1] == "| at 40 dB, spread 4 | 0.010 (0.100 to 0.500) | 0.120 (0.100 to 0.500) |"
    assert table[4] == "| at 36 dB, spread 1 | 0.040 (0.100 to 0.500) |  |"
    assert table[-1] == "| 0.15 bit per pixel | 0.100 (0.100 to 0.500) | 0.170 (0.100 to 0.500) |"
    assert len(table) == 11
