"""Measure the program: time and memory at three sizes, where the time goes, quality on a folder, training.

    python benchmarks/bench.py [--methods phase coded jpeg isgan] [--sizes 256x256 "1 MP" "12 MP"]
        [--weights DIR] [--folder PHOTOS --pairs 50] [--against STEGCLI] [--out build/bench]

Writes bench.json and bench.md. Cold means a new process per run, as started from a user's shell; its time and
its peak resident memory are those the operating system reports; cpu is the time of all its threads, which a
busy machine affects less. The secret is as large as the cover with phase and isgan. With coded and jpeg
(coded bits in the cover's own JPEG file) it has at most a megapixel, and with jpeg a sixteenth of the cover.
Warm means a second run inside one process. With --against, runs of another version's program alternate with
this one's, using the default method, and their ratio is reported, which stays valid on a busy machine.
Quality figures come from stego files written and read again. If PyTorch is installed, a few training steps
measure how many pairs of cover and secret per second this device trains on.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import stegcli
from stegcli import pipeline
from stegcli.cores import cores
from stegcli.lab.data.pairs import from_dataset
from stegcli.lab.data.photos import SIDE
from stegcli.lab.provenance import command, commit
from stegcli.lab.quality import evaluate
from stegcli.lab.quality.hiders import ModelHider
from stegcli.pipeline import HideSettings
from stegcli.progress import Progress

PROGRAM = [sys.executable, "-c", "from stegcli.cli import main; main()"]
SIZES = {"256x256": (256, 256), "1 MP": (1024, 1024), "12 MP": (3000, 4000)}
HELP = "stegcli --help"
TRAINING = [sys.executable, "-m", "stegcli.training", "throughput", "--quick", "--json"]
TRAINING_NEEDS = ("torch", "accelerate")
COLD_RUNS = 3
LARGE = 4 << 20
"""Pixels above which one cold run is enough."""
SPREADS = (1, 4, 16)
MOST_SECRET = 1024
"""Largest side in pixels of a secret that is hidden as bits."""
QUALITY = ("stego_psnr_db", "stego_ssim", "revealed_psnr_db", "revealed_ssim")
SEED = 2024

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Way:
    """A way of hiding: its model, the kind of file that carries, and the secret's share of a cover's side."""

    model: str
    suffix: str = ".png"
    share: float = 1.0
    most: int | None = None

    def secret_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) of the secret for a cover of that shape."""
        height, width = (round(side * self.share) for side in shape)
        return (height, width) if self.most is None else (min(height, self.most), min(width, self.most))


WAYS = {
    "phase": Way("phase"),
    "coded": Way("coded", most=MOST_SECRET),
    "jpeg": Way("coded", ".jpg", share=0.25, most=MOST_SECRET),
    "isgan": Way("isgan"),
}


@dataclass(frozen=True)
class Cold:
    """Measurements of one process: wall-clock seconds, CPU seconds of all its threads, and peak memory."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def main() -> None:
    """Measure, print, and write the results."""
    options = _options()
    sizes = {name: SIZES[name] for name in options.sizes}
    with tempfile.TemporaryDirectory() as folder:
        results: dict[str, object] = {
            "command": command("python", "benchmarks/bench.py"),
            "commit": commit(),
            "machine": _machine(),
            "version": stegcli.__version__,
        }
        asked = [
            (method, name, Path(folder), options.weights) for method in options.methods for name in sizes
        ]
        cold = [_cold_speed(*each) for each in asked]
        results["speed"] = [row | _warm_speed(*each) for row, each in zip(cold, asked, strict=True)]
        if options.against:
            results["against"] = [
                _ratios(name, shape, Path(folder), options.against) for name, shape in sizes.items()
            ]
        results["help_seconds"] = min(_cold(["--help"]).seconds for _ in range(COLD_RUNS))
        if all(map(importlib.util.find_spec, TRAINING_NEEDS)):
            results["training"] = _training()
        if options.folder:
            results["quality"] = _quality(options)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (options.out / "bench.md").write_text(_markdown(results), encoding="utf-8")
    print(_markdown(results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default=None, help="folder of weights (default: the program's own)")
    parser.add_argument(
        "--methods", nargs="*", choices=WAYS, default=["phase", "coded", "jpeg"], help="methods to time"
    )
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES), help="sizes to time")
    parser.add_argument("--folder", type=Path, default=None, help="photographs to measure quality on")
    parser.add_argument("--against", default=None, help="stegcli program of another version to compare with")
    parser.add_argument("--pairs", type=int, default=50, help="number of pairs of photographs")
    parser.add_argument("--favor", default="balanced", choices=("cover", "balanced", "secret"))
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="where to write")
    return parser.parse_args()


def _machine() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": cores(),
    }


# --- speed ---


def _cold_speed(method: str, name: str, folder: Path, weights: str | None) -> dict[str, object]:
    """Measure in new processes, before this one grows: the system counts its size towards a child's, too."""
    files = _files(method, name, folder)
    runs = 1 if math.prod(SIZES[name]) > LARGE else COLD_RUNS
    chosen = [] if weights is None else ["--weights", weights]
    asked = ["--model", WAYS[method].model, *chosen, "--force", "--quiet"]
    hide = [_cold(["hide", files.cover, files.secret, "-o", files.stego, *asked]) for _ in range(runs)]
    asked = [*chosen, "--force", "--quiet"]
    reveal = [_cold(["reveal", files.stego, "-o", files.revealed, *asked]) for _ in range(runs)]
    return {"method": method, "size": name, "hide": _best(hide), "reveal": _best(reveal)}


