"""Covers, prices and keys for tests of the syndrome coder, and what an ideal coder would have carried."""

from __future__ import annotations

import hashlib
import math

import numpy as np

from stegcli.carriers import polar
from stegcli.carriers.boltzmann import multiplier
from stegcli.carriers.streams import Keys, words32
from stegcli.carriers.syndrome import Marks

COVERS = ("photograph", "white", "black", "two colours", "ends", "mostly white")
STEPS = np.array([(r, g, b) for r in (-1, 0, 1) for g in (-1, 0, 1) for b in (-1, 0, 1)])


def keys(seed: int) -> Keys:
    """Keys, different ones for each seed."""
    header, keystream, permutation = (
        hashlib.sha256(f"{seed} {name}".encode()).digest() for name in ("header", "keystream", "permutation")
    )
    return Keys(header, keystream, permutation)


def payload(size: int, seed: int = 0) -> bytes:
    """`size` bytes that look like ciphertext, the same on every machine."""
    key = hashlib.sha256(f"{seed} payload".encode()).digest()
    return words32(key, -(-size // 4)).astype("<u4").tobytes()[:size]


def pixels(kind: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 3) uint8 of a kind named in `COVERS`."""
    any_colour = np.clip(rng.normal(128, 40, (count, 1)) + rng.normal(0, 4, (count, 3)), 0, 255)
    made = {
        "photograph": lambda: any_colour,
        "white": lambda: np.full((count, 3), 255),
        "black": lambda: np.zeros((count, 3)),
        "two colours": lambda: np.where(rng.random((count, 1)) < 0.5, [255, 0, 7], [0, 255, 255]),
        "ends": lambda: rng.choice([0, 1, 254, 255], (count, 3)),
        "mostly white": lambda: np.where(rng.random((count, 1)) < 0.95, 255, any_colour),
    }
    return made[kind]().astype(np.uint8)


def costs(count: int, rng: np.random.Generator, spread: float = 1.5) -> np.ndarray:
    """(count,) float32, distributed like HILL's costs."""
    return rng.lognormal(0, spread, count).astype(np.float32)


def precision(rng: np.random.Generator) -> np.ndarray:
    """(3, 3) positive definite, of trace 3, for channels that share much of their noise."""
    noise = rng.normal(size=(200, 1)) + 0.5 * rng.normal(size=(200, 3))
    inverse = np.linalg.inv(noise.T @ noise)
    return inverse * 3 / np.trace(inverse)


def ideal_bits(prices: np.ndarray, spent: float) -> float:
    """(n, steps) prices of each value's steps -> the most bits that an expected price `spent` carries."""

    def chances(lam: float) -> np.ndarray:
        weights = np.exp(-lam * prices)
        return weights / weights.sum(axis=1, keepdims=True)

    lam = multiplier(lambda lam: float((chances(lam) * np.minimum(prices, 1e30)).sum()), spent, 1.0)
    return entropy(chances(lam))


def entropy(chances: np.ndarray) -> float:
    """(n, steps) probabilities -> entropy in bits."""
    return float(-(chances * np.log2(np.maximum(chances, 1e-300))).sum())


def reader_by_the_rules(
    values: np.ndarray, marks: Marks, order: np.ndarray, exponents: list[tuple[int, int]]
) -> list[int]:
    """The format, implemented again, bit by bit: what each layer's blocks carry, as `syndrome` lists it.

    `order`: (samples,) position of each sample among the values. `exponents`: exponent and number of blocks
    of each group.
    """
    message, start = [], 0
    samples = values[order].tolist()
    for exponent, blocks in exponents:
        length = 1 << exponent
        columns = [samples[start + b : start + blocks * length : blocks] for b in range(blocks)]
        start += blocks * length
        for layer, rate in enumerate(marks.rates):
            positions = frozen_positions(exponent, message_bits(rate, exponent), marks.shape)
            words = [plain_transform([value >> layer & 1 for value in column]) for column in columns]
            message += [word[position] for position in positions for word in words]
    return message


def message_bits(rate: int, exponent: int) -> int:
    """Rule 4."""
    weights = [768, 809, 843, 872, 896, 916, 934, 948, 960, 970, 979, 986, 992]
    return rate * weights[exponent - 6] * 2**exponent // 2**26


def frozen_positions(exponent: int, count: int, shape: int) -> list[int]:
    """The two-parameter recursion in Python's integers, as `polar.frozen_set` describes it."""
    one = 2**31
    z = count * one // 2**exponent
    e = z * (15 - shape) // 15
    h = (z - e) * one // (one - e) if e < one else 0
    j = next((j for j in range(19) if h * 2**j >= one), 19)
    below, above = polar._FLIPS[j], polar._FLIPS[max(j - 1, 0)]
    p = h * (below + (above - below) * max(0, h - one // 2**j) // (one // 2**j)) // 65_536
    channels = [(e, p)]
    for _ in range(exponent):
        channels = [new for e, p in channels for new in _combined(e, p, one)]
    z_of = [e + (one - e) * (math.isqrt(p * (one - p) // 1024) * 64) // one for e, p in channels]
    return sorted(sorted(range(2**exponent), key=lambda position: (-z_of[position], position))[:count])


def _combined(e: int, p: int, one: int) -> tuple[tuple[int, int], tuple[int, int]]:
    k = one - e
    kk, pp = k * k // one, p * p // one
    flips = 2 * (p - pp)
    erased = e * e // one + kk * flips // one
    known = (2 * e * k // one * p // one + kk * pp // one) * one // max(1, one - erased)
    return (one - kk, min(flips, one // 2)), (erased, min(known, one // 2))


def plain_transform(bits: list[int]) -> list[int]:
    """[T(u1) + T(u2), T(u2)]."""
    if len(bits) == 1:
        return bits
    half = len(bits) // 2
    first, second = plain_transform(bits[:half]), plain_transform(bits[half:])
    return [a ^ b for a, b in zip(first, second, strict=True)] + second
