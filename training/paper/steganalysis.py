"""The protocol of Table 6: a steganalyzer learns from the basic model's stegos, then judges ISGAN's.

    covers A ─ basic model ─> stegos A ─┐
    covers A ───────────────────────────┴─> Steganalyzer (SGD)
    covers B ─ each system ─> stegos B ───> its accuracy on B: 0.5 is guessing

No cover of B is among A, nor (where the data set has enough) among any training's pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stegcli.errors import TrainingError
from stegcli.lab.data import photos
from stegcli.lab.data.pairs import rgb_square
from stegcli.pictures import luma
from stegcli.training.data import datasets
from stegcli.training.paper.systems import System

U8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Covers:
    """Covers and the secrets to hide in them, (N,side,side,3) and (N,side,side) uint8."""

    rgb: U8
    gray: U8

    def stegos(self, system: System) -> U8:
        """Return (N,side,side,3) uint8: 8-bit pixels, which a PNG preserves."""
        return np.stack([system.stego(c, s) for c, s in zip(self.rgb, self.gray, strict=True)])


def load_covers(
    dataset: str, data_root: Path | None, train: int, test: int, side: int = photos.SIDE
) -> tuple[Covers, Covers]:
    """Return covers A from the training pictures, covers B from the held-out ones, and more if these are few.

    Secrets are the same pictures, shifted by one. The central `side` pixels of each are used.

    Raises TrainingError if the data set has too few pictures.
    """
    training, held_out = datasets.splits(dataset, data_root)
    if len(training) + len(held_out) < train + test:
        raise TrainingError(
            f"{dataset} holds {len(training) + len(held_out)} pictures, not {train} + {test}",
            hint="give smaller --covers and --test-covers",
        )
    more = max(0, test - len(held_out))
    return (
        _decoded(dataset, training[: min(train, len(training) - more)], side),
        _decoded(dataset, [*held_out, *training[len(training) - more :]][:test], side),
    )


def _decoded(dataset: str, refs: Sequence[datasets.ImageRef], side: int) -> Covers:
    rgb = np.stack([rgb_square(dataset, ref) for ref in refs])
    margin = max(0, (rgb.shape[1] - side) // 2)
    rgb = np.ascontiguousarray(rgb[:, margin : margin + side, margin : margin + side])
    return Covers(rgb, np.roll(luma.gray(rgb), 1, axis=0))
