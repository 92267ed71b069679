"""Measure how often a detector errs on stegos of `hide --survive`, which it is expected to find.

    python benchmarks/survival_seen.py --data-root DATA [--covers 100] [--out results/security-survive.json]

The covers, colour rich features and ensemble of `stegcli evaluate security`; a secret with a sixteenth
of the cover's pixels, revealed at 33 dB.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from survival_methods import RobustHider

from stegcli.crew.base import HERE
from stegcli.lab.data import photos
from stegcli.lab.data.covers import COVER_SHAPE, judging_covers
from stegcli.lab.provenance import command, commit
from stegcli.lab.security import evaluate
from stegcli.lab.security.subjects import HiderSubject, LsbMatchingSubject

PROMISES = ("jpeg:85", "jpeg:75", "jpeg:50")
SPREAD = 16


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--covers", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("results/security-survive.json"))
    options = parser.parse_args()
    made_by, covers = commit(), judging_covers(options.data_root, options.covers)
    subjects = [
        LsbMatchingSubject(),
        *(HiderSubject(RobustHider(each), f"--survive {each}, spread {SPREAD}", SPREAD) for each in PROMISES),
    ]
    rows = evaluate.assess(
        subjects, covers, crew=HERE, progress=lambda stage, share: print(f"{stage} {share:.2f}", flush=True)
    )
    values = {
        "what": "security",
        "command": command("python", "benchmarks/survival_seen.py"),
        "commit": made_by,
        "cover_size": [COVER_SHAPE[1], COVER_SHAPE[0]],
        "covers_sha256": photos.digest(covers),
        "rows": [{key: value for key, value in asdict(row).items() if key != "roc"} for row in rows],
    }
    options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
