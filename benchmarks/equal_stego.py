"""Measure how well coded bits reveal a secret of the cover's size where their stego has a PSNR of 52 dB.

    python benchmarks/equal_stego.py --data-root DIR [--pairs 50] [--out results/equal-stego.json]

The pairs of 256x256 are those of `stegcli evaluate` on lfw and imagenet. For each, as many coded bits as the
stego's PSNR allows are found by a secant search over writings of random bodies, and the codec makes the best
of them. Beside it stands the same codec by LSB matching (`avif-lsbm`). An exact secret counts as 99 dB.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stegcli.codecs import choice
from stegcli.codecs.base import Budget, Rate, Wishes
from stegcli.lab import statistics
from stegcli.lab.data import pairs
from stegcli.lab.data.pairs import Pair
from stegcli.lab.provenance import command, commit
from stegcli.lab.quality.baselines import baseline
from stegcli.lab.security import evaluate
from stegcli.lab.security.coded_subjects import CodedSubject
from stegcli.methods.coded.body import TAG_BYTES
from stegcli.pictures import metrics

U8 = NDArray[np.uint8]

STEGO_DB = 52.0
CLOSE_DB = 0.05
"""Distance from the stego's PSNR at which the search ends."""
SLOPE = -6.0
"""First guess of how many dB a doubling of the bits costs."""
TRIALS = 8
DATASETS = ("lfw", "imagenet")
CODED = CodedSubject("coded", Rate(1.0))
LEAST_BYTES = 100


def main() -> None:
    """Measure both ways on every pair, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("results/equal-stego.json"))
    options = parser.parse_args()
    rows = []
    for dataset in DATASETS:
        source = pairs.from_dataset(dataset, options.data_root, options.pairs, seed=0)
        found = list(evaluate.PROCESSES.map(partial(measured, dataset), list(enumerate(source))))
        for place, method in enumerate(("coded", "avif-lsbm")):
            stego_db, revealed_db = np.array([each[place] for each in found]).T
            rows.append(
                {
                    "set": dataset,
                    "method": method,
                    "pairs": len(found),
                    "stego_psnr_db": float(stego_db.mean()),
                    "revealed_psnr_db": asdict(statistics.summarise(revealed_db, 0)),
                }
            )
            print(rows[-1])
    origin = {"command": command("python", "benchmarks/equal_stego.py"), "commit": commit()}
    options.out.write_text(json.dumps({"what": "equal-stego", **origin, "rows": rows}, indent=1) + "\n")


def measured(dataset: str, item: tuple[int, Pair]) -> list[tuple[float, float]]:
    """Return PSNR of stego and of revealed secret, in dB, of coded bits and of LSB matching."""
    number, pair = item
    seed = f"{dataset}/{number}"
    size, stego = most_bytes(pair.cover_rgb, seed)
    seen = choice.encode(pair.secret_gray, Wishes(Budget(size - TAG_BYTES))).decoded
    rival = baseline("avif-lsbm").hide(pair.cover_rgb, pair.secret_gray, seed, STEGO_DB)
    shown = rival.reveal(rival.stego_rgb)
    return [
        (metrics.psnr(pair.cover_rgb, each), metrics.psnr(pair.secret_gray, revealed))
        for each, revealed in ((stego, seen), (rival.stego_rgb, shown))
    ]


def most_bytes(cover_rgb: U8, seed: str) -> tuple[int, U8]:
    """Return about the most bytes of body with which a stego keeps its PSNR, and that stego."""
    room = cover_rgb.size // 2
    size, slope, last = cover_rgb[..., 0].size // 4, SLOPE, None
    for _ in range(TRIALS):
        stego = CODED.write(cover_rgb, size, seed)
        excess = metrics.psnr(cover_rgb, stego) - STEGO_DB
        if abs(excess) < CLOSE_DB:
            break
        if last is not None and last[0] != size:
            slope = min(-1.0, (excess - last[1]) / math.log2(size / last[0]))
        last = (size, excess)
        size = min(room, max(LEAST_BYTES, round(size * 2 ** (-excess / slope))))
    return size, stego


if __name__ == "__main__":
    main()
