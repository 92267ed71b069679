"""Kills at random moments, races, full disks, places that cannot be written to, one hostile picture of many.

A few of each in an ordinary run; `make chaos KILLS=1000` sets STEGCLI_CHAOS to the number of kills, and takes
fifty writers and a thousand pictures.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tallies
from batch_cases import pairs
from desk import Desk, Outcome, command
from hub_server import serving

ALL_KILLS = int(os.environ.get("STEGCLI_CHAOS", "0"))
FULL = ALL_KILLS > 0
BATCH_KILLS = max(1, ALL_KILLS // 10)
KILLS = max(2, ALL_KILLS - BATCH_KILLS)
WRITERS = 50 if FULL else 6
PICTURES = 1000 if FULL else 6
BATCHED = 120 if FULL else 8
BATCH = ("batch", "hide", ".", "--out", "out", "--workers", "2")
SMALL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills and limits are POSIX")


def _killed(desk: Desk, after: float, *words: str) -> int | None:
    """Run a command in a new process group and kill the group; return the exit code if it ends first."""
    running = subprocess.Popen(
        command(*words),
        cwd=desk.folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return running.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        return None


def _lines(outcome: Outcome) -> list[dict]:
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_kills_of_hide(desk: Desk, request: pytest.FixtureRequest) -> None:
    """There is no stego or a whole one, and no other file."""
    words = ("hide", "cover.png", "secret.png", "-o", "s.png")
    start = time.perf_counter()
    assert _killed(desk, 300, *words) == 0
    usual = time.perf_counter() - start
    chance = random.Random(1)
    killed = whole = 0
    while killed < KILLS:
        (desk.folder / "s.png").unlink(missing_ok=True)
        killed += _killed(desk, chance.uniform(0.3, 1.05) * usual, *words) is None
        left = {path.name for path in desk.folder.iterdir()} - {"cover.png", "secret.png"}
        assert left <= {"s.png"}
        if left:
            whole += 1
            assert desk.run("reveal", "s.png", "-o", "r.png").code == 0
            (desk.folder / "r.png").unlink()
    tallies.tally(request, kills=killed, whole=whole)


def test_kills_of_a_batch(desk: Desk, request: pytest.FixtureRequest) -> None:
    """Whenever it is killed, the next run continues, and finished files keep their bytes."""
    pairs(desk.folder, BATCHED)
    chance = random.Random(2)
    killed = rounds = 0
    while killed < BATCH_KILLS:
        killed += _batch_killed_until_it_ends(desk, BATCH_KILLS - killed, chance)
        rounds += 1
    tallies.tally(request, kills=killed, batches=rounds, pictures=BATCHED)


def _batch_killed_until_it_ends(desk: Desk, most: int, chance: random.Random) -> int:
    """Restart a batch until it finishes; return the number of kills."""
    finished: dict[str, str] = {}
    killed = 0
    while killed < most and _killed(desk, chance.uniform(1, 4), *BATCH) is None:
        killed += 1
        for name, digest in _finished(desk.folder / "out").items():
            assert finished.setdefault(name, digest) == digest
    last = desk.run_process(*BATCH)
    assert last.code == 0, last
    statuses = [line["status"] for line in _lines(last)]
    assert set(statuses) <= {"done", "kept"}
    assert statuses.count("kept") >= len(finished)
    stegos = sorted(path.name for path in (desk.folder / "out").iterdir())
    assert stegos == ["batch.jsonl", *sorted(f"p{n}.stego.png" for n in range(BATCHED))]
    back = desk.run_process("batch", "reveal", "out", "--out", "back", "--workers", "2")
    assert back.code == 0, back
    for folder in ("out", "back"):
        shutil.rmtree(desk.folder / folder)
    return killed


def _finished(out: Path) -> dict[str, str]:
    """Return the files that the journal records as done, and those that exist."""
    try:
        lines = (out / "batch.jsonl").read_text().splitlines(keepends=True)
    except FileNotFoundError:
        return {}
    done = [json.loads(line) for line in lines if line.endswith("\n") and '"done"' in line[:8]]
    for line in done:
        assert hashlib.sha256((out / line["file"]).read_bytes()).hexdigest() == line["sha256"]
    return {line["file"]: line["sha256"] for line in done}


WRITE = """
import sys
from stegcli.errors import OutputError
from stegcli.pictures.drafts import replacing
sys.stdin.readline()
try:
    with replacing("one.bin", force=len(sys.argv) > 2) as draft:
        draft.file.write(sys.argv[1].encode() * 100_000)
