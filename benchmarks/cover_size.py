"""Measure how often a detector errs by the size of the cover, at the same payload per pixel.

    python benchmarks/cover_size.py --data-root DIR [--covers 500] [--out results/cover-size.json]

Photographs: those of the imagenet and voc2012 sets under --data-root that no costs learned from, shrunk by a
quarter, and the middle of each at several sizes: the same pixels, fewer of them. Stegos of the phase channel,
with the header that `hide` writes, which is of one length for all these sizes, and without.

A detector tells two normal distributions apart that lie d deviations from each other, their deflection; its
error P_E is that of the standard normal below -d / 2. By the square root law d grows with the root of the
number of pixels (Ker, Pevny, Kodovsky and Fridrich, "The square root law of steganographic capacity", 2008).
Fitted is the power that it grows with where there is no header, one for all spreads, rows weighed by their
intervals. The errors without a header at the full size go into the program (stegcli/detection/risk.json), for
`stegcli check` to estimate from.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from stegcli.detection import risk
from stegcli.lab.data import photos
from stegcli.lab.data.covers import COVER_SHAPE, judging_covers
from stegcli.lab.provenance import command, commit
from stegcli.lab.security import evaluate
from stegcli.lab.security.subjects import PhaseSubject

PARTS = (0.375, 0.5, 0.75, 1.0)
"""Shares of each side of a cover."""
SPREADS = (4, 8, 16)
"""Spreads that are measured at every size, and to which the power is fitted."""
ALL_SPREADS = (1, 2, 4, 8, 16, 64)
"""Spreads that are measured at the full size alone."""
POWERS = np.arange(0, 1.5, 0.005)
KEYS = {"spread": "spread", "error": "detection_error", "low": "error_low", "high": "error_high"}
"""Names in the program's table -> names in results."""
INTERVAL = 1.96
"""Standard deviations on either side of the mean that hold 95 % of a normal distribution."""


def main() -> None:
    """Measure, fit, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--covers", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path("results/cover-size.json"))
    options = parser.parse_args()
    origin = {"command": command("python", "benchmarks/cover_size.py"), "commit": commit()}
    refs = judging_covers(options.data_root, options.covers)
    rows = [row for part in PARTS for row in measured(refs, part)]
    bare = [row for row in rows if not row["header"]]
    values = {
        "what": "cover size",
        **origin,
        "covers": len(refs),
        "covers_sha256": photos.digest(refs),
        **fitted([row for row in bare if row["spread"] in SPREADS]),
        "rows": rows,
    }
    options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    table = json.loads(risk.RISK_FILE.read_text())
    table["bare"] = [
        {name: row[key] for name, key in KEYS.items()}
        for row in bare
        if [row["width"], row["height"]] == table["cover_size"]
    ]
    risk.RISK_FILE.write_text(json.dumps(table, indent=2) + "\n")


def measured(refs: Sequence[photos.ImageRef], part: float) -> list[dict[str, Any]]:
    """Return a row for each spread, with and without a header, in covers of one size."""
    height, width = (round(side * part) for side in COVER_SHAPE)
    subjects = [PhaseSubject(spread, f"phase, spread {spread}") for spread in SPREADS]
    subjects += [
        PhaseSubject(spread, f"phase, spread {spread}, no header", with_header=False)
        for spread in (ALL_SPREADS if part == 1 else SPREADS)
    ]
    _, *found = evaluate.assess(subjects, refs, part=part)
    return [
        {
            "width": width,
            "height": height,
            "spread": subject.spread,
            "header": subject.with_header,
            "deflection": risk.deflection(row.detection_error),
            **{key: value for key, value in asdict(row).items() if key != "roc"},
        }
        for subject, row in zip(subjects, found, strict=True)
    ]


def fitted(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Fit the power of the number of pixels with which deflections grow, and its 95 % interval.

    For each power, the best factor of each spread is found by weighted least squares. The interval holds the
    powers whose sum of squares exceeds the least by at most 1.96^2, as for one parameter.
    """
    sizes = np.array([row["width"] * row["height"] for row in rows]) / np.prod(COVER_SHAPE)
    deflections = np.array([row["deflection"] for row in rows])
    ends = [np.array([risk.deflection(row[end]) for row in rows]) for end in ("error_high", "error_low")]
    weights = (2 * INTERVAL / (ends[1] - ends[0])) ** 2
    spreads = np.array([row["spread"] for row in rows])
    losses = []
    for power in POWERS:
        terms = sizes**power
        loss = 0.0
        for spread in np.unique(spreads):
            own = spreads == spread
            factor = (weights * terms * deflections)[own].sum() / (weights * terms**2)[own].sum()
            loss += (weights * (deflections - factor * terms) ** 2)[own].sum()
        losses.append(loss)
    within = POWERS[np.array(losses) <= min(losses) + INTERVAL**2]
    return {
        "power": float(POWERS[np.argmin(losses)]),
        "low": float(within.min()),
        "high": float(within.max()),
    }


if __name__ == "__main__":
    main()
