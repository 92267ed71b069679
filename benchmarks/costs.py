"""Compare ways of choosing where the phase channel writes, with the lab's detector; the reader is the same.

    python benchmarks/costs.py --data-root DIR [--covers 300] [--out results/costs.json]
    python benchmarks/costs.py --data-root DIR --learned cost.onnx [--covers 1000] [--out FILE.json]

The photographs are all pictures of the imagenet and voc2012 sets under --data-root, shrunk by a quarter. The
comparison varies the exponent of HILL's costs, the price of a step (lambda), the cost of steps whose channels
disagree, and the header: as it is, with the most expensive parities left wrong; written whole; left out; or,
which the format does not support, written whole with each parity carried by the sum over a group of pixels,
of which the cheapest changes.

With --learned, HILL's costs are compared with those corrected by a network
(`python -m stegcli.training costs`), both if each symbol has its own pixels, as in all of the above, and if
four symbols share theirs; the photographs are then those on which the network was not trained.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers import parity
from stegcli.carriers.costs import hill_cost
from stegcli.carriers.phases import choice, single
from stegcli.carriers.phases.channel import JOINT, PLAIN
from stegcli.lab.data import photos
from stegcli.lab.data.covers import judging_covers
from stegcli.lab.provenance import command
from stegcli.lab.quality.hiders import seed_bytes
from stegcli.lab.security import evaluate, subjects
from stegcli.lab.security.learned_costs import LearnedCost

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

SIGMA_COVERS = 6
COLUMNS = ["spread", "costs", "lambda", "channels", "header", "stego PSNR", "sigma", "P_E", "interval", "AUC"]


@dataclass(frozen=True)
class Variant:
    """One variant of writing.

    Attributes:
        spread: cover pixels per symbol.
        power: exponent of HILL's costs.
        lam: weight of a squared step against the error in the phase.
        disagreement: extra weight of the squared distance of a step's channels from their mean.
        group: pixels that carry each parity of the header together; 0 leaves the header out.
        spares: whether the header's most expensive parities are left wrong.
        learned: ONNX file of a network that corrects HILL's costs; none if empty.
        joint: whether four symbols share their pixels, as in `hide`, or each has its own.
    """

    spread: int
    power: float = 1.0
    lam: float = 0.001
    disagreement: float = 0.0
    group: int = 1
    spares: bool = False
    learned: str = ""
    joint: bool = False

    @property
    def name(self) -> str:
        """Name with all settings."""
        return "/".join(map(str, self.settings()))

    def settings(self) -> list[object]:
        """First columns of its row in the table."""
        header = {0: "none", 1: "as it is" if self.spares else "whole"}.get(
            self.group, f"sums of {self.group}"
        )
        apart = f"+{self.disagreement:g} apart" if self.disagreement else "alike"
        costs = "learned" if self.learned else f"HILL^{self.power:g}"
        costs = f"{costs}, joint" if self.joint else costs
        return [self.spread, costs, self.lam, apart, header]

    def stego(self, cover_rgb: U8, secret_gray: U8, seed: str) -> U8:
        """See `subjects.Subject`."""
        del secret_gray
        return self.write(cover_rgb, seed)[0]

    def write(self, cover_rgb: U8, seed: str) -> tuple[U8, float]:
        """Return the stego, and sigma, the error that remains in the phases."""
        steps = choice.OFFSETS.astype(np.float32)
        apart = ((steps - steps.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        sizes = (steps**2).sum(axis=1) + np.float32(self.disagreement) * apart
        choice.SQUARED_SIZES = single.SQUARED_SIZES = sizes  # type: ignore[misc]
        return _Grouped(
            self.spread,
            self.name,
            self.lam,
            LearnedCost(self.learned) if self.learned else partial(_costs, power=self.power),
            with_header=self.group > 0,
            spares=self.spares,
            way=JOINT if self.joint else PLAIN,
            group=self.group,
        ).write(cover_rgb, seed)


@dataclass(frozen=True)
class _Grouped(subjects.PhaseSubject):
    """The channel with a header whose parities are those of groups of pixels."""

    group: int = 1

    def _parity_for(self, cover_rgb: U8, seed: str) -> parity.Parity | None:
        plan = super()._parity_for(cover_rgb, seed)
        if plan is None or self.group == 1:
            return plan
        pixels, costs = cover_rgb.reshape(-1, 3), self._costs(cover_rgb)
        rng = np.random.default_rng(list(seed_bytes(seed, "groups")))
        groups = rng.permutation(len(pixels))[: len(plan[0]) * self.group].reshape(-1, self.group)
        wanted = (pixels.sum(axis=1) & 1).astype(np.uint8)[groups]
        cheapest = 0 if costs is None else costs[groups].argmin(axis=1)
        wanted[np.arange(len(groups)), cheapest] ^= rng.random(len(groups)) < 0.5
        return groups.reshape(-1), wanted.reshape(-1)


def _costs(luma_levels: F32, power: float) -> F32:
    return hill_cost(luma_levels) ** np.float32(power)


VARIANTS = (
    Variant(4),
    Variant(4, power=2),
    Variant(4, lam=0.005),
    Variant(4, power=2, lam=0.005),
    Variant(4, power=2, lam=0.02),
    Variant(4, disagreement=1),
    Variant(4, disagreement=3),
    Variant(4, group=0),
    Variant(4, spares=True),
    Variant(16),
    Variant(16, power=2),
    Variant(16, power=2, lam=0.005),
    Variant(16, disagreement=1),
    Variant(16, spares=True),
    Variant(16, group=2),
    Variant(16, group=4),
    Variant(16, group=0),
    Variant(64),
    Variant(64, power=2),
    Variant(64, spares=True),
    Variant(64, group=2),
    Variant(64, group=4),
    Variant(64, group=8),
    Variant(64, group=0),
)


def main() -> None:
    """Measure every variant on the same covers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--covers", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("results/costs.json"))
    parser.add_argument("--learned", type=Path, metavar="FILE.onnx", help="costs to compare with HILL's")
    options = parser.parse_args()
    variants = _against_hill(options.learned) if options.learned else VARIANTS
    judging = options.learned is not None
    refs = (judging_covers if judging else _all_covers)(options.data_root, options.covers)
    _, *rows = evaluate.assess(variants, refs)
    table = [_line(variant, row, refs) for variant, row in zip(variants, rows, strict=True)]
    values = {
        "what": "costs",
        "command": command("python", "benchmarks/costs.py"),
        "covers": len(refs),
        "columns": COLUMNS,
        "rows": table,
    }
    options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _against_hill(path: Path) -> list[Variant]:
    return [
        Variant(spread, spares=True, learned=learned, joint=joint)
        for spread in (4, 16, 64)
        for joint in (False, True)
        for learned in ("", str(path))
    ]


def _all_covers(data_root: Path, count: int) -> list[photos.ImageRef]:
    refs = [ref for name in ("imagenet", "voc2012") for ref in photos.find(name, data_root)]
    random.Random(0).shuffle(refs)  # noqa: S311 - repeatable on purpose
    return evaluate.covers_of(refs, count)


def _line(variant: Variant, row: evaluate.SecurityRow, refs: list[photos.ImageRef]) -> list[object]:
    covers = [evaluate.load_cover(ref) for ref in refs[:SIGMA_COVERS]]
    sigma = float(np.mean([variant.write(cover, "sigma")[1] for cover in covers]))
    return [
        *variant.settings(),
        f"{row.stego_psnr_db:.2f}",
        f"{sigma:.4f}",
        f"{row.detection_error:.3f}",
        f"{row.error_low:.3f} to {row.error_high:.3f}",
        f"{row.auc:.3f}",
    ]


if __name__ == "__main__":
    main()
