"""The distribution of changes that carries a payload at the least expected cost.

A step of cost c is taken with probability proportional to exp(-lambda c) (Filler and Fridrich, "Gibbs
construction in steganography", 2010); lambda is chosen so that the entropy equals the payload.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    F64 = NDArray[np.float64]

__all__ = ["binary_entropy", "multiplier"]

_OCTAVES: Final = 40
_ROUNDS: Final = 80
_NEAR: Final = 1e-4


def binary_entropy(probability: F64) -> F64:
    """Probabilities 0..1 -> bits 0..1, any shape."""
    p = np.clip(probability, 1e-300, 1 - 1e-16)
    entropy: F64 = -(p * np.log2(p) + (1 - p) * np.log1p(-p) / np.log(2))
    return entropy


def multiplier(entropy: Callable[[float], float], bits: float, unit: float) -> float:
    """Find the lambda at which the entropy is `bits`, to a ten-thousandth.

    Args:
        entropy: lambda > 0 -> bits; decreasing.
        bits: > 0, less than `entropy` at a lambda close to zero.
        unit: a typical cost; lambda is sought within a factor of 2^40 of 1 / unit.

    Returns:
        lambda, or an end of the range if the payload is out of reach.
    """
    low, high = -float(_OCTAVES), float(_OCTAVES)
    at, step = 0.0, 1.0
    below = above = None  # logarithms of entropy / bits at `high` and at `low`
    for _ in range(_ROUNDS):
        off = float(np.log(max(entropy(2.0**at / unit), 1e-300) / bits))
        if abs(off) < _NEAR:
            break
        if off > 0:
            low, above = at, off
        else:
            high, below = at, off
        if high - low < _NEAR:
            break
        at, step = _next(low, high, above, below, step), 2 * step
    return float(2.0**at / unit)


def _next(low: float, high: float, above: float | None, below: float | None, step: float) -> float:
    """Widen the interval until it brackets the root; then take a secant step that avoids the ends."""
    if below is None:
        return min(high, low + step)
    if above is None:
        return max(low, high - step)
    share = above / (above - below)
    return low + (high - low) * min(max(share, 0.1), 0.9)
