"""Measure how well the requantisation attack detects changes to the pixels of decoded JPEGs.

    python benchmarks/requantisation.py --data-root DIR --camera DIR [--out results/requantisation.json]

Camera photographs: files as cameras wrote them (4:2:0, 4:2:2 and 4:4:4, fine tables and coarse ones), a
square of each; and the same shrunk by a quarter with Lanczos, where the attack must be at a loss. Files of
4:4:4: pictures of imagenet and voc2012 that no costs learned from, quality 86, cut out of step with their
blocks. Stegos: coded bits, phases, and LSB matching of one sample in five, which must be caught.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stegcli.codecs.base import Rate
from stegcli.lab.data import photos
from stegcli.lab.data.covers import judging_covers, load_cover
from stegcli.lab.provenance import command, commit
from stegcli.lab.security.coded_subjects import CodedSubject
from stegcli.lab.security.requantisation import Part, assess, parts
from stegcli.lab.security.subjects import LsbMatchingSubject, PhaseSubject
from stegcli.pictures import reading

SIDE, SQUARES = 320, 1
SHRINK = 0.75
SMALL_COVERS = 60
RATES = (0.05, 0.2)
"""Bits of coded body per pixel."""
SPREADS = (4, 16)
"""Spreads of phases."""


@dataclass(frozen=True)
class Photograph:
    """A photograph that is decoded and shrunk when it is called for."""

    path: str
    scale: float

    def __call__(self) -> NDArray[np.uint8]:
        """Decode and shrink it: (H, W, 3) uint8."""
        return reading.load_cover(self.path, scale=self.scale).rgb


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--camera", type=Path, required=True, help="folder with the content of camera.tar")
    parser.add_argument("--out", type=Path, default=Path("results/requantisation.json"))
    options = parser.parse_args()
    files = sorted(options.camera.glob("*.jpg"))
    small = judging_covers(options.data_root, SMALL_COVERS)
    sets = {
        "camera photographs": squares(files, 1.0),
        f"the same, shrunk to {SHRINK}": squares(files, SHRINK),
        "4:4:4 files of quality 86": [Part(load_cover(ref, 1.0), number) for number, ref in enumerate(small)],
    }
    values = {
        "what": "requantisation",
        "command": command("python", "benchmarks/requantisation.py"),
        "commit": commit(),
        "photographs": len(files),
        "covers_sha256": photos.digest(small),
        "rows": [row for name, covers in sets.items() for row in measured(name, covers)],
    }
    options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def squares(files: list[Path], scale: float) -> list[Part]:
    """Return squares of all photographs."""
    return list(parts([Photograph(str(path), scale) for path in files], SIDE, SQUARES))


def measured(name: str, covers: list[Part]) -> list[dict[str, Any]]:
    """Return a row for each subject on one set of covers."""
    subjects = [
        LsbMatchingSubject("LSB matching, one sample in five", 0.2),
        *(CodedSubject(f"coded, {rate:g} bit per pixel", Rate(rate)) for rate in RATES),
        *(PhaseSubject(spread, f"phase, spread {spread}") for spread in SPREADS),
    ]
    found = assess(subjects, covers)
    return [
        {"set": name, **{key: value for key, value in asdict(row).items() if key != "roc"}} for row in found
    ]


if __name__ == "__main__":
    main()
