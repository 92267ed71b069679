"""Measure the speed and memory of batches: python benchmarks/batch.py --pairs 400 --workers 2.

Pairs of 256x256 cropped from scikit-image's photographs are hidden by `stegcli batch hide` and revealed by
`stegcli batch reveal`, in processes of their own, as a user runs them. Prints pairs per second once the
workers have started, and overall; processor seconds per pair, which a busy machine affects less; and the
largest resident memory of all processes together in each quarter of the run, in which a leak would show.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from threading import Thread

import numpy as np
from PIL import Image
from skimage import data

from stegcli.cores import cores

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
    results = {
        "command": f"python benchmarks/batch.py --pairs {options.pairs} --workers {options.workers}",
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


def _measured(words: tuple[str, ...], options: argparse.Namespace) -> dict[str, object]:
    before, start = os.times(), time.perf_counter()
    process = subprocess.Popen(
        [*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    memory: list[tuple[float, int]] = []
    watch = Thread(target=_watch, args=(process, memory))
    watch.start()
    times = [time.perf_counter() for line in process.stdout or () if json.loads(line)["status"] == "done"]
    process.wait()
    watch.join()
    after = os.times()
    if process.returncode or len(times) != options.pairs:
        raise SystemExit(f"{' '.join(words[:2])} failed: {len(times)} of {options.pairs} done")
    processor = (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )
    return {
        "command": " ".join(words[:2]),
        "model": options.model,
        "pairs": options.pairs,
        "workers": options.workers,
        "pairs_a_second": round((len(times) - 1) / (times[-1] - times[0]), 2),
        "pairs_a_second_with_start": round(len(times) / (times[-1] - start), 2),
        "processor_seconds_a_pair": round(processor / len(times), 4),
        "peak_mib_by_quarter": list(_peaks(memory, times)),
    }


def _peaks(memory: list[tuple[float, int]], times: list[float]) -> Iterator[int | None]:
    """Return the largest sum of resident memory, in MiB, in each quarter of the pairs."""
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
