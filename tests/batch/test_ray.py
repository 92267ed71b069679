"""A batch on a local Ray of two workers, and the error without Ray."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from batch_cases import pairs
from desk import Desk

RAY = ("--engine", "ray", "--workers", "2")


needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="the ray extra is not installed"
)
DOOMED = """
import json, sys
from pathlib import Path
from batch_cases import Doomed, pairs
from stegcli.batch.run import Plan, hide_all
from stegcli.pipeline import HideSettings
entries = pairs(Path("."), 4)
work = Doomed(Path("out"), HideSettings(), None, fatal=entries[1].name)
for each in hide_all(entries, Plan(2, engine="ray"), work):
    print(json.dumps([each.entry.name, each.status, each.values.get("kind")]))
"""


@needs_ray
def test_a_dead_actor_takes_one_picture_with_it(desk: Desk) -> None:
    support = Path(__file__).parents[1] / "support"
    done = subprocess.run(
        [sys.executable, "-c", DOOMED],
        cwd=desk.folder,
        env=os.environ | {"PYTHONPATH": str(support)},
        capture_output=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr.decode()
    told = sorted(json.loads(line) for line in done.stdout.splitlines())
    assert [each[1] for each in told] == ["done", "failed", "done", "done"]
    assert told[1][2] == "died"


@needs_ray
def test_two_actors_do_what_processes_do(desk: Desk) -> None:
    pairs(desk.folder, 4)
    (desk.folder / "covers" / "p1.png").write_bytes(b"no picture")
    hidden = desk.run_process("batch", "hide", ".", "--out", "out", *RAY, "--json")
    lines = [json.loads(line) for line in hidden.out.splitlines()]
    assert hidden.code == 10, hidden
    assert sorted(line["status"] for line in lines) == ["done", "done", "done", "failed"]
    assert json.loads(hidden.err)["error"]["kind"] == "batch"
    again = desk.run_process("batch", "hide", ".", "--out", "out", "--workers", "1", "--json")
    assert sorted(json.loads(line)["status"] for line in again.out.splitlines()) == [
        "failed", "kept", "kept", "kept",
    ]  # fmt: skip
    revealed = desk.run_process("batch", "reveal", "out", "--out", "back", *RAY, "--json")
    assert revealed.code == 0, revealed
    assert len(list((desk.folder / "back").glob("*.png"))) == 3


def test_without_ray(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs(desk.folder, 1)
    monkeypatch.setitem(sys.modules, "ray", None)
    outcome = desk.run("batch", "hide", ".", "--out", "out", *RAY)
    assert outcome.code == 7
    assert "stegcli[ray]" in outcome.err
