"""Measure the speed and memory of batches: python benchmarks/batch.py --pairs 400 --workers 2 [--kills 2].

Pairs of 256x256 cropped from scikit-image's photographs are hidden by `stegcli batch hide` and revealed by
`stegcli batch reveal`, in processes of their own, as a user runs them. Prints pairs per second once the
workers have started, and overall; processor seconds per pair, which a busy machine affects less; and the
largest resident memory of all processes together in each quarter of the run, in which a leak would show.

With --kills, each batch is killed that often on its way and started again. In the end every picture must be
there, none may have been done twice, and every revealed picture must be like its secret.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from threading import Thread

import numpy as np
from PIL import Image
from skimage import data

from stegcli.cores import cores
from stegcli.lab.provenance import command, commit
from stegcli.pictures import metrics

PROGRAM = [sys.executable, "-c", "from stegcli.cli import main; main()"]
SIDE = 256
QUARTERS = 4
LOOK_SECONDS = 0.25
MIB = 1 << 20


def main() -> None:
    """Measure both commands; print and write one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=0, help="how often each batch is killed and resumed")
    parser.add_argument("--model", default="phase")
    parser.add_argument("--out", type=Path, default=Path("build/bench/batch.json"), help="where to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_pairs(folder, options.pairs)
        out, back = folder / "out", folder / "back"
        common = ("--workers", str(options.workers))
        hide = ("batch", "hide", str(folder), "--out", str(out), "--model", options.model, *common)
        reveal = ("batch", "reveal", str(out), "--out", str(back), *common)
        measured = {"hide": _measured(hide, options), "reveal": _measured(reveal, options)}
        measured["reveal"]["least_psnr_db"] = _least_psnr(folder, back, options.pairs)
    results = {
        "command": command("python", "benchmarks/batch.py"),
        "commit": commit(),
        "cores": cores(),
        **measured,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


def _write_pairs(folder: Path, count: int) -> None:
    for kind, source in (("covers", data.astronaut()), ("secrets", data.camera())):
        (folder / kind).mkdir()
        height, width = source.shape[:2]
        for number in range(count):
            top, left = number * 7 % (height - SIDE), number * 13 % (width - SIDE)
            cut = source[top : top + SIDE, left : left + SIDE]
            Image.fromarray(np.ascontiguousarray(cut)).save(folder / kind / f"{number:05}.png")


@dataclass(frozen=True)
class Run:
    """One process from its start to its end, or to its being killed: seconds by the same clock.

    Attributes:
        start: when it was started.
        done: name of each finished picture, and when.
        kept: names of those that an earlier run had finished.
        memory: now and then, resident bytes of all processes together.
        processor_seconds: of all processes; not known of a run that was killed.
        code: exit code.
    """

    start: float
    done: list[tuple[str, float]]
    kept: list[str]
    memory: list[tuple[float, int]]
    processor_seconds: float
    code: int


def _measured(words: tuple[str, ...], options: argparse.Namespace) -> dict[str, object]:
    stops = [options.pairs * number // (options.kills + 1) for number in range(1, options.kills + 1)]
    runs: list[Run] = []
    for stop in [*stops, None]:
        there = sum(len(run.done) for run in runs)
        runs.append(_run(words, None if stop is None else stop - there))
    names = [name for run in runs for name, _ in run.done]
    lost = set(runs[-1].kept) - set(names)  # finished when the run was killed, but not yet reported
    if runs[-1].code or len(names) + len(lost) != options.pairs or len(set(names)) != len(names):
        raise SystemExit(
            f"{' '.join(words[:2])} failed: {len(set(names))} reported, {len(names)} done, "
            f"{len(lost)} unreported, of {options.pairs}"
        )
    last = runs[-1]
    return {
        "command": " ".join(words[:2]),
        "model": options.model,
        "pairs": options.pairs,
        "workers": options.workers,
        "kills": options.kills,
        "done_twice": len(names) - len(set(names)),
        "pairs_a_second": _rate(runs, lambda run: (len(run.done) - 1, run.done[0][1])),
        "pairs_a_second_with_start": _rate(runs, lambda run: (len(run.done), run.start)),
        "processor_seconds_a_pair": round(last.processor_seconds / len(last.done), 4),
        "peak_mib_by_quarter": list(_peaks(runs)),
    }


def _run(words: tuple[str, ...], stop: int | None) -> Run:
    """Run a batch to its end, or kill it after so many pictures."""
    before, start = os.times(), time.perf_counter()
    process = subprocess.Popen(
        [*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    run = Run(start, [], [], [], 0.0, 0)
    watch = Thread(target=_watch, args=(process, run.memory))
    watch.start()
    for line in process.stdout or ():
        result = json.loads(line)
        name = result.get("revealed", result["stego"])
        if result["status"] == "done":
            run.done.append((name, time.perf_counter()))
            if len(run.done) == stop:
                process.kill()
                break
        elif result["status"] == "kept":
            run.kept.append(name)
    process.wait()
    watch.join()
    after = os.times()
    processor = (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )
    return replace(run, processor_seconds=processor, code=process.returncode)


def _rate(runs: list[Run], measured: Callable[[Run], tuple[int, float]]) -> float:
    """Pairs a second over all runs, each given as a number of pairs and when they began."""
    counts, begins = zip(*map(measured, runs), strict=True)
    ends = [run.done[-1][1] for run in runs]
    return round(sum(counts) / (sum(ends) - sum(begins)), 2)


def _least_psnr(folder: Path, back: Path, pairs: int) -> float:
    """PSNR in dB of the revealed picture that is least like its secret; each must be there."""
    found = sorted(back.glob("*.png"))
    if len(found) != pairs:
        raise SystemExit(f"{len(found)} revealed pictures of {pairs}")
    psnr = []
    for path in found:
        secret = folder / "secrets" / f"{path.name.split('.')[0]}.png"
        with Image.open(path) as seen, Image.open(secret) as expected:
            psnr.append(metrics.psnr(np.asarray(expected), np.asarray(seen)))
    return round(min(psnr), 2)


def _peaks(runs: list[Run]) -> Iterator[int | None]:
    """Largest sum of resident memory in each quarter of the pairs."""
    times = [when for run in runs for _, when in run.done]
    memory = [look for run in runs for look in run.memory]
    edges = [
        times[len(times) * quarter // QUARTERS - (quarter == QUARTERS)] for quarter in range(QUARTERS + 1)
    ]
    for first, last in pairwise(edges):
        seen = [size for when, size in memory if first <= when <= last]
        yield max(seen) // MIB if seen else None


def _watch(process: subprocess.Popen[str], memory: list[tuple[float, int]]) -> None:
    while process.poll() is None:
        memory.append((time.perf_counter(), sum(map(_resident, _family(process.pid)))))
        time.sleep(LOOK_SECONDS)


def _family(parent: int) -> list[int]:
    """Return the ids of the process and of all its descendants, as Linux lists them."""
    found = [parent]
    for each in found:
        try:
            children = Path(f"/proc/{each}/task/{each}/children").read_text(encoding="ascii")
        except OSError:
            continue
        found += [int(child) for child in children.split()]
    return found


def _resident(number: int) -> int:
    try:
        pages = int(Path(f"/proc/{number}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
