"""Classical ways to write bits: LSB replacement, LSB matching, and an ideal adaptive coder.

The ideal coder reaches the bound that syndrome-trellis codes approach within a few per cent (Filler, Judas
and Fridrich 2011): each sample changes by +-1 with probability exp(-lambda rho) / (1 + 2 exp(-lambda rho)),
and the payload is the entropy of those changes. The costs rho are this program's HILL costs, for one colour
channel at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers.costs import hill_cost

__all__ = [
    "IdealCoder",
    "bits_of",
    "bytes_of",
    "carriers",
    "lsb_match",
    "read_lsb",
    "replace_332",
    "read_332",
]

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]

_BISECTIONS = 60


def bits_of(data: bytes) -> U8:
    """Bytes -> (8 n,) uint8 of 0 and 1, highest bit first."""
    return np.unpackbits(np.frombuffer(data, dtype=np.uint8))


def bytes_of(bits: U8) -> bytes:
    """Inverse of `bits_of`."""
    return np.packbits(bits).tobytes()


def carriers(sample_count: int, bit_count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw (bit_count,) random positions among the samples, without repeats."""
    return rng.permutation(sample_count)[:bit_count]


def lsb_match(rgb: U8, places: NDArray[np.int64], bits: U8, rng: np.random.Generator) -> U8:
    """Set the last bits of samples at `places`, (H, W, 3) uint8: up or down at random, except at the ends."""
    samples = rgb.reshape(-1).astype(np.int16)
    wrong = places[(samples[places] & 1) != bits]
    steps = rng.choice(np.array([-1, 1], dtype=np.int16), size=len(wrong))
    steps = np.where(samples[wrong] == 0, 1, np.where(samples[wrong] == 255, -1, steps))
    samples[wrong] += steps
    return samples.astype(np.uint8).reshape(rgb.shape)


def read_lsb(rgb: U8, places: NDArray[np.int64]) -> U8:
    """Return the last bits of samples, (k,) uint8."""
    return rgb.reshape(-1)[places] & np.uint8(1)


def replace_332(rgb: U8, places: NDArray[np.int64], values: U8) -> U8:
    """Write 8-bit values into the last 3, 3 and 2 bits of R, G and B of the pixels at `places`.

    Of the values with the required last bits, the nearest one is used (Chan and Cheng 2004).
    """
    stego = rgb.reshape(-1, 3).copy()
    for channel, (shift, width) in enumerate(((5, 3), (2, 3), (0, 2))):
        period = 1 << width
        before = stego[places, channel].astype(np.int16)
        step = (((values >> shift) & (period - 1)) - before) % period
        step = np.where(step > period // 2, step - period, step)
        after = before + step
        after = np.where(after < 0, after + period, np.where(after > 255, after - period, after))
        stego[places, channel] = after
    return stego.reshape(rgb.shape)


def read_332(rgb: U8, places: NDArray[np.int64]) -> U8:
    """Return the (k,) uint8 values that `replace_332` wrote."""
    red, green, blue = rgb.reshape(-1, 3)[places].T
    values: U8 = ((red & 7) << 5) | ((green & 7) << 2) | (blue & 3)
    return values


@dataclass(frozen=True)
class IdealCoder:
    """Changes of least cost for a payload, simulated.

    Attributes:
        rgb: (H, W, 3) uint8 cover.
        cost: (H * W * 3,) HILL costs.
        directions: (H * W * 3,) number of possible directions: 2, or 1 for samples at 0 and 255.
    """

    rgb: U8
    cost: F64
    directions: NDArray[np.int64]

    @classmethod
    def on(cls, rgb: U8) -> IdealCoder:
        """Prepare the coder for a cover."""
        planes = [hill_cost(rgb[..., channel].astype(np.float32)) for channel in range(3)]
        cost = np.stack(planes, axis=-1).reshape(-1).astype(np.float64)
        at_end = (rgb == 0) | (rgb == 255)
        return cls(rgb, cost / np.median(cost), np.where(at_end.reshape(-1), 1, 2))

    def capacity(self, changes: float) -> float:
        """Return the most bits that this expected number of changes carries."""
        full = float(self._rates(0.0).sum())
        if changes >= full:
            return self._entropy(0.0)
        return self._entropy(self._solve(lambda price: float(self._rates(price).sum()), changes))

    def write(self, bits: float, rng: np.random.Generator) -> U8:
        """Draw a stego, (H, W, 3) uint8, that carries this many bits."""
        price = self._solve(self._entropy, bits)
        changed = rng.random(len(self.cost)) < self._rates(price)
        steps = np.where(changed, rng.choice(np.array([-1, 1]), size=len(self.cost)), 0)
        samples = self.rgb.reshape(-1).astype(np.int64)
        steps = np.where(
            (samples == 0) | (samples == 255), np.where(samples == 0, abs(steps), -abs(steps)), steps
        )
        return (samples + steps).astype(np.uint8).reshape(self.rgb.shape)

    def _rates(self, price: float) -> F64:
        """Return the probabilities of changes, (n,)."""
        weight = np.exp(-price * self.cost) * self.directions
        return weight / (1 + weight)

    def _entropy(self, price: float) -> float:
        """Return the bits carried: by whether each sample changes, and by the direction."""
        rates = np.clip(self._rates(price), 1e-300, 1 - 1e-16)
        stays = 1 - rates
        chosen = rates * (np.log2(rates) - np.log2(self.directions))
        return float(-(chosen + stays * np.log2(stays)).sum())

    @staticmethod
    def _solve(falling: Callable[[float], float], wanted: float) -> float:
        """Find the price at which a decreasing function reaches a value."""
        low, high = 0.0, 1e3
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if falling(middle) > wanted else (low, middle)
        return (low + high) / 2
