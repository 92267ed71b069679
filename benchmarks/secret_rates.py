"""Measure how many bits per pixel photographs take as secrets, by quality.

    python benchmarks/secret_rates.py --folder PHOTOS [--pictures 60] [--out results/secret-rates.json]

The central 256x256 of files drawn with a seed are encoded in colour and in gray as by `hide --model coded`.
`stegcli capacity` uses the median of these rates.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from statistics import median, quantiles

import numpy as np
from PIL import Image

from stegcli.codecs import choice
from stegcli.codecs.base import FAVOR, Picture, Wishes

SIDE = 256
SEED = 2024
SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("results/secret-rates.json"))
    options = parser.parse_args()
    pictures = _pictures(options.folder, options.pictures)
    results: dict[str, object] = {
        "command": f"python benchmarks/secret_rates.py --folder PHOTOS --pictures {options.pictures}",
        "pictures": len(pictures),
        "side": SIDE,
        "seed": SEED,
    }
    for kind, convert in (("colour", "RGB"), ("gray", "L")):
        shown = [np.asarray(picture.convert(convert)) for picture in pictures]
        results[kind] = {favor: _rates(shown, favor) for favor in FAVOR}
    options.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


def _pictures(folder: Path, count: int) -> list[Image.Image]:
    """Return the central squares of pictures that are drawn with the seed."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    random.Random(SEED).shuffle(paths)  # noqa: S311 - draws pictures, no keys
    found: list[Image.Image] = []
    for path in paths:
        with Image.open(path) as image:
            if min(image.size) >= SIDE and len(found) < count:
                left, top = ((side - SIDE) // 2 for side in image.size)
                found.append(image.convert("RGB").crop((left, top, left + SIDE, top + SIDE)))
    return found


def _rates(pictures: list[Picture], favor: str) -> dict[str, float]:
    """Return bits per pixel of the secret: the median, and the 90th percentile."""
    goal = FAVOR[favor]
    found = [8 * len(choice.encode(picture, Wishes(goal)).payload) / SIDE**2 for picture in pictures]
    return {
        "psnr_db": goal.psnr_db,
        "median_bpp": round(median(found), 3),
        "p90_bpp": round(quantiles(found, n=10)[-1], 3),
    }


if __name__ == "__main__":
    main()