except OutputError as error:
    sys.exit(2 if "exists" in error.message else 3)
"""


@pytest.mark.parametrize("force", [False, True])
def test_writers_of_one_name(tmp_path: Path, force: bool, request: pytest.FixtureRequest) -> None:
    """One of them wins, or with --force the last; the file is one writer's, whole."""
    flags = ["--force"] if force else []
    commands = [[sys.executable, "-c", WRITE, f"{number:02}", *flags] for number in range(WRITERS)]
    writers = [subprocess.Popen(words, cwd=tmp_path, stdin=subprocess.PIPE, text=True) for words in commands]
    for writer in writers:
        writer.communicate("go\n", timeout=300)
    codes = [writer.returncode for writer in writers]
    assert codes.count(0) == (WRITERS if force else 1)
    assert set(codes) <= {0, 2}
    content = (tmp_path / "one.bin").read_bytes()
    assert content == content[:2] * 100_000
    assert [path.name for path in tmp_path.iterdir()] == ["one.bin"]
    tallies.tally(request, writers=WRITERS)


def test_a_disk_that_fills_up(desk: Desk, request: pytest.FixtureRequest) -> None:
    """Each picture fails with that message, and once there is room the same command does them."""
    pairs(desk.folder, 3)
    full = desk.run_process(*BATCH, prelude=SMALL_DISK)
    assert full.code == 10, full
    assert all("disk is full" in line["error"]["message"] for line in _lines(full)), full.out
    assert [path.name for path in (desk.folder / "out").iterdir()] == ["batch.jsonl"]
    assert desk.run_process(*BATCH).code == 0
    tallies.tally(request, pictures=3)


@pytest.mark.skipif(not Path("/proc/1").is_dir(), reason="/proc, where even root may not write, is Linux's")
def test_caches_that_cannot_be_written_to(desk: Desk) -> None:
    nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "HF_HOME", "XDG_CONFIG_HOME"), "/proc/1/nowhere")
    hidden = desk.run_process("hide", "cover.png", "secret.png", "-o", "s.png", env=nowhere)
    assert hidden.code == 0, hidden
    with serving() as hub:
        commit = hub.put("owner/repo", {"manifest.toml": b"schema = 1\n"})
        there = hub.settings("/proc/1/nowhere")
        pulled = desk.run_process("models", "pull", f"hf://owner/repo@{commit}", env=nowhere | there)
    assert pulled.code == 5, pulled
    assert len(pulled.err.splitlines()) == 2, pulled.err


def test_one_hostile_picture_of_many(desk: Desk, request: pytest.FixtureRequest) -> None:
    """A bomb of 10^10 pixels among the covers: a worker's memory stays bounded, and all others are done."""
    import hostile_files

    entries = pairs(desk.folder, PICTURES)
    entries[PICTURES // 2].inputs[0].write_bytes(hostile_files.header_bomb())
    done = desk.run_process(*BATCH)
    assert done.code == 10, done.err
    failed = [line for line in _lines(done) if line["status"] == "failed"]
    assert [Path(line["cover"]).name for line in failed] == [f"p{PICTURES // 2}.png"]
    assert failed[0]["error"]["kind"] == "image"
    assert sum(path.suffix == ".png" for path in (desk.folder / "out").iterdir()) == PICTURES - 1
    tallies.tally(request, pictures=PICTURES, hostile=1)
