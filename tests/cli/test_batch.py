"""`stegcli batch` as users run it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from batch_cases import pairs
from desk import Desk, command

from stegcli.batch.journal import JOURNAL


@pytest.fixture
def heap(desk: Desk) -> Desk:
    """A desk with three pairs, one of whose covers is not a picture."""
    pairs(desk.folder, 3)
    (desk.folder / "covers" / "p1.png").write_bytes(b"no picture")
    return desk


def _lines(text: str) -> list[dict[str, Any]]:
    return sorted((json.loads(line) for line in text.splitlines()), key=lambda each: each["cover"])


def test_one_bad_picture_and_a_second_run(heap: Desk) -> None:
    first = heap.run("batch", "hide", ".", "--out", "out", "--workers", "1")
    assert first.code == 10, first
    assert [each["status"] for each in _lines(first.out)] == ["done", "failed", "done"]
    assert _lines(first.out)[1]["error"]["kind"] == "image"
    assert _lines(first.out)[0]["revealed_psnr_db"] > 25
    assert "1 of 3 failed" in first.err
    assert "a second" in first.err

    shutil.copy(heap.folder / "covers" / "p0.png", heap.folder / "covers" / "p1.png")
    planned = heap.run("batch", "hide", ".", "--out", "out", "--dry-run", "--json")
    assert [each["status"] for each in _lines(planned.out)] == ["kept", "to-do", "kept"]
    assert planned.err == ""
    before = (heap.folder / "out" / "p0.stego.png").read_bytes()
    second = heap.run("batch", "hide", ".", "--out", "out", "--workers", "1")
    assert second.code == 0, second
    assert [each["status"] for each in _lines(second.out)] == ["kept", "done", "kept"]
    assert (heap.folder / "out" / "p0.stego.png").read_bytes() == before


def test_a_half_written_stego_is_made_again(heap: Desk) -> None:
    (heap.folder / "out").mkdir()
    (heap.folder / "out" / JOURNAL).write_text('{"begun": "p0.stego.png"}\n{"done": "p0.st')
    (heap.folder / "out" / "p0.stego.png").write_bytes(b"\x89PNG half of")
    (heap.folder / "out" / "p2.stego.png").write_bytes(b"somebody's own")
    done = heap.run("batch", "hide", ".", "--out", "out", "--workers", "1", "-q")
    assert (done.code, done.out) == (10, "p0.stego.png\n")
    assert (heap.folder / "out" / "p2.stego.png").read_bytes() == b"somebody's own"
    assert heap.run("reveal", "out/p0.stego.png").code == 0
    assert np.ptp(heap.pixels("p0.stego.revealed.png")) > 100


def test_files_come_back_under_their_names(heap: Desk) -> None:
    (heap.folder / "m.csv").write_text("cover,secret\ncovers/p0.png,m.csv\n")
    hidden = heap.run(
        "batch", "hide", "m.csv", "--out", "out", "--model", "coded", "--as-file", "--workers", "1"
    )
    assert hidden.code == 0, hidden
    revealed = heap.run("batch", "reveal", "out", "--out", "back", "--workers", "1")
    assert revealed.code == 0, revealed
    assert (heap.folder / "back" / "p0.stego.m.csv").read_bytes() == (heap.folder / "m.csv").read_bytes()


def test_refusals(heap: Desk) -> None:
    heap.refuses(2, "batch", "hide", "nowhere.csv", "--out", "out", words="nowhere.csv")
    heap.refuses(5, "batch", "hide", ".", "--out", "out", "--model", "nobody", words="nobody")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_bar_on_a_terminal(desk: Desk) -> None:
    """Progress shows how many of how many, and how fast; results go to stdout."""
    import pty

    pairs(desk.folder, 3)
    for statuses in (["done"] * 3, ["kept"] * 3):
        controller, terminal = pty.openpty()
        with subprocess.Popen(
            command("batch", "hide", ".", "--out", "out", "--workers", "1"),
            cwd=desk.folder,
            env=os.environ | {"TERM": "xterm-256color"},
            stdout=subprocess.PIPE,
            stderr=terminal,
        ) as running:
            os.close(terminal)
            shown = b""
            with contextlib.suppress(OSError):  # how a terminal says that nobody writes any more
                while chunk := os.read(controller, 4096):
                    shown += chunk
            out = running.stdout.read() if running.stdout else b""
        os.close(controller)
        assert running.returncode == 0, shown
        assert [json.loads(line)["status"] for line in out.splitlines()] == statuses
        assert f"3 {statuses[0]}".encode() in shown
        assert b"3/3" in shown or statuses[0] == "kept"
