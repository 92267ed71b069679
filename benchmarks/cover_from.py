"""Let `stegcli hide --cover-from` choose among ten photographs, and compare with the lab's detectors.

    python benchmarks/cover_from.py --data-root DIR [--model phase|coded] [--folders N]

Photographs: those of the imagenet and voc2012 sets that neither the costs nor the judge learned from, shrunk
by a quarter, as PNG. The first ten of a seeded shuffle are the first folder and so on; from all that are in
no folder the lab's detectors learn. The program hides a photograph of a fraction of a cover's pixels (a
fourth and a sixteenth as phases, all and a fourth as coded bits) in a cover of each folder, as a user runs
it; then the same secret is hidden in every cover of the folder, and the detectors rank the files. The program
chose well where the lab has its stego first or second among the ten (at random: in a fifth of the folders).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

import stegcli
from stegcli.codecs.base import Target
from stegcli.lab.data import photos
from stegcli.lab.data.covers import COVER_SHAPE, judging_covers
from stegcli.lab.provenance import command, commit
from stegcli.lab.security import ensemble, evaluate
from stegcli.lab.security.coded_subjects import CodedSubject
from stegcli.lab.security.features import features
from stegcli.lab.security.subjects import PhaseSubject
from stegcli.pictures import luma, reading

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

SPREADS = {"phase": (4, 16), "coded": (1, 4)}
COVERS = 10
SEEDS = range(5)
"""Seeds of the detectors, by whose mean margin covers are ranked."""

GOAL = Target(40.0)
"""What `hide --model coded` aims at."""
OUTS = {
    "phase": Path("results/cover-from.json"),
    "coded": Path("results/cover-from-coded.json"),
}

Item = tuple[str, photos.ImageRef]
Folder = tuple[list[photos.ImageRef], int, list[ensemble.Ensemble]]


def main() -> None:
    """Train the detectors, let the program choose, compare the choices, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--model", choices=OUTS, default="phase")
    parser.add_argument("--folders", type=int, default=20)
    options = parser.parse_args()
    refs = judging_covers(options.data_root)
    shown, learned = refs[: COVERS * options.folders], refs[COVERS * options.folders :]
    folders = [shown[start : start + COVERS] for start in range(0, len(shown), COVERS)]
    rows = []
    for spread in SPREADS[options.model]:
        items = [(f"cover-from/{number}", ref) for number, ref in enumerate(learned)]
        amount = spread if options.model == "phase" else _coded_bytes(spread)
        pairs = np.stack(list(evaluate.PROCESSES.map(partial(_pair, options.model, amount), items)))
        detectors = [ensemble.train(pairs[:, 0], pairs[:, 1], seed) for seed in SEEDS]
        work = [(folder, spread, detectors) for folder in folders]
        places = list(evaluate.PROCESSES.map(partial(_place_of_chosen, options.model), work))
        held = sum(place <= 2 for place in places)
        rows.append({"spread": spread, "folders": len(folders), "held": held, "places": places})
        print(rows[-1])
    values = {
        "what": "cover-from",
        "command": command("python", "benchmarks/cover_from.py"),
        "commit": commit(),
        "shown": photos.digest(shown),
        "learned_from": photos.digest(learned),
        "covers_learned_from": len(learned),
        "rows": rows,
    }
    OUTS[options.model].write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _pair(model: str, amount: int, item: Item) -> F32:
    """Return (2, d): features of a cover and of its stego at a spread, or with a number of coded bytes."""
    seed, ref = item
    cover = evaluate.load_cover(ref)
    if model == "phase":
        stego, _ = PhaseSubject(amount, model).write(cover, seed)
    else:
        stego = CodedSubject(model, GOAL).write(cover, amount, seed)
    return np.stack([features("colour")(each) for each in (cover, stego)])


def _coded_bytes(spread: int) -> int:
    """Return the bytes of the body that carries the secret at the quality of `hide --model coded`."""
    return CodedSubject("coded", GOAL).body_bytes(_secret(spread))


def _secret(spread: int) -> U8:
    height, width = (round(side * spread**-0.5) for side in COVER_SHAPE)
    return reading.resize_gray(luma.gray(data.astronaut()), (height, width))


def _place_of_chosen(model: str, item: Folder) -> int:
    """Return the reference rank of the program's choice: 1 if no cover is better, 2 if one is, and so on."""
    refs, spread, detectors = item
    with tempfile.TemporaryDirectory() as name:
        folder, secret = Path(name, "covers"), Path(name, "secret.png")
        folder.mkdir()
        for number, ref in enumerate(refs):
            Image.fromarray(evaluate.load_cover(ref)).save(folder / f"{number}.png")
        Image.fromarray(_secret(spread)).save(secret)
        chosen = _chosen(model, secret, folder)
        shown = []
        for number in range(len(refs)):
            stego = Path(name, f"{number}.stego.png")
            stegcli.hide(folder / f"{number}.png", secret, stego, model=model)
            shown.append(features("colour")(reading.load_stego(stego).rgb))
    ranks = np.mean([detector.margins(np.stack(shown)) for detector in detectors], axis=0)
    return int((ranks < ranks[chosen]).sum()) + 1


def _chosen(model: str, secret: Path, folder: Path) -> int:
    """Return the number of the cover that the command chooses."""
    command = [sys.executable, "-m", "stegcli", "hide", str(secret), "--cover-from", str(folder)]
    command += ["--model", model]
    command += ["-o", str(secret.with_name("out.png")), "--json", "--quiet"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(Path(json.loads(done.stdout)["ranking"][0]["cover"]).stem)


if __name__ == "__main__":
    main()
