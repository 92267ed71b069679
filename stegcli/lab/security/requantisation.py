"""The requantisation attack: detects changes in the pixels of a cover that was decoded from a JPEG.

pictures ─> lattice of the JPEG ─> share of pixels that change when quantised again ─> threshold ─> verdicts

Only the threshold is learned, on other photographs than those that are judged. If a picture shows no lattice,
the attack knows nothing, and the score is that of an unchanged picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers.jpeg_traces import excess, find_traces
from stegcli.crew.base import Crew
from stegcli.lab import statistics
from stegcli.lab.security import verdicts
from stegcli.lab.security.evaluate import FOLDS, PROCESSES
from stegcli.lab.security.verdicts import COVER_CONTROL, SecurityRow
from stegcli.pictures import metrics
from stegcli.progress import Progress

__all__ = ["Part", "Write", "assess", "parts", "score"]

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]

_BLOCK: Final = 8


@dataclass(frozen=True)
class Part:
    """A cover cropped from a photograph.

    Attributes:
        rgb: (H, W, 3) uint8.
        photograph: number of the photograph; threshold and verdict never come from the same one.
    """

    rgb: U8
    photograph: int


class Write(Protocol):
    """The interface of what is judged; any `Subject` will do."""

    @property
    def name(self) -> str:
        """Name in the table."""

    def stego(self, cover_rgb: U8, secret_gray: U8, seed: str) -> U8:
        """(H, W, 3) and (H, W) uint8 -> (H, W, 3) uint8."""


def parts(photographs: Sequence[Callable[[], U8]], side: int, count: int) -> Iterator[Part]:
    """Yield up to `count` squares of each photograph along a diagonal, aligned with its blocks."""
    for number, load in enumerate(photographs):
        rgb = load()
        tops, lefts = (
            np.unique(np.linspace(0, length - side, count + 2)[1:-1].astype(int) // _BLOCK * _BLOCK)
            for length in rgb.shape[:2]
        )
        for top, left in zip(tops, lefts, strict=False):
            yield Part(np.ascontiguousarray(rgb[top : top + side, left : left + side]), number)


def score(rgb: U8) -> float:
    """(H, W, 3) uint8 -> share of its pixels that look changed; 0 if there are no traces of a JPEG."""
    traces = find_traces(rgb)
    return 0.0 if traces is None else excess(rgb, traces)


def assess(
    subjects: Sequence[Write],
    covers: Sequence[Part],
    *,
    seed: int = 0,
    crew: Crew = PROCESSES,
    progress: Progress | None = None,
) -> list[SecurityRow]:
    """Judge every subject on the same covers; the control of covers against covers comes first.

    Args:
        subjects: the subjects.
        covers: covers from at least five photographs.
        seed: seed of embedding and folds.
        crew: as for `security.assess`.
        progress: called with the share of the work done.
    """
    scores, psnr = [], []
    work = list(enumerate(covers))
    for row, quality in crew.map(partial(_examine, tuple(subjects), seed), work):
        scores.append(row)
        psnr.append(quality)
        if progress is not None:
            progress("features", len(scores) / len(work))
    found, qualities = np.array(scores), np.array(psnr)
    numbers = np.array([part.photograph for part in covers])
    one, other = found[numbers % 2 == 0, 0], found[numbers % 2 == 1, 0]
    half = min(len(one), len(other))
    rows = [_row(COVER_CONTROL, one[:half], other[:half], np.arange(half), seed, None)]
    rows += [
        _row(subject.name, found[:, 0], found[:, index], numbers, seed, float(qualities[:, index - 1].mean()))
        for index, subject in enumerate(subjects, start=1)
    ]
    return rows


def _examine(subjects: Sequence[Write], seed: int, item: tuple[int, Part]) -> tuple[list[float], list[float]]:
    """Return scores of one cover and of its stegos, and the PSNR of the stegos."""
    number, part = item
    stegos = [subject.stego(part.rgb, part.rgb[..., 1], f"{seed}/{number}") for subject in subjects]
    return [score(each) for each in (part.rgb, *stegos)], [metrics.psnr(part.rgb, each) for each in stegos]


def _row(
    name: str, covers: F64, stegos: F64, photographs: NDArray[np.int64], seed: int, psnr_db: float | None
) -> SecurityRow:
    """Return a row of scores, each minus the threshold learned on other photographs."""
    unique = np.unique(photographs)
    folds = np.random.default_rng(seed).permutation(len(unique)) % FOLDS
    fold_of = folds[np.searchsorted(unique, photographs)]
    thresholds = np.empty(len(covers))
    for fold in range(FOLDS):
        own = fold_of == fold
        thresholds[own] = statistics.best_threshold(covers[~own], stegos[~own])
    return verdicts.row(name, covers - thresholds, stegos - thresholds, seed, stego_psnr_db=psnr_db)
