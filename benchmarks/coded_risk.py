"""Measure how many bits per pixel the stegos of security tables carry, to look up errors by them.

    python benchmarks/coded_risk.py --data-root DIR [--results FILE ...]

The tables say how often the best of the suite's detectors errs on coded bits that reveal at 40 dB, by spread,
and on a fixed number of bits per pixel. Here the same covers and secrets are used again (the lists of covers
must have the tables' checksums), and the mean number of bits in the bodies is entered next to the errors in
the program's own table (stegcli/detection/risk.json), for `check` and `hide --risk`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stegcli.codecs.base import Rate, Target
from stegcli.detection import risk
from stegcli.lab.data import photos
from stegcli.lab.data.covers import COVER_SHAPE, covers_of, load_cover, unlearned
from stegcli.lab.security import evaluate, presets
from stegcli.lab.security.coded_subjects import CodedSubject
from stegcli.lab.security.features import SUITE
from stegcli.pictures import luma

CODED = presets.PRESETS["coded"]
GOALS: dict[str, tuple[Target | Rate, int]] = {
    **{
        f"coded@{quality:g}, spread {spread}": (Target(quality), spread)
        for quality in CODED.revealed
        for spread in CODED.coded
    },
    **{f"coded, {rate:g} bit per pixel": (Rate(rate), 1) for rate in CODED.rates},
}


RESULTS = ("results/security-suite.json",)
DETECTOR = "the best of four ensembles: colour rich features, SPAM, CRM, and colour with SPAM"


def main() -> None:
    """Count the bits, and enter them into the program's table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--results", type=Path, nargs="+", default=[Path(name) for name in RESULTS])
    options = parser.parse_args()
    rows = [row for path in options.results for row in rows_of(path, options.data_root)]
    rows.sort(key=lambda row: row["rate"])
    table = json.loads(risk.RISK_FILE.read_text())
    sources = [path.as_posix() for path in options.results]
    table["coded"] |= {"sources": sources, "detector": DETECTOR, "rows": rows}
    risk.RISK_FILE.write_text(json.dumps(table, indent=2) + "\n")
    for row in rows:
        print(f"{row['subject']:<30} {row['rate']:.4f} bits per pixel, P_E {row['error']:.3f}")


def rows_of(path: Path, data_root: Path) -> list[dict[str, Any]]:
    """Rate and error of each kind of coded stegos in a table by the suite."""
    results = json.loads(path.read_text())
    if results["feature_set"] != SUITE:
        sys.exit(f"{path} is not a table of the detectors of the {SUITE}")
    covers = covers_as_measured(results, data_root)
    return [
        {
            "subject": row["subject"],
            "rate": round(mean_rate(row["subject"], covers), 4),
            "error": row["detection_error"],
            "low": row["error_low"],
            "high": row["error_high"],
        }
        for row in results["rows"]
        if row["subject"] in GOALS
    ]


def covers_as_measured(results: dict[str, Any], data_root: Path) -> list[photos.ImageRef]:
    """Return the covers of the security table by the rule of `presets.run`; exit if they differ."""
    refs = [ref for dataset in results["sources"] for ref in unlearned(dataset, data_root)]
    random.Random(results["seed"]).shuffle(refs)  # noqa: S311 - repeatable on purpose
    refs = covers_of(refs, results["covers"], results["shrink"])
    if hashlib.sha256("\n".join(ref.key for ref in refs).encode()).hexdigest() != results["covers_sha256"]:
        sys.exit("these are not the covers of the table")
    return refs


def mean_rate(subject: str, covers: Sequence[photos.ImageRef]) -> float:
    """Return the mean bits of body per cover pixel; each cover's secret is the next cover."""
    sizes = list(evaluate.PROCESSES.map(partial(body_bytes, subject), [*covers[1:], covers[0]]))
    return float(8 * np.mean(sizes) / np.prod(COVER_SHAPE))


def body_bytes(subject: str, secret: photos.ImageRef) -> int:
    """Return the bytes of the body for one secret."""
    goal, spread = GOALS[subject]
    return CodedSubject(subject, goal, spread).body_bytes(luma.gray(load_cover(secret)))


if __name__ == "__main__":
    main()
