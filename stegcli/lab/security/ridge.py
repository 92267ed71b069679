"""A linear detector for few pictures and many features: least squares with a penalty.

Cogranne, Sedighi, Fridrich and Pevny, "Is ensemble classifier needed for steganalysis in high-dimensional
feature spaces?", WIFS 2015: it is not, and with few pictures it is weaker here. The matrix that is decomposed
holds products between pictures, of which there are fewer than features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FOLDS", "PENALTIES", "Ridge", "held_out", "left_out_errors", "train"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

FOLDS: Final = 8
PENALTIES: Final = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Candidates, relative to the mean eigenvalue of the matrix to which they are added."""


@dataclass(frozen=True)
class Ridge:
    """A trained detector.

    Attributes:
        centre: (d,) subtracted from features.
        weights: (d,) weights of centred features.
    """

    centre: F64
    weights: F64

    def scores(self, values: F32) -> F64:
        """(n, d) features -> (n,) scores, above 0 for a stego."""
        scores: F64 = (values - self.centre) @ self.weights
        return scores


def train(values: F32, labels: F64, groups: I64) -> Ridge:
    """Train with the penalty that gives the fewest errors on groups that were left out.

    Args:
        values: (n, d) features.
        labels: (n,) 1 for stegos, -1 for covers.
        groups: (n,) group numbers; a group is left out as a whole.
    """
    centre, scale = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    scale[scale == 0] = 1
    normal = ((values - centre) / scale).astype(np.float32)
    eigenvalues, vectors = np.linalg.eigh((normal @ normal.T).astype(np.float64))
    chosen = min(
        (penalty * float(eigenvalues.mean()) for penalty in PENALTIES),
        key=lambda penalty: left_out_errors(eigenvalues, vectors, penalty, labels, groups),
    )
    each = vectors @ ((vectors.T @ labels) / (eigenvalues + chosen))
    return Ridge(centre, (each @ normal) / scale)


def left_out_errors(eigenvalues: F64, vectors: F64, penalty: float, labels: F64, groups: I64) -> int:
    """Return the number of pictures misjudged by detectors that did not see their group.

    With H the matrix that takes labels to fitted ones, leaving a group out changes its residuals by the
    inverse of its part of I - H (Allen's PRESS for groups), so nothing is trained again.

    Args:
        eigenvalues: (n,) eigenvalues of the matrix of products between pictures.
        vectors: (n, n) its eigenvectors, in columns.
        penalty: added to its diagonal.
        labels: (n,) 1 for stegos, -1 for covers.
        groups: (n,) group numbers.
    """
    hat = (vectors * (eigenvalues / (eigenvalues + penalty))) @ vectors.T
    residuals = labels - hat @ labels
    errors = 0
    for group in np.unique(groups):
        inside = np.flatnonzero(groups == group)
        own = np.eye(len(inside)) - hat[np.ix_(inside, inside)]
        fitted = labels[inside] - np.linalg.solve(own, residuals[inside])
        errors += int((fitted * labels[inside] <= 0).sum())
    return errors


def held_out(values: F32, labels: F64, groups: I64, seed: int) -> F64:
    """Return scores by detectors that saw nothing of a picture's group.

    Args:
        values: (n, d) features.
        labels: (n,) 1 for stegos, -1 for covers.
        groups: (n,) group numbers from 0 without gaps, of at least `FOLDS` groups.
        seed: seed of the folds.

    Returns:
        (n,) scores, above 0 for a stego.
    """
    fold_of = (np.random.default_rng(seed).permutation(groups.max() + 1) % FOLDS)[groups]
    scores = np.empty(len(values))
    for fold in range(FOLDS):
        test = fold_of == fold
        scores[test] = train(values[~test], labels[~test], groups[~test]).scores(values[test])
    return scores