def _warm_speed(method: str, name: str, folder: Path, weights: str | None) -> dict[str, object]:
    """Measure the second of two runs inside this process."""
    files = _files(method, name, folder)
    settings = HideSettings(model=WAYS[method].model, weights=weights, sampled=True)
    return {
        "warm_hide": _warm(
            lambda tell: pipeline.hide_as(
                files.cover, files.secret, files.stego, settings, force=True, progress=tell
            )
        ),
        "warm_reveal": _warm(
            lambda tell: stegcli.reveal(
                files.stego, files.revealed, weights=weights, force=True, progress=tell
            )
        ),
    }


@dataclass(frozen=True)
class Files:
    """The files that a run reads and writes."""

    cover: Path
    secret: Path
    stego: Path
    revealed: Path


def _files(method: str, name: str, folder: Path) -> Files:
    """Return the files of a run; cover and secret exist already."""
    way, shape = WAYS[method], SIZES[name]
    files = Files(
        folder / f"cover{way.suffix}",
        folder / "secret.png",
        folder / f"stego{way.suffix}",
        folder / "seen.png",
    )
    how = {"quality": 90} if way.suffix == ".jpg" else {"compress_level": 1}
    Image.fromarray(_mirrored("astronaut", shape)).save(files.cover, **how)
    Image.fromarray(_mirrored("camera", way.secret_shape(shape))).save(files.secret, compress_level=1)
    return files


def _ratios(name: str, shape: tuple[int, int], folder: Path, other: str) -> dict[str, object]:
    """Return ratios of this program's time and memory to another version's: medians of alternating runs."""
    cover, secret = folder / "cover.png", folder / "secret.png"
    Image.fromarray(_mirrored("astronaut", shape)).save(cover, compress_level=1)
    Image.fromarray(_mirrored("camera", shape)).save(secret, compress_level=1)
    programs = {"this": PROGRAM, "other": [other]}
    stegos = {who: folder / f"{who}.png" for who in programs}
    found: dict[str, object] = {"size": name}
    for verb in ("hide", "reveal"):
        runs: dict[str, list[Cold]] = {who: [] for who in programs}
        for _ in range(COLD_RUNS):
            for who, program in programs.items():
                files = (
                    [cover, secret, "-o", stegos[who]]
                    if verb == "hide"
                    else [stegos[who], "-o", folder / "revealed.png"]
                )
                runs[who].append(_cold([verb, *files, "--force", "--quiet"], program))
        for figure in ("seconds", "cpu_seconds", "peak_mib"):
            this, that = (median(getattr(run, figure) for run in runs[who]) for who in programs)
            found[f"{verb}_{figure}"] = {"this": this, "other": that, "ratio": this / that}
    return found


def _mirrored(name: str, shape: tuple[int, int]) -> Picture:
    """Return a photograph of scikit-image's, continued by mirroring, so that any size has natural texture."""
    from skimage import data

    photo: Picture = getattr(data, name)()
    missing = [(0, max(0, side - there)) for side, there in zip(shape, photo.shape, strict=False)]
    grown = np.pad(photo, missing + [(0, 0)] * (photo.ndim - 2), mode="symmetric")
    return np.ascontiguousarray(grown[: shape[0], : shape[1]])


