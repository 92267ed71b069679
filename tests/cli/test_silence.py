"""Hiding and revealing touch no file but their own and no network, whatever the runtime tries.

The runtime sends nothing if `CI` is set, so these processes run without that variable.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, Outcome, command

import stegcli

ROOT = Path(__file__).parents[2]
_VARIABLES = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_DATA_HOME")
_HIDE = ("hide", "cover.png", "secret.png", "-o", "stego.png", "--quiet")
_REVEAL = ("reveal", "stego.png", "-o", "revealed.png", "--quiet")


def _unwatched(desk: Desk, home: Path, *words: str) -> Outcome:
    """Run a command line as on a user's machine, with `home` as its home."""
    kept = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
    env = {**kept, "HOME": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home)}
    done = subprocess.run(words, cwd=desk.folder, env=env, capture_output=True, text=True, timeout=120)
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_nothing_is_written_into_the_users_home(desk: Desk) -> None:
    home = desk.folder / "home"
    home.mkdir()
    for args in (_HIDE, _REVEAL, ("hide", "--cover-from", ".", "secret.png", "-o", "ranked.png", "--quiet")):
        outcome = _unwatched(desk, home, *command(*args))
        assert (outcome.code, outcome.err) == (0, "")
    assert list(home.rglob("*")) == []
    assert sorted(path.name for path in desk.folder.iterdir()) == [
        "cover.png", "home", "ranked.png", "revealed.png", "secret.png", "stego.png"
    ]  # fmt: skip


def test_a_home_that_cannot_be_written_is_no_reason_to_talk(desk: Desk) -> None:
    (desk.folder / "file").write_bytes(b"")
    outcome = _unwatched(desk, desk.folder / "file", *command(*_HIDE))
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace, which sees sockets of foreign code, is absent"
)
def test_no_socket_is_opened(desk: Desk, cover_rgb: np.ndarray, secret_gray: np.ndarray) -> None:
    desk.put(
        "cover.png", np.tile(cover_rgb, (7, 9, 1))
    )  # takes so long that the runtime would send something
    desk.put("secret.png", np.tile(secret_gray, (6, 8)))
    trace = ("strace", "-f", "--seccomp-bpf", "-e", "trace=socket,connect,sendto", "-o", "trace")
    outcome = _unwatched(desk, desk.folder, *trace, *command(*_HIDE))
    assert outcome.code == 0, outcome
    assert not [line for line in (desk.folder / "trace").read_text().splitlines() if "AF_INET" in line]


def test_nobody_else_imports_the_runtime() -> None:
    """One forgotten import, and a benchmark or an export would send telemetry."""
    door = Path(stegcli.__file__).parent / "models" / "runtime.py"
    folders = [ROOT / name for name in ("stegcli", "training", "benchmarks", "scripts")]
    others = [path for folder in folders for path in folder.rglob("*.py") if path != door]
    assert len(others) > 50
    assert [path for path in others if _imports_the_runtime(path)] == []


def _imports_the_runtime(path: Path) -> bool:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names += [node.value] if node.value.startswith("onnxruntime.") else []
    return any(name.partition(".")[0] == "onnxruntime" for name in names)
