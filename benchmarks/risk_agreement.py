"""Check whether stegos by `hide --risk` are missed as often as it estimates: prediction and measurement.

    python benchmarks/risk_agreement.py --data-root DIR [--risk 0.45] [--skip 500] [--covers 249]

Each cover hides the next one as `stegcli hide cover.png secret.png --model coded --gray --risk E` does it:
the program chooses the quality, and estimates by its table how often a detector errs. Then detectors are
trained on these stegos. Covers are pictures that no costs learned from, by default those that come after the
500 of the security table. The figure to compare is that of the detector that errs least, as in the program's
table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stegcli import pipeline
from stegcli.crew.base import HERE
from stegcli.detection.forecast import risk_of
from stegcli.detection.risk import Bound, Risk
from stegcli.errors import StegError
from stegcli.lab.data import photos
from stegcli.lab.data.covers import judging_covers, load_cover
from stegcli.lab.provenance import command, commit
from stegcli.lab.security import evaluate
from stegcli.pictures import luma
from stegcli.settings import HideSettings

U8 = NDArray[np.uint8]

SEED = 0
TRAININGS = 2


@dataclass(frozen=True)
class Made:
    """A stego and the program's estimates for it.

    Attributes:
        stego_rgb: (H, W, 3) uint8.
        rate: bits of body per pixel.
        revealed_psnr_db: PSNR of the revealed secret.
        risk: estimated detection error with its interval.
    """

    stego_rgb: U8
    rate: float
    revealed_psnr_db: float
    risk: Risk


@dataclass(frozen=True)
class Stored:
    """A subject whose stegos already exist.

    Attributes:
        name: name in the table.
        stegos: seed -> (H, W, 3) uint8.
    """

    name: str
    stegos: Mapping[str, U8]

    def stego(self, cover_rgb: U8, secret_gray: U8, seed: str) -> U8:
        """See `subjects.Subject`."""
        del cover_rgb, secret_gray
        return self.stegos[seed]


def main() -> None:
    """Hide, train detectors, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--risk", type=float, default=0.45)
    parser.add_argument("--skip", type=int, default=500, help="number of covers that the table may have seen")
    parser.add_argument("--covers", type=int, default=249)
    parser.add_argument("--features", default="suite")
    parser.add_argument("--out", type=Path, default=Path("results/risk-agreement.json"))
    options = parser.parse_args()
    refs = judging_covers(options.data_root, options.skip + options.covers)[options.skip :]
    name = f"hide --risk {options.risk:g}"
    made = hidden(refs, options.risk)
    stegos = {f"{SEED}/{number}": each.stego_rgb for number, each in enumerate(made)}
    rows = evaluate.assess(
        [Stored(name, stegos)], refs, feature_set=options.features, seed=SEED, trainings=TRAININGS, crew=HERE
    )
    values = {
        "what": "security",
        "command": command("python", "benchmarks/risk_agreement.py"),
        "commit": commit(),
        "covers": len(refs),
        "covers_sha256": photos.digest(refs),
        "feature_set": options.features,
        "risk": options.risk,
        "predicted": prediction(made),
        "rows": [asdict(row) for row in rows],
    }
    options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({**values["predicted"], "measured": [row.by_detector for row in rows]}, indent=1))


def hidden(refs: Sequence[photos.ImageRef], risk: float) -> list[Made]:
    """Hide the luma of the next cover in each cover, as the program does under this risk."""
    settings = HideSettings(model="coded", ceiling=Bound(risk))
    made = []
    for number, (cover, secret) in enumerate(zip(refs, [*refs[1:], refs[0]], strict=True), start=1):
        report = pipeline.hide_as(load_cover(cover), luma.gray(load_cover(secret)), None, settings)
        estimate = risk_of(report)
        if estimate is None:
            raise StegError("the program has no table of coded bits", "Install stegcli again.")
        made.append(Made(report.stego_rgb, report.bpp, report.revealed_psnr_db, estimate))
        if number % 50 == 0:
            print(f"hidden in {number} of {len(refs)} covers", flush=True)
    return made


def prediction(made: Sequence[Made]) -> dict[str, Any]:
    """Return the program's estimates: their mean, and the least and the most."""
    errors = [each.risk.error for each in made]
    return {
        "error": round(float(np.mean(errors)), 4),
        "low": round(float(np.mean([each.risk.low for each in made])), 4),
        "high": round(float(np.mean([each.risk.high for each in made])), 4),
        "least": round(min(errors), 4),
        "most": round(max(errors), 4),
        "bits_per_pixel": round(float(np.mean([each.rate for each in made])), 4),
        "revealed_psnr_db": round(float(np.mean([each.revealed_psnr_db for each in made])), 2),
    }


if __name__ == "__main__":
    main()