_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""With bytecode written: an installed program is compiled once, not at every start."""


def _cold(arguments: list[object], program: Sequence[str] = tuple(PROGRAM)) -> Cold:
    start = time.perf_counter()
    with subprocess.Popen(
        [*program, *map(str, arguments)], env=_ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            complaint = process.stderr.read().decode() if process.stderr else ""
            raise SystemExit(f"stegcli {arguments[0]} ended with {process.returncode}: {complaint}")
    per_mib = 2**20 if platform.system() == "Darwin" else 2**10  # ru_maxrss: bytes there, KiB on Linux
    return Cold(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / per_mib)


def _best(runs: list[Cold]) -> dict[str, float]:
    return {
        "seconds": min(run.seconds for run in runs),
        "cpu_seconds": min(run.cpu_seconds for run in runs),
        "peak_mib": max(run.peak_mib for run in runs),
    }


def _warm(work: Callable[[Progress | None], object]) -> dict[str, object]:
    """Measure a second run in this process, and each of its stages, in seconds."""
    work(None)
    marks: list[tuple[str, float]] = []
    start = time.perf_counter()
    work(lambda stage, share: marks.append((stage, time.perf_counter())))
    end = time.perf_counter()
    stages: dict[str, float] = {}
    for (stage, since), (_, until) in zip(marks, [*marks[1:], ("", end)], strict=True):
        stages[stage] = stages.get(stage, 0.0) + until - since
    return {"seconds": end - start, "stages": stages}


def _training() -> dict[str, object]:
    """Measure a few training steps in a new process, the only one that imports PyTorch; pairs per second."""
    done = subprocess.run(TRAINING, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(TRAINING[1:])} ended with {done.returncode}: {done.stderr}")
    return dict(json.loads(done.stdout))


# --- quality ---


def _quality(options: argparse.Namespace) -> dict[str, object]:
    """Measure quality over pairs of photographs, with secrets as large as the cover, 1/4 and 1/16 of it."""
    source = from_dataset(f"folder:{options.folder}", None, options.pairs, SEED)
    hider = ModelHider("phase", options.weights, options.favor, "cpu")
    found = evaluate.evaluate([hider], source, spreads=SPREADS, favor=options.favor, seed=SEED)
    rows = [
        {"spread": line.spread, **{name: line.summaries[name].mean for name in QUALITY}}
        for line in found.lines
    ]
    return {"folder": options.folder.name, "pairs": len(source), "favor": options.favor, "rows": rows}


# --- table ---


def _markdown(results: dict) -> str:  # type: ignore[type-arg]
    machine = results["machine"]
    lines = [
        f"stegcli {results['version']}, Python {machine['python']}, {machine['system']}, "
        f"{machine['cores']} cores",
        "",
        "| | cover | hide, cold | cpu | peak | reveal, cold | cpu | peak | hide, warm | reveal, warm |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_speed_row(row) for row in results["speed"]),
        "",
        f"`{HELP}`: {results['help_seconds']:.2f} s",
        "",
        "Stages of a warm run, seconds:",
        "",
        *(f"- {row['method']}, {row['size']}: {_stages(row)}" for row in results["speed"]),
    ]
    if "against" in results:
        lines += ["", *(_ratio_line(row) for row in results["against"])]
    if "training" in results:
        lines += ["", _training_line(results["training"])]
    if "quality" in results:
        lines += ["", *_quality_lines(results["quality"])]
    return "\n".join(lines) + "\n"


def _speed_row(row: dict) -> str:  # type: ignore[type-arg]
    hide, reveal = row["hide"], row["reveal"]
    cells = [
        row["method"],
        row["size"],
        f"{hide['seconds']:.2f} s",
        f"{hide['cpu_seconds']:.2f} s",
        f"{hide['peak_mib']:.0f} MiB",
        f"{reveal['seconds']:.2f} s",
        f"{reveal['cpu_seconds']:.2f} s",
        f"{reveal['peak_mib']:.0f} MiB",
        f"{row['warm_hide']['seconds']:.2f} s",
        f"{row['warm_reveal']['seconds']:.2f} s",
    ]
    return "| " + " | ".join(cells) + " |"


def _ratio_line(row: dict) -> str:  # type: ignore[type-arg]
    told = ", ".join(
        f"{name.replace('_', ' ')} {value['ratio']:.2f} ({value['this']:.2f} / {value['other']:.2f})"
        for name, value in row.items()
        if name != "size"
    )
    return f"- {row['size']} against the other version: {told}"


def _stages(row: dict) -> str:  # type: ignore[type-arg]
    return "; ".join(
        f"{verb}: "
        + ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in row[f"warm_{verb}"]["stages"].items())
        for verb in ("hide", "reveal")
    )


def _training_line(training: dict) -> str:  # type: ignore[type-arg]
    return (
        f"Training {training['model']} with its steganalyzer on {training['device']}, batches of "
        f"{training['batch']} pairs of {training['size']}x{training['size']} crops: "
        f"{training['pairs_per_second']:.1f} pairs a second"
    )


def _quality_lines(quality: dict) -> list[str]:  # type: ignore[type-arg]
    return [
        f"Quality: {quality['pairs']} pairs of {quality['folder']}, covers {SIDE}x{SIDE}, "
        f"favor {quality['favor']}",
        "",
        "| cover pixels per secret pixel | stego PSNR / SSIM | revealed PSNR / SSIM |",
        "|---|---|---|",
        *(
            f"| {row['spread']} | {row['stego_psnr_db']:.2f} dB / {row['stego_ssim']:.4f} "
            f"| {row['revealed_psnr_db']:.2f} dB / {row['revealed_ssim']:.4f} |"
            for row in quality["rows"]
        ),
    ]


if __name__ == "__main__":
    main()
