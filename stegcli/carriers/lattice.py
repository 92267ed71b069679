"""Bits in dithered lattices of coefficients, embedded only as strongly as is worthwhile, and read softly.

    t = x / D + dither          the nearer to an even number, the likelier a 0; to an odd one, a 1

Quantising x moves t by a fraction of a step, and the bit usually survives. The writer moves each t towards
its lattice only as far as the information that the reader is expected to gain justifies the distance; an
error-correcting code repairs the rest, and the reader need not be told where. (Lattices: B. Chen and G.
Wornell, "Quantization index modulation", 2001; writing without telling where: J. Fridrich et al., "Writing
on wet paper", 2005.) The reader estimates the noise blindly: both lattices together are the integers, and
noise of standard deviation s reduces the mean of cos(2 pi t) to exp(-2 pi^2 s^2).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]
    Indices = NDArray[np.intp]

__all__ = ["STEP_PER_TABLE", "information", "moved", "noise_sigma", "soft_bits"]

STEP_PER_TABLE: Final = 1.35
"""Step of the lattice, in steps of the quantisation table that it is meant to survive."""

_OUTLIERS: Final = 0.02
"""Share of values that the noise model does not describe, because they were clipped or overwritten."""
_TURN: Final = 2 * np.pi

_SIGMAS: Final = np.geomspace(0.06, 0.7, 48)
_DISTANCES: Final = 256
_LEAST_COHERENCE, _MOST_COHERENCE = 0.008, 0.97

_EXPECTED_SIGMA: Final = 0.1
"""Standard deviation of the noise besides quantisation, in steps."""
_PRICES: Final = np.linspace(-3.0, 3.0, 121)
"""Decimal logarithms of the price, in bits, of a squared step."""
_GRID: Final = 128


def soft_bits(t: F32, sigma: F32) -> F32:
    """Return what received values say about their bits.

    Args:
        t: (n,) float32, any range, in steps, including the dither.
        sigma: (n,) float32 > 0, assumed standard deviation of their noise, in steps.

    Returns:
        (n,) float32, the logarithm of P(0) / P(1).
    """
    folded = np.abs(np.mod(t + np.float32(1), np.float32(2)) - np.float32(1))  # distance to an even number
    place = (folded * np.float32(_DISTANCES) + np.float32(0.5)).astype(np.intp)
    level = np.searchsorted(_SIGMAS[1:], sigma)
    soft: F32 = _soft_table()[level, place]
    return soft


def noise_sigma(t: F32, rows: Indices, columns: Indices) -> F32:
    """Estimate the noise of values as a product of the effects of two attributes.

    Args:
        t: (n,) float32, as for `soft_bits`.
        rows: (n,) a small integer for each value, such as its frequency.
        columns: (n,) another one, such as the activity class of its block.

    Returns:
        (n,) float32, standard deviations in steps.
    """
    coherence = np.cos(np.float32(_TURN) * t)
    overall = max(float(coherence.mean(dtype=np.float64)), _LEAST_COHERENCE)
    share = _means(coherence, rows)[rows] * _means(coherence, columns)[columns] / overall
    bounded = np.clip(share, _LEAST_COHERENCE, _MOST_COHERENCE)
    sigma: F32 = np.sqrt(-2 * np.log(bounded) / _TURN**2).astype(np.float32)
    return sigma


def moved(t: F32, bits: NDArray[np.uint8], log_price: F32) -> F32:
    """Return how far to move values for their bits.

    Args:
        t: (n,) float32, in steps, including the dither.
        bits: (n,) uint8.
        log_price: (n,) float32, decimal logarithm of the price of a squared step in bits of information.

    Returns:
        (n,) float32, -1..1, in steps.
    """
    offset = np.mod(t + bits + np.float32(1), np.float32(2)) - np.float32(1)  # from the lattice of the bit
    away = np.abs(offset)
    scale = np.float32((len(_PRICES) - 1) / (_PRICES[-1] - _PRICES[0]))
    price = np.clip(np.rint((log_price - np.float32(_PRICES[0])) * scale), 0, len(_PRICES) - 1)
    place = np.rint(away * np.float32(_GRID)).astype(np.intp)
    stays = np.minimum(_rests()[price.astype(np.intp), place], away)
    result: F32 = np.sign(offset) * (stays - away)
    return result


def information(soft: F32, bits: NDArray[np.uint8]) -> float:
    """Return the mean information that soft values give about each bit: at most 1, below 0 if misleading."""
    agreed = np.where(bits == 1, -soft, soft)
    return float(1 - np.mean(np.logaddexp(np.float32(0), -agreed), dtype=np.float64) / np.log(2))


def _means(values: F32, groups: Indices) -> F64:
    counts = np.bincount(groups)
    means = np.bincount(groups, weights=values) / np.maximum(counts, 1)
    bounded: F64 = np.clip(means, _LEAST_COHERENCE, _MOST_COHERENCE)
    return bounded


def _log_odds(distance: F64, sigma: F64) -> F64:
    """Return the logarithm of P(0) / P(1) at a distance of 0..1 from the lattice of zeros."""

    def density(away: F64) -> F64:
        wrapped = np.exp(-((away / sigma) ** 2) / 2) + np.exp(-(((2 - away) / sigma) ** 2) / 2)
        mixed: F64 = (1 - _OUTLIERS) * wrapped / (sigma * np.sqrt(_TURN)) + _OUTLIERS / 2
        return mixed

    odds: F64 = np.log(density(distance)) - np.log(density(1 - distance))
    return odds


@lru_cache(maxsize=1)
def _soft_table() -> F32:
    """Tabulate `_log_odds`: (levels of noise, distances + 1) float32."""
    distances = np.linspace(0, 1, _DISTANCES + 1)
    return _log_odds(distances, _SIGMAS[:, None]).astype(np.float32)


@lru_cache(maxsize=1)
def _rests() -> F32:
    """(prices, distances + 1) float32: the distance from its lattice to which a value is best moved."""
    distances = np.linspace(0, 1, _GRID + 1)
    gained = _expected_information(distances)
    squared = (distances[:, None] - distances) ** 2
    rests = np.empty((len(_PRICES), _GRID + 1), np.float32)
    for row, log_price in enumerate(_PRICES):
        worth = gained - 10**log_price * squared
        worth[distances > distances[:, None]] = -np.inf  # never move away from the lattice
        rests[row] = distances[worth.argmax(axis=1)]
    return rests


def _expected_information(distances: F64) -> F64:
    """Return the information in bits of a value at these distances from its lattice, after quantisation."""
    noise = _quadrature()
    away = np.abs(np.mod(distances[:, None] + noise + 1, 2) - 1)
    odds = _log_odds(away, np.asarray(noise.std()))
    told: F64 = (1 - np.logaddexp(0, -odds) / np.log(2)).mean(axis=1)
    return told


def _quadrature() -> F64:
    """Return equally likely noise values: uniform over one table step, for a quantiser, plus a little."""
    uniform = (np.arange(41) + 0.5) / 41 - 0.5
    # Midpoints of twelve equally likely parts of the normal distribution.
    normal = np.array([1.732, 1.15, 0.812, 0.549, 0.319, 0.105])
    normal = np.concatenate([-normal, normal])
    noise: F64 = (uniform[:, None] / STEP_PER_TABLE + _EXPECTED_SIGMA * normal).ravel()
    return noise
