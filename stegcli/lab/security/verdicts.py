"""What a detector's scores on pairs that it did not see say: one row of a security table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stegcli.lab import statistics

__all__ = ["COVER_CONTROL", "SecurityRow", "row"]

F64 = NDArray[np.float64]

COVER_CONTROL: Final = "covers against other covers"


@dataclass(frozen=True)
class SecurityRow:
    """One subject under one detector, with 95 % intervals by bootstrap over pairs.

    Attributes:
        subject: its name.
        pairs: how many were judged.
        stego_psnr_db: mean, RGB.
        detection_error: P_E, 0 (always caught) .. 0.5 (never).
        error_low: lower end of its interval.
        error_high: upper end.
        auc: area under the ROC, 0.5 .. 1.
        auc_low: lower end of its interval.
        auc_high: upper end.
        roc: [false alarms, detections] at some thresholds.
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


def row(
    subject: str,
    cover_scores: F64,
    stego_scores: F64,
    seed: int,
    *,
    stego_psnr_db: float | None,
    threshold: float = 0.0,
) -> SecurityRow:
    """The row of (n,) scores of covers and of their stegos.

    Args:
        subject: its name.
        cover_scores: the higher, the more like a stego.
        stego_scores: of the same pairs in the same order.
        seed: of the bootstrap.
        stego_psnr_db: mean; None where the pair holds no stego.
        threshold: of alarm, chosen without looking at these pairs.
    """
    alarms, misses = cover_scores > threshold, stego_scores <= threshold
    low, high = statistics.bootstrap_interval((alarms.astype(float) + misses) / 2, seed)
    auc_low, auc_high = _auc_interval(cover_scores, stego_scores, seed)
    false, hits = statistics.roc(cover_scores, stego_scores)
    return SecurityRow(
        subject=subject,
        pairs=len(cover_scores),
        stego_psnr_db=stego_psnr_db,
        detection_error=statistics.detection_error(cover_scores, stego_scores, threshold),
        error_low=low,
        error_high=high,
        auc=statistics.auc(cover_scores, stego_scores),
        auc_low=auc_low,
        auc_high=auc_high,
        roc=[[round(float(x), 4), round(float(y), 4)] for x, y in zip(false, hits, strict=True)],
    )


def _auc_interval(cover_scores: F64, stego_scores: F64, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    count = len(cover_scores)
    draws = [rng.integers(count, size=count) for _ in range(statistics.RESAMPLES // 10)]
    areas = [statistics.auc(cover_scores[draw], stego_scores[draw]) for draw in draws]
    tail = 50 * (1 - statistics.CONFIDENCE)
    low, high = np.percentile(areas, [tail, 100 - tail])
    return float(low), float(high)
