"""How often a detector finds coded bits in pixels, by bits per pixel and by the size of the cover.

    python benchmarks/coded_risk.py --data-root DIR [--covers 300] [--out results/coded-risk.json]

Photographs: those of the imagenet and voc2012 sets under --data-root that no costs learned from, shrunk by a
quarter, 256x192, and the middle of each at half the sides. Stegos: random bytes for a body, at fixed numbers
of bits per pixel of the cover, written by the program's coder with its head (`CodedSubject`). Controls:
covers against other covers, and LSB matching of every sample.

The errors at the full size go into the program (stegcli/detection/risk.json), for `check` and `hide --risk`
to read off; so does the power of the number of pixels by which the deflection grows, where bits per pixel
stay the same (see `benchmarks/cover_size.py`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cover_size import KEYS, fitted

from stegcli.codecs.base import Rate
from stegcli.detection import risk
from stegcli.lab.data import photos
from stegcli.lab.data.covers import COVER_SHAPE, judging_covers
from stegcli.lab.provenance import command, commit
from stegcli.lab.security import evaluate
from stegcli.lab.security.coded_subjects import CodedSubject
from stegcli.lab.security.subjects import LsbMatchingSubject

RATES = (0.25, 0.5, 0.9, 1.6)
"""Bits of body per pixel of the cover, at the full size."""
FITTED_RATES = (0.9, 1.6)
"""At both sizes: the size's power is fitted to these, of which errors are far from both ends."""
PARTS = (1.0, 0.5)
"""Of each side of a cover."""


def main() -> None:
    """Measure, fit, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--covers", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("results/coded-risk.json"))
    options = parser.parse_args()
    origin = {"command": command("python", "benchmarks/coded_risk.py"), "commit": commit()}
    refs = judging_covers(options.data_root, options.covers)
    rows = [row for part in PARTS for row in measured(refs, part)]
    growth = fitted([{**row, "spread": row["rate"]} for row in rows if row["rate"] in FITTED_RATES])
    values = {
        "what": "risk of coded bits",
        **origin,
        "covers": len(refs),
        "covers_sha256": photos.digest(refs),
        **growth,
        "rows": rows,
    }
    options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    table = json.loads(risk.RISK_FILE.read_text())
    table["coded"] = {
        "source": "results/coded-risk.json",
        "power": growth["power"],
        "rows": [
            {"rate": row["rate"], **{name: row[key] for name, key in KEYS.items() if name != "spread"}}
            for row in rows
            if row["rate"] is not None and [row["width"], row["height"]] == table["cover_size"]
        ],
    }
    risk.RISK_FILE.write_text(json.dumps(table, indent=2) + "\n")


def measured(refs: Sequence[photos.ImageRef], part: float) -> list[dict[str, Any]]:
    """A row for the controls and for each rate, in covers of one size."""
    height, width = (round(side * part) for side in COVER_SHAPE)
    rates = RATES if part == 1 else FITTED_RATES
    subjects = [CodedSubject(f"coded, {rate:g} bit per pixel", Rate(rate)) for rate in rates]
    found = evaluate.assess([LsbMatchingSubject(), *subjects], refs, part=part)
    return [
        {
            "width": width,
            "height": height,
            "rate": rate,
            "deflection": risk.deflection(row.detection_error),
            **{key: value for key, value in asdict(row).items() if key != "roc"},
        }
        for rate, row in zip((None, None, *rates), found, strict=True)
    ]


if __name__ == "__main__":
    main()
