"""Prices of the 27 joint steps of a pixel, and their probabilities in the distribution that carries.

A step d in {-1, 0, 1}^3 costs rho d'Ad: rho says where a picture hides changes well (HILL or the learned
cost), and A, one matrix per picture, expresses that its channels share their noise, so that a step in one
channel alone is most conspicuous. Steps beyond 0..255 are not allowed.

The probability of a step depends only on lambda rho and on which channels are at 0 or 255. Pixels are
therefore counted in cells, by 27 such kinds and by rho with a resolution of one part in 90: entropies are
sums over some thousand cells instead of millions of pixels, and a pixel's odds are looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers.boltzmann import binary_entropy
from stegcli.carriers.costs import ker_boehme
from stegcli.carriers.scatter import chunks
from stegcli.carriers.syndrome import WET

if TYPE_CHECKING:
    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]

__all__ = ["CHANNELS", "LAYERS", "Cells", "colour_precision", "greatest_entropy"]

CHANNELS: Final = (1, 0, 2)
"""Order in which the channels of a pixel are decided: green, red, blue."""

LAYERS: Final = 2 * len(CHANNELS)
"""The lowest bit of each channel, then its second-lowest bit, in that order of channels."""

_CLIP: Final = 24
_FLOOR: Final = 3.0

_STEPS: Final = np.array([(r, g, b) for r in (-1, 0, 1) for g in (-1, 0, 1) for b in (-1, 0, 1)])
_NO_WAY: Final = -1e8
"""Log-weight of a forbidden step; finite, so that the difference of any two is a number."""

_PER_OCTAVE: Final = 64
_OCTAVES: Final = 32
_BINS: Final = _PER_OCTAVE * _OCTAVES
_KINDS: Final = 27
_PLACES: Final = (9, 3, 1)
_DIGITS: Final = np.array([1, 2, 1, 0])
"""Digit of a step in the index into its row of 27, by the step modulo 4."""

_ENDS: Final = np.array([1, *[0] * 254, 2], dtype=np.uint8)
"""By value: 1 if no step down is possible, 2 if no step up is, else 0."""
_CHUNK: Final = 1 << 17
_SAMPLE: Final = 1 << 17


def colour_precision(rgb: U8) -> F64:
    """Return A for a picture, (H, W, 3) uint8 -> (3, 3) float64, positive definite, with trace 3.

    A is the inverse covariance of the Ker-Boehme residuals of the three channels. Residuals are clipped at 24
    so that edges do not dominate, and 3 is added to the diagonal, since steps themselves are noise, and flat
    areas have none.
    """
    residuals = _residuals(np.pad(rgb, ((1, 1), (1, 1), (0, 0)), mode="edge"))
    total = np.zeros((3, 3))
    for rows in np.array_split(residuals, max(1, residuals.size // _CHUNK)):
        flat = rows.reshape(-1, 3).astype(np.float64)
        total += flat.T @ flat
    precision = np.linalg.inv(total * 3 / residuals.size + _FLOOR * np.eye(3))
    scaled: F64 = precision * (3 / np.trace(precision))
    return scaled


def greatest_entropy(pixels: U8) -> float:
    """(n, 3) uint8 -> bits of entropy if every step within 0..255 had the same price."""
    ways = np.zeros(_KINDS, dtype=np.intp)
    for part in chunks(len(pixels), _CHUNK):
        ways += np.bincount(_kinds(pixels[part]), minlength=_KINDS)
    return float(ways @ np.log2(_allowed(np.arange(_KINDS)).sum(axis=1)))


def _residuals(rgb: U8) -> NDArray[np.int8]:
    """(h, w, 3) -> (h - 2, w - 2, 3) Ker-Boehme residuals, clipped."""
    out = np.empty((rgb.shape[0] - 2, rgb.shape[1] - 2, 3), dtype=np.int8)
    height = max(1, _CHUNK // rgb.shape[1])
    for top in range(0, len(out), height):
        strip = rgb[top : top + height + 2].astype(np.int16)
        out[top : top + height] = np.clip(ker_boehme(strip), -_CLIP, _CLIP)
    return out


class Cells:
    """The pixels of a cover, grouped by the prices of their steps.

    Args:
        pixels: (n, 3) uint8.
        rho: (n,) float32 > 0 and finite, any unit; clipped to within 2^16 times the median either way.
        precision: (3, 3), positive definite.

    Attributes:
        of_pixel: (n,) uint16, cell of each pixel.
        count: (cells,) number of pixels in each cell.
    """

    def __init__(self, pixels: U8, rho: F32, precision: F64) -> None:
        self.unit = float(np.median(rho[:: max(1, len(rho) // _SAMPLE)]))
        numbers = np.empty(len(pixels), dtype=np.uint16)
        counts = np.zeros(_KINDS * _BINS, dtype=np.intp)
        for part in chunks(len(pixels), _CHUNK):
            numbers[part] = self._bins(rho[part]) + _kinds(pixels[part]).astype(np.uint16) * np.uint16(_BINS)
            counts += np.bincount(numbers[part], minlength=len(counts))
        present = np.flatnonzero(counts)
        number_to_cell = np.zeros(len(counts), dtype=np.uint16)
        number_to_cell[present] = np.arange(len(present))
        for part in chunks(len(pixels), _CHUNK):
            numbers[part] = number_to_cell[numbers[part]]
        self.of_pixel: NDArray[np.uint16] = numbers
        self.count: NDArray[np.intp] = counts[present]
        octaves = (present % _BINS + 0.5) / _PER_OCTAVE - _OCTAVES / 2
        square = np.einsum("di,ij,dj->d", _STEPS, precision, _STEPS)
        self._prices: F64 = self.unit * 2.0 ** octaves[:, None] * square
        self._allowed = _allowed(present // _BINS)
        self._odd = _shares_of_odd(present // _BINS)

    def _bins(self, rho: F32) -> NDArray[np.uint16]:
        octaves = np.log(rho / np.float32(self.unit)) * np.float32(1 / np.log(2)) + np.float32(_OCTAVES / 2)
        bins: NDArray[np.uint16] = np.clip(octaves * np.float32(_PER_OCTAVE), 0, _BINS - 1).astype(np.uint16)
        return bins

    def _log_weights(self, lam: float) -> F64:
        """(cells, 27): ln of each step's probability, up to a constant for each cell."""
        return np.where(self._allowed, -lam * self._prices, _NO_WAY)

    def layer_entropies(self, lam: float) -> F64:
        """Return (6,) float64: bits of entropy of each layer, for all pixels together.

        Each layer is conditioned on those written before it: earlier channels, and the second-lowest bit of
        a channel before its lowest. The lowest bit of a channel that may step both ways is assumed to be
        equally often 0 and 1.
        """
        weights = np.exp(self._log_weights(lam))
        joint = _in_order(weights / weights.sum(axis=1, keepdims=True))
        entropies = np.empty(LAYERS)
        for index, channel in enumerate(CHANNELS):
            steps = joint.sum(axis=tuple(range(index + 2, 4))).reshape(len(joint), -1, 3)
            total = np.maximum(steps.sum(axis=2, keepdims=True), 1e-300)
            even, odd = (_two_layers(total[..., 0], steps / total, flipped) for flipped in (0, 2))
            cells = even + (odd - even) * self._odd[channel]
            entropies[2 * index : 2 * index + 2] = self.count @ cells.T
        return entropies

    def expected_price(self, lam: float) -> float:
        """Return the expected total price of the steps of all pixels, in the unit of rho."""
        weights = np.exp(self._log_weights(lam))
        weights /= weights.sum(axis=1, keepdims=True)
        return float(self.count @ (weights * self._prices).sum(axis=1))

    def paid(self, cells: NDArray[np.uint16], moves: U8) -> float:
        """Return the total price of moves, steps modulo 4 as in `samples`, of pixels in these cells."""
        step = np.zeros(cells.shape, dtype=np.intp)
        for index, channel in enumerate(CHANNELS):
            step += _DIGITS[moves >> np.uint8(2 * index) & np.uint8(3)] * _PLACES[channel]
        return float(self._prices[cells, step].sum())

    def tilts(self, lam: float) -> list[tuple[F32, F32]]:
        """Return ln P(+1) / P(0) and ln P(-1) / P(0) for each channel in order, (3^earlier, cells) float32.

        The row index has the steps of the earlier channels as digits of base three, 0 for -1, first one
        first.
        """
        joint = _in_order(self._log_weights(lam))
        tables = []
        for index in range(len(CHANNELS)):
            steps = joint
            for _ in range(len(CHANNELS) - 1 - index):
                steps = np.logaddexp.reduce(steps, axis=-1)
            rows = steps.reshape(len(joint), -1, 3).transpose(2, 1, 0)
            up, down = (np.clip(rows[way] - rows[1], -WET, WET) for way in (2, 0))
            tables.append((up.astype(np.float32), down.astype(np.float32)))
        return tables


