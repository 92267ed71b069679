"""Statistics over many pairs: mean, median, tail, and confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Summary",
    "auc",
    "best_threshold",
    "bootstrap_interval",
    "detection_error",
    "roc",
    "summarise",
]

RESAMPLES = 2000
CONFIDENCE = 0.95
LOSSLESS_DB = 99.0
"""Value in a mean for the PSNR of equal pictures, which would be infinite."""

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Summary:
    """Statistics of one quantity over all pairs.

    Attributes:
        mean: arithmetic mean.
        low: lower end of the mean's 95 % bootstrap interval.
        high: upper end of the interval.
        median: 50th percentile.
        p5: 5th percentile, below which one pair in twenty lies.
        count: number of pairs.
    """

    mean: float
    low: float
    high: float
    median: float
    p5: float
    count: int


def summarise(values: F64, seed: int) -> Summary:
    """Summarise (n,) figures; infinite ones count as `LOSSLESS_DB`."""
    finite = np.where(np.isinf(values), LOSSLESS_DB, values)
    low, high = bootstrap_interval(finite, seed)
    median, p5 = np.percentile(finite, [50, 5])
    return Summary(float(finite.mean()), low, high, float(median), float(p5), len(finite))


def bootstrap_interval(values: F64, seed: int, groups: I64 | None = None) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean (Efron and Tibshirani 1993), resampling pairs.

    Args:
        values: (n,) one value per pair.
        seed: seed of the resampling.
        groups: (n,) consecutive numbers from 0 for groups of dependent pairs, which are resampled together.
    """
    rng = np.random.default_rng(seed)
    if groups is None:
        means = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    else:
        sums, counts = np.bincount(groups, weights=values), np.bincount(groups)
        picks = rng.integers(len(counts), size=(RESAMPLES, len(counts)))
        means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def roc(cover_scores: F64, stego_scores: F64) -> tuple[F64, F64]:
    """Return shares of false alarms and of detections at every threshold, both rising from 0 to 1."""
    thresholds = np.unique(np.concatenate([cover_scores, stego_scores, [np.inf]]))[::-1]
    alarms = 1 - np.searchsorted(np.sort(cover_scores), thresholds, side="left") / len(cover_scores)
    hits = 1 - np.searchsorted(np.sort(stego_scores), thresholds, side="left") / len(stego_scores)
    return alarms, hits


def auc(cover_scores: F64, stego_scores: F64) -> float:
    """Return the area under the ROC: the chance that a stego scores above a cover, ties counted half."""
    ordered = np.sort(cover_scores)
    below = np.searchsorted(ordered, stego_scores, side="left")
    not_above = np.searchsorted(ordered, stego_scores, side="right")
    return float((below + not_above).mean() / (2 * len(ordered)))


def detection_error(cover_scores: F64, stego_scores: F64, threshold: float = 0.0) -> float:
    """Return (false alarms + missed detections) / 2 at a threshold chosen without these pairs."""
    return float(((cover_scores > threshold).mean() + (stego_scores <= threshold).mean()) / 2)


def best_threshold(cover_scores: F64, stego_scores: F64) -> float:
    """Return the threshold with the least `detection_error` on these pairs, half way between two scores."""
    scores = np.unique(np.concatenate([cover_scores, stego_scores]))
    thresholds = np.concatenate([[scores[0] - 1], (scores[1:] + scores[:-1]) / 2, [scores[-1]]])
    alarms = 1 - np.searchsorted(np.sort(cover_scores), thresholds, side="right") / len(cover_scores)
    misses = np.searchsorted(np.sort(stego_scores), thresholds, side="right") / len(stego_scores)
    return float(thresholds[np.argmin(alarms + misses)])
