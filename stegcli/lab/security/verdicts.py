"""Turn a detector's scores on pairs that it did not see into a row of a security table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stegcli.lab import statistics

__all__ = ["COVER_CONTROL", "SecurityRow", "row", "worst"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

COVER_CONTROL: Final = "covers against other covers"
_ROC_POINTS: Final = 200


@dataclass(frozen=True)
class SecurityRow:
    """One subject under one detector, with 95 % intervals by bootstrap over pairs.

    Attributes:
        subject: name of the subject.
        pairs: number of pairs that were judged.
        stego_psnr_db: mean PSNR over RGB.
        detection_error: P_E, 0 (always detected) .. 0.5 (never).
        error_low: lower end of its interval.
        error_high: upper end of its interval.
        auc: area under the ROC, 0.5 .. 1.
        auc_low: lower end of its interval.
        auc_high: upper end of its interval.
        roc: [false alarms, detections] at some thresholds.
        by_detector: P_E of every detector of a suite, one per seed; this row is the one with the least mean.
        pooled_error: P_E of whole groups, such as photographs, by the mean score of their members; None if
            pairs are not grouped.
        pooled_low: lower end of its interval.
        pooled_high: upper end of its interval.
    """

    subject: str
    pairs: int
    stego_psnr_db: float | None
    detection_error: float
    error_low: float
    error_high: float
    auc: float
    auc_low: float
    auc_high: float
    roc: list[list[float]]
    by_detector: dict[str, list[float]] = field(default_factory=dict)
    pooled_error: float | None = None
    pooled_low: float | None = None
    pooled_high: float | None = None


def row(
    subject: str,
    cover_scores: F64,
    stego_scores: F64,
    seed: int,
    *,
    stego_psnr_db: float | None,
    threshold: float = 0.0,
    groups: I64 | None = None,
) -> SecurityRow:
    """Return the row for scores of covers and of their stegos.

    Args:
        subject: name of the subject.
        cover_scores: (n,), higher for pictures more like a stego; or (s, n) from s trainings, whose errors
            are averaged.
        stego_scores: scores of the same pairs in the same order.
        seed: seed of the bootstrap.
        stego_psnr_db: mean; None if nothing was hidden.
        threshold: threshold of an alarm, chosen without these pairs.
        groups: (n,) groups of pairs that the bootstrap draws together; None for none.
    """
    cover_scores, stego_scores = np.atleast_2d(cover_scores), np.atleast_2d(stego_scores)
    errors = _wrong(cover_scores, stego_scores, threshold)
    low, high = statistics.bootstrap_interval(errors, seed, groups)
    pooled = None if groups is None else _pooled(cover_scores, stego_scores, threshold, groups)
    pooled_low, pooled_high = (None, None) if pooled is None else statistics.bootstrap_interval(pooled, seed)
    cover_scores, stego_scores = cover_scores.mean(axis=0), stego_scores.mean(axis=0)
    auc_low, auc_high = _auc_interval(cover_scores, stego_scores, seed, groups)
    false, hits = statistics.roc(cover_scores, stego_scores)
    return SecurityRow(
        subject=subject,
        pairs=len(cover_scores),
        stego_psnr_db=stego_psnr_db,
        detection_error=float(errors.mean()),
        error_low=low,
        error_high=high,
        auc=statistics.auc(cover_scores, stego_scores),
        auc_low=auc_low,
        auc_high=auc_high,
        roc=[[round(float(false[at]), 4), round(float(hits[at]), 4)] for at in _some(len(false))],
        pooled_error=None if pooled is None else float(pooled.mean()),
        pooled_low=pooled_low,
        pooled_high=pooled_high,
    )


def _some(count: int) -> I64:
    """Return at most `_ROC_POINTS` indices, the first and the last among them."""
    places: I64 = np.unique(np.linspace(0, count - 1, min(count, _ROC_POINTS)).round().astype(np.int64))
    return places


def _wrong(cover_scores: F64, stego_scores: F64, threshold: float) -> F64:
    """(s, n) scores -> (n,) share of trainings and members in which a pair is misjudged, 0..1."""
    wrong: F64 = ((cover_scores > threshold).mean(axis=0) + (stego_scores <= threshold).mean(axis=0)) / 2
    return wrong


def _pooled(cover_scores: F64, stego_scores: F64, threshold: float, groups: I64) -> F64:
    """(s, n) scores -> (g,) the same as `_wrong` for the mean scores of groups."""
    sizes = np.bincount(groups)
    means = [
        np.stack([np.bincount(groups, weights=training) for training in each]) / sizes
        for each in (cover_scores, stego_scores)
    ]
    return _wrong(means[0], means[1], threshold)


def worst(
    subject: str,
    scores: Mapping[str, tuple[F64, F64]],
    seed: int,
    *,
    stego_psnr_db: float | None,
    groups: I64 | None = None,
) -> SecurityRow:
    """Return the row of the detector that errs least.

    Args:
        subject: name of the subject.
        scores: detector -> (s, n) scores of covers and of their stegos, from s trainings.
        seed: seed of the bootstrap.
        stego_psnr_db: as for `row`.
        groups: as for `row`.
    """
    rows = {
        name: row(subject, *found, seed, stego_psnr_db=stego_psnr_db, groups=groups)
        for name, found in scores.items()
    }
    least = min(rows.values(), key=lambda each: each.detection_error)
    if len(scores) == 1 and len(next(iter(scores.values()))[0]) == 1:
        return least
    return replace(least, by_detector={name: _errors(*found) for name, found in scores.items()})


def _errors(cover_scores: F64, stego_scores: F64) -> list[float]:
    """(s, n) scores -> P_E of each training."""
    pairs = zip(cover_scores, stego_scores, strict=True)
    return [round(statistics.detection_error(covers, stegos), 4) for covers, stegos in pairs]


def _auc_interval(cover_scores: F64, stego_scores: F64, seed: int, groups: I64 | None) -> tuple[float, float]:
    groups = np.arange(len(cover_scores)) if groups is None else groups
    rng, count = np.random.default_rng(seed), groups.max() + 1
    draws = [_members(groups, rng.integers(count, size=count)) for _ in range(statistics.RESAMPLES // 10)]
    areas = [statistics.auc(cover_scores[draw], stego_scores[draw]) for draw in draws]
    tail = 50 * (1 - statistics.CONFIDENCE)
    low, high = np.percentile(areas, [tail, 100 - tail])
    return float(low), float(high)


def _members(groups: I64, drawn: I64) -> I64:
    """Return the indices of all members of the drawn groups, as often as each group was drawn."""
    times = np.bincount(drawn, minlength=groups.max() + 1)[groups]
    return np.repeat(np.arange(len(groups)), times)
