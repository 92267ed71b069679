"""An ensemble detector: Fisher discriminants on random subspaces that vote.

Kodovsky, Fridrich and Holub, "Ensemble classifiers for steganalysis of digital media", IEEE TIFS 7(2), 2012.
Each learner sees a bootstrap sample of the pairs and a random subset of the features; the size of the subset
is the one with the least error on pairs that a learner did not see (out of bag).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ensemble", "train"]

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]

LEARNERS: Final = 61
"""Odd, so that no vote is a draw."""
TRIAL_LEARNERS: Final = 15
"""Number of learners for choosing the size of the subspaces."""
SUBSPACES: Final = (50, 100, 200, 350, 500)
_RIDGE: Final = 1e-3  # of the mean variance: keeps the covariance invertible if there are few pairs


@dataclass(frozen=True)
class Learner:
    """One discriminant.

    Attributes:
        chosen: (k,) indices of its features.
        weights: (k,) weights of these features.
        threshold: a projection above it means stego.
        spread: standard deviation of the projection over the training pictures.
    """

    chosen: NDArray[np.int64]
    weights: F32
    threshold: float
    spread: float

    def votes(self, values: F32) -> F64:
        """(n, d) -> (n,) votes: 1 for stego, -1 for cover."""
        above = values[:, self.chosen] @ self.weights > self.threshold
        votes: F64 = np.where(above, 1.0, -1.0)
        return votes


@dataclass(frozen=True)
class Ensemble:
    """A trained detector.

    Attributes:
        centre: (d,) subtracted from the features.
        scale: (d,) by which they are then divided.
        learners: the voting learners.
    """

    centre: F64
    scale: F64
    learners: tuple[Learner, ...]

    def scores(self, values: F32) -> F64:
        """(n, d) features -> (n,) mean vote, -1 (cover) .. 1 (stego)."""
        normal = _normal(values, self.centre, self.scale)
        mean: F64 = np.mean([learner.votes(normal) for learner in self.learners], axis=0)
        return mean

    def margins(self, values: F32) -> F64:
        """(n, d) features -> (n,) mean distance from the thresholds in standard deviations; above 0 is stego.

        If all learners vote alike, this still tells which picture looks more like a stego.
        """
        weights, offset = self.folded()
        return values.astype(np.float64) @ weights + offset

    def folded(self) -> tuple[F64, float]:
        """Return (d,) weights of raw features and an offset that give the mean margin, which is linear."""
        weights, offset = np.zeros_like(self.centre), 0.0
        for learner in self.learners:
            weights[learner.chosen] += learner.weights / learner.spread
            offset -= learner.threshold / learner.spread
        weights /= self.scale * len(self.learners)
        return weights, float(offset / len(self.learners) - weights @ self.centre)


def train(covers: F32, stegos: F32, seed: int) -> Ensemble:
    """Train a detector on pairs.

    Args:
        covers: (n, d) features.
        stegos: (n, d) features of the same pictures with something hidden, in the same order.
        seed: seed of the random subspaces and bootstrap samples.
    """
    both = np.concatenate([covers, stegos])
    centre, scale = both.mean(axis=0, dtype=np.float64), both.std(axis=0, dtype=np.float64)
    scale[scale == 0] = 1
    cover_values, stego_values = _normal(covers, centre, scale), _normal(stegos, centre, scale)
    sizes = sorted({min(size, covers.shape[1]) for size in SUBSPACES})
    errors = [_grow(cover_values, stego_values, size, TRIAL_LEARNERS, seed)[0] for size in sizes]
    best = sizes[int(np.argmin(errors))]
    return Ensemble(centre, scale, _grow(cover_values, stego_values, best, LEARNERS, seed)[1])


def _normal(values: F32, centre: F64, scale: F64) -> F32:
    return ((values - centre) / scale).astype(np.float32)


def _grow(
    covers: F32, stegos: F32, size: int, learner_count: int, seed: int
) -> tuple[float, tuple[Learner, ...]]:
    """Return the out-of-bag error, and the learners on subspaces of this size."""
    rng = np.random.default_rng([seed, size])
    count, dimensions = covers.shape
    learners = []
    tally = np.zeros((2, count))
    for _ in range(learner_count):
        chosen = rng.choice(dimensions, size, replace=False)
        bag = rng.integers(count, size=count)
        learner = _discriminant(covers[bag], stegos[bag], chosen)
        out = np.setdiff1d(np.arange(count), bag)
        tally[0, out] += learner.votes(covers[out])
        tally[1, out] += learner.votes(stegos[out])
        learners.append(learner)
    error = float(((tally[0] > 0).mean() + (tally[1] <= 0).mean()) / 2)
    return error, tuple(learners)


def _discriminant(covers: F32, stegos: F32, chosen: NDArray[np.int64]) -> Learner:
    """Return Fisher's direction, and the threshold with the least error on the same pairs."""
    a, b = covers[:, chosen], stegos[:, chosen]
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    deviations = np.concatenate([a - mean_a, b - mean_b])
    within = deviations.T @ deviations
    within[np.diag_indices_from(within)] += np.float32(_RIDGE) * np.trace(within) / np.float32(len(chosen))
    weights = np.linalg.solve(within, mean_b - mean_a)
    below, above = a @ weights, b @ weights
    spread = float(np.concatenate([below, above]).std()) or 1.0  # 0 if no feature distinguishes any pictures
    return Learner(chosen, weights, _threshold(below, above), spread)


def _threshold(covers: F32, stegos: F32) -> float:
    """Return the threshold, between two values, at which (false alarms + missed detections) is least."""
    values = np.concatenate([covers, stegos])
    order = np.argsort(values, kind="stable")
    is_stego = order >= len(covers)
    errors = len(covers) - np.cumsum(~is_stego) + np.cumsum(is_stego)
    best = int(errors.argmin())
    ordered = values[order]
    return float((ordered[best] + ordered[min(best + 1, len(ordered) - 1)]) / 2)
