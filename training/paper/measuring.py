"""The pairs of tables 4 and 5, and their measurement by the lab, with PNG files that are read again."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stegcli.errors import TrainingError
from stegcli.lab.data import photos
from stegcli.lab.data.pairs import Pair, PairSource
from stegcli.lab.quality.measure import Measured, measure
from stegcli.lab.statistics import bootstrap_interval
from stegcli.training.data import datasets
from stegcli.training.paper.systems import System

FIGURES = {
    "stego_psnr_db": "stego PSNR",
    "revealed_psnr_db": "revealed PSNR",
    "stego_ssim": "stego SSIM",
    "revealed_ssim": "revealed SSIM",
    "stego_luma_psnr_db": "stego PSNR (luma)",
    "stego_luma_ssim": "stego SSIM (luma)",
}
"""The lab's figures that the tables show, and their headings: the paper's four in its order, then luma's."""

PAIR_SEED = 5
"""Seed of the pairing, which is part of the protocol."""


def held_out_pairs(covers: str, secrets: str, data_root: Path | None, most: int | None) -> PairSource:
    """Return pairs of pictures that no training of the project sees (photos.splits).

    No picture is a cover twice, nor a secret. Within one data set each is both, and hides the next one.
    """
    first, second = _held_out(covers, data_root), _held_out(secrets, data_root)
    if covers == secrets:
        second = first[1:] + first[:1]
    count = min(len(first), len(second), most or len(first))
    if count < 1:
        raise TrainingError(
            f"{covers} and {secrets} hold too few pictures", "give data sets with more of them"
        )
    members = tuple(zip(first[:count], second[:count], strict=True))
    return PairSource(f"{covers} / {secrets}", (covers, secrets), members)


def _held_out(dataset: str, data_root: Path | None) -> list[photos.ImageRef]:
    refs = sorted(datasets.splits(dataset, data_root)[1], key=lambda ref: ref.key)
    random.Random(PAIR_SEED).shuffle(refs)  # noqa: S311 - repeatable on purpose
    return refs


def facts(pairs: PairSource) -> dict[str, object]:
    """Return a description of the pictures for the JSON file."""
    return {
        **dict(zip(("covers", "secrets"), pairs.datasets, strict=True)),
        "held_out_pairs": len(pairs),
        "sha256": datasets.digest([ref for pair in pairs.members for ref in pair]),
    }


@dataclass
class Measurement:
    """Measurement of a system on a set of pairs."""

    rows: list[dict[str, float | None]] = field(default_factory=list)
    shown: list[tuple[Pair, Measured]] = field(default_factory=list)
    """The first pairs with their pictures."""
    seconds: float = 0.0

    def means(self) -> dict[str, float]:
        """Return the mean of every figure."""
        return {name: float(np.mean([row[name] for row in self.rows])) for name in FIGURES}

    def intervals(self) -> dict[str, tuple[float, float]]:
        """Return the 95 % interval of every mean, by bootstrap over pairs."""
        columns = {name: np.array([row[name] for row in self.rows], dtype=np.float64) for name in FIGURES}
        return {name: bootstrap_interval(column, 0) for name, column in columns.items()}


def measure_pairs(
    system: System, pairs: PairSource, minutes: float | None = None, shown: int = 0
) -> Measurement:
    """Measure every pair, or at least one and as many as fit into `minutes`; keep the first pictures."""
    begun, found = time.monotonic(), Measurement()
    for number, pair in enumerate(pairs):
        measured = measure(system.hider, pair, str(number), None)
        found.rows.append(measured.figures)
        found.seconds = time.monotonic() - begun
        if number < shown:
            found.shown.append((pair, measured))
        if minutes is not None and found.seconds > 60 * minutes:
            break
    return found
