"""Measurements by processes and by a local Ray of two workers: the same figures to the last digit."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="the ray extra is not installed"
)
PROCESSES = ("--workers", "2")
RAY = ("--engine", "ray", "--workers", "2")
QUALITY = (
    "evaluate", "--dataset", "folder:photos", "--models", "phase", "--baselines", "lsb-332",
    "--pairs", "2", "--spreads", "1,4", "--json",
)  # fmt: skip
SECURITY = """
import sys
from pathlib import Path
from stegcli.crew.base import Crew
from stegcli.lab.data import photos
from stegcli.lab.security import evaluate
from stegcli.lab.security.subjects import LsbMatchingSubject
engine, kept = sys.argv[1:]
refs = evaluate.covers_of(photos.find("folder:photos", None), 20)
subjects = [LsbMatchingSubject("one in ten", 0.1)]
print(evaluate.assess(subjects, refs, kept=Path(kept), crew=Crew(engine, 2)))
"""


@pytest.fixture(autouse=True)
def _quick_keys() -> None:
    """Use keys at their full cost, because other processes derive them, too."""


def figures(told: dict[str, Any]) -> dict[str, Any]:
    """Drop the timings."""
    rows = [{k: v for k, v in row.items() if not k.endswith("_seconds")} for row in told["rows"]]
    return {**told, "rows": rows}


@pytest.mark.usefixtures("small_photos")
def test_processes_measure_what_one_process_does_and_go_on(desk: Desk) -> None:
    alone = desk.run(*QUALITY)
    spread = desk.run(*QUALITY, *PROCESSES, "--report", "out.json")
    assert figures(spread.json) == figures(alone.json)
    journal = desk.folder / "out.pairs.jsonl"
    head, *rows = journal.read_text().splitlines()
    assert len(rows) == 2 * 2 * 2
    journal.write_text("\n".join([head, *rows[:3], rows[3][:20]]) + "\n")
    again = desk.run(*QUALITY, *PROCESSES, "--report", "out.json", "--force")
    assert figures(again.json) == figures(alone.json)
    assert len(journal.read_text().splitlines()) == 1 + len(rows) + 1, "what was kept was not measured again"


@needs_ray
@pytest.mark.usefixtures("small_photos")
def test_actors_measure_what_processes_do(desk: Desk) -> None:
    spread = desk.run(*QUALITY, *PROCESSES)
    on_ray = desk.run_process(*QUALITY, *RAY)
    assert on_ray.code == 0, on_ray
    assert figures(on_ray.json) == figures(spread.json)


def test_damage_is_measured_alike_by_processes(desk: Desk, small_photos: Path) -> None:
    asked = ("evaluate", "damage", "--dataset", f"folder:{small_photos}", "--models", "none", "--pairs", "2")
    asked += ("--baselines", "lsb-332", "--json")
    assert desk.run(*asked, *PROCESSES).json == desk.run(*asked).json


def judged(desk: Desk, engine: str, kept: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SECURITY, engine, kept], cwd=desk.folder, capture_output=True, timeout=240
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@needs_ray
@pytest.mark.usefixtures("twenty_photos")
def test_actors_judge_as_processes_do_and_keep_the_same(desk: Desk) -> None:
    rows = judged(desk, "processes", "one")
    assert "detection_error" in rows
    assert judged(desk, "ray", "two") == rows
    one, two = ({path.name for path in (desk.folder / name).iterdir()} for name in ("one", "two"))
    assert len(one) == 2 * 20
    assert one == two


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate", "--dataset", "folder:photos", "--pairs", "1"),
        ("evaluate", "damage", "--dataset", "folder:photos", "--pairs", "1"),
        ("evaluate", "security", "--dataset", "folder:photos", "--covers", "20"),
    ],
)
@pytest.mark.usefixtures("twenty_photos")
def test_who_measures_has_to_be_there(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    desk.refuses(2, *command, "--address", "127.0.0.1:6379", words="without Ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    outcome = desk.refuses(7, *command, "--engine", "ray", words="needs Ray")
    assert "stegcli[ray]" in outcome.err
    assert json.loads(desk.run(*command, "--engine", "ray", "--json").err)["error"]["kind"] == "extra"