def _kinds(pixels: U8) -> U8:
    """(n, 3) -> (n,) uint8 0..26: for each channel, whether it steps both ways, only up, or only down."""
    return _ENDS[pixels] @ np.array([9, 3, 1], dtype=np.uint8)


def _allowed(kinds: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(cells,) kinds -> (cells, 27) bool."""
    allowed = np.ones((len(kinds), len(_STEPS)), dtype=np.bool_)
    for channel, place in enumerate(_PLACES):
        kind = kinds[:, None] // place % 3
        step = _STEPS[:, channel]
        allowed &= ~((kind == 1) & (step < 0)) & ~((kind == 2) & (step > 0))
    return allowed


def _shares_of_odd(kinds: NDArray[np.intp]) -> F64:
    """(cells,) kinds -> (3, cells): share of odd values of a channel: 1 for 255, 0 for 0, else a half."""
    ends = kinds // np.array([[9], [3], [1]]) % 3
    shares: F64 = np.array([0.5, 0.0, 1.0])[ends]
    return shares


def _in_order(steps: F64) -> F64:
    """(cells, 27) -> (cells, 3, 3, 3), with axes in the order in which channels are decided."""
    return steps.reshape(-1, 3, 3, 3).transpose(0, *(channel + 1 for channel in CHANNELS))


def _two_layers(total: F64, steps: F64, flipped: int) -> F64:
    """Return bits of entropy of the lowest and the second-lowest layer, (2, cells), summed over states.

    `total` has the probabilities of the states, (cells, states); `steps`, (cells, states, 3), those of the
    steps given the states. `flipped` is the step, 0 for -1 and 2 for +1, that changes the second-lowest bit.
    """
    first = binary_entropy(steps[..., flipped])
    rest = 1 - steps[..., flipped]
    other = steps[..., 2 - flipped] / np.maximum(rest, 1e-300)
    return np.stack([(total * rest * binary_entropy(other)).sum(axis=1), (total * first).sum(axis=1)])
