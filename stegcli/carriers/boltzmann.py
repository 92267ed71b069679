"""How much each change is wanted: the distribution that carries a payload at the least expected price.

A step of price c is taken with probability proportional to exp(-lambda c) (Filler and Fridrich, "Gibbs
construction in steganography", 2010); lambda is where its entropy is the payload.
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
_NEAR: Final = 1e-6


def binary_entropy(probability: F64) -> F64:
    """Probabilities 0..1 -> bits 0..1, any shape."""
    p = np.clip(probability, 1e-300, 1 - 1e-16)
    entropy: F64 = -(p * np.log2(p) + (1 - p) * np.log1p(-p) / np.log(2))
    return entropy


def multiplier(entropy: Callable[[float], float], bits: float, unit: float) -> float:
    """The lambda whose entropy is `bits`, to a millionth.

    Args:
        entropy: lambda > 0 -> bits, falling.
        bits: > 0, less than `entropy` of nearly nothing.
        unit: a price that is usual here: lambda is sought within 2^40 of 1 / unit.

    Returns:
        lambda; an end of the range where the payload is out of reach.
    """
    low, high = -float(_OCTAVES), float(_OCTAVES)
    at, step = 0.0, 1.0
    below = above = None  # log of the ratio of entropy to bits, at `high` and `low`
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
    """Widen until the root is bracketed; then a secant that keeps off the ends."""
    if below is None:
        return min(high, low + step)
    if above is None:
        return max(low, high - step)
    share = above / (above - below)
    return low + (high - low) * min(max(share, 0.1), 0.9)
