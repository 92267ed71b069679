"""Compare HILL and S-UNIWARD as the base of costs: the same coder, covers and bits, judged by the suite.

    python benchmarks/bases.py --data-root DIR [--covers 300] [--rate 0.5] [--keep DIR] [--out FILE.json]

Coded bits at half a bit per pixel, written over HILL's costs and over S-UNIWARD's (conseal), each as it is
and times the correction of the program's network, which learned on HILL's. S-UNIWARD with a network of its
own is not among them. Covers are pictures that no costs learned from.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from stegcli.carriers.costs import hill_cost
from stegcli.codecs.base import Rate
from stegcli.crew.base import Crew
from stegcli.lab.data import photos
from stegcli.lab.data.covers import judging_covers
from stegcli.lab.provenance import command, commit
from stegcli.lab.security import evaluate
from stegcli.lab.security.coded_subjects import CodedSubject
from stegcli.lab.security.learned_costs import program_cost
from stegcli.lab.security.subjects import Cost
from stegcli.lab.security.uniward import corrected_uniward_cost, uniward_cost
from stegcli.lab.security.verdicts import SecurityRow

BASES: Final[dict[str, Cost]] = {
    "coded": program_cost,
    "coded over HILL alone": hill_cost,
    "coded over S-UNIWARD alone": uniward_cost,
    "coded over S-UNIWARD, corrected": corrected_uniward_cost,
}
"""The first one is HILL with the whole correction of the network; `hide` applies a share of it."""


def main() -> None:
    """Measure every base on the same covers, and write the results."""
    parser = arguments(__doc__, Path("results/bases.json"), covers=300, features="suite", trainings=2)
    parser.add_argument("--rate", type=float, default=0.5, help="bits of body per pixel")
    options = parser.parse_args()
    refs = judging_covers(options.data_root, options.covers)
    subjects = [
        CodedSubject(f"{name}, {options.rate:g} bit per pixel", Rate(options.rate), cost=cost)
        for name, cost in BASES.items()
    ]
    judge(subjects, refs, options, "benchmarks/bases.py")


def arguments(
    what: str | None, out: Path, *, covers: int, features: str, trainings: int
) -> argparse.ArgumentParser:
    """Return a parser of the options that `judge` reads and of --covers, with these defaults."""
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--covers", type=int, default=covers)
    parser.add_argument("--features", default=features)
    parser.add_argument("--trainings", type=int, default=trainings)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--keep", type=Path, help="folder for features, to resume from")
    parser.add_argument("--out", type=Path, default=out)
    return parser


def judge(
    subjects: Sequence[CodedSubject],
    refs: Sequence[photos.ImageRef],
    options: argparse.Namespace,
    script: str,
) -> list[SecurityRow]:
    """Judge coded bits on the same covers as the options say, and write the results; return the rows."""
    rows = evaluate.assess(
        subjects,
        refs,
        feature_set=options.features,
        trainings=options.trainings,
        kept=options.keep,
        crew=Crew(workers=options.workers),
    )
    values = {
        "what": "security",
        "command": command("python", script),
        "commit": commit(),
        "covers": len(refs),
        "covers_sha256": photos.digest(refs),
        "feature_set": options.features,
        "rows": [asdict(row) for row in rows],
    }
    options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return rows


if __name__ == "__main__":
    main()
