"""How often a detector errs by the size of the cover, as much written into each pixel.

    python benchmarks/cover_size.py --data-root DIR [--covers 500] [--out results/cover-size.json]

Photographs: those of the imagenet and voc2012 sets under --data-root that no costs learned from, shrunk by a
quarter, and the middle of each at several sizes: the same pixels, fewer of them. The phase channel writes its
header too, as `hide` does, whose length hardly depends on the size; rows without one show what it does.

A detector tells two normal distributions apart that lie d deviations from each other; its error P_E is that
of the standard normal below -d / 2. By the square root law d grows with the root of the number of pixels
(Ker, Pevny, Kodovsky and Fridrich, "The square root law of steganographic capacity", 2008). Fitted is its
power, one for all spreads, rows weighed by their intervals. It goes into the program (stegcli/risk.json), for
`stegcli check`.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from stegcli import forecast, photos
from stegcli.lab import security
from stegcli.lab.covers import COVER_SHAPE, unlearned
from stegcli.lab.subjects import PhaseSubject
from stegcli.provenance import commit

PARTS = (0.375, 0.5, 0.75, 1.0)
"""Of each side of a cover."""
SPREADS = (4, 8, 16)
INTERVAL = 1.96
"""Standard deviations on either side of the mean that hold 95 % of a normal distribution."""


def main() -> None:
    """Measure, fit, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--covers", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path("results/cover-size.json"))
    options = parser.parse_args()
    origin = {"command": shlex.join(["python", *sys.argv]), "commit": commit()}
    refs = [ref for name in ("imagenet", "voc2012") for ref in unlearned(name, options.data_root)]
    random.Random(0).shuffle(refs)  # noqa: S311 - repeatable on purpose
    refs = security.covers_of(refs, options.covers)
    rows = [row for part in PARTS for row in measured(refs, part)]
    power, deviation = fitted([row for row in rows if row["header"]])
    law = {"power": power, "low": power - INTERVAL * deviation, "high": power + INTERVAL * deviation}
    values = {"what": "cover size", **origin, "covers": len(refs), "covers_sha256": photos.digest(refs)}
    options.out.write_text(json.dumps({**values, **law, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    table = {**json.loads(forecast.RISK_FILE.read_text()), "size_power": power}
    forecast.RISK_FILE.write_text(json.dumps(table, indent=2) + "\n")


def measured(refs: Sequence[photos.ImageRef], part: float) -> list[dict[str, Any]]:
    """A row for each spread, with a header and without, in covers of one size."""
    height, width = (round(side * part) for side in COVER_SHAPE)
    subjects = [
        PhaseSubject(spread, f"phase, spread {spread}", with_header=header)
        for header in (True, False)
        for spread in SPREADS
    ]
    _, *found = security.assess(subjects, refs, part=part)
    return [
        {
            "width": width,
            "height": height,
            "spread": subject.spread,
            "header": subject.with_header,
            "deflection": forecast.deflection(row.detection_error),
            **{key: value for key, value in asdict(row).items() if key != "roc"},
        }
        for subject, row in zip(subjects, found, strict=True)
    ]


def fitted(rows: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """The power of the number of pixels that deflections grow with, and its standard deviation.

    Straight lines of one slope through their logarithms, by weighted least squares.
    """
    spreads = sorted({row["spread"] for row in rows})
    columns = [[row["spread"] == spread for row in rows] for spread in spreads]
    pixels = np.array([row["width"] * row["height"] for row in rows], dtype=np.float64)
    deflections = np.array([row["deflection"] for row in rows])
    ends = [[forecast.deflection(row[end]) for row in rows] for end in ("error_high", "error_low")]
    deviations = np.subtract(ends[1], ends[0]) / (2 * INTERVAL) / deflections
    terms = np.stack([np.log(pixels), *np.array(columns, dtype=np.float64)], axis=1) / deviations[:, None]
    precision = terms.T @ terms
    found = np.linalg.solve(precision, terms.T @ (np.log(deflections) / deviations))
    return float(found[0]), float(np.sqrt(np.linalg.inv(precision)[0, 0]))


if __name__ == "__main__":
    main()
