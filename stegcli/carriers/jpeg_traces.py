"""Traces that a JPEG leaves in the pixels decoded from it, and how changes to the pixels disturb them.

    pixels -> luma, whole levels -> 8x8 DCT -> combs of coefficients -> the table's steps
    luma -> quantised by these steps, decoded again -> pixels that differ

The luma of a decoded JPEG lies within half a level of the lattice of its table, whatever happened to chroma.
A detector that finds the steps, quantises again and compares can see each pixel that was changed since
(Fridrich, Goljan and Du, "Steganalysis based on JPEG compatibility", 2001). A picture that was shrunk after
decoding lies on no lattice.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from stegcli.carriers import dct
from stegcli.pictures import luma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]

__all__ = ["Traces", "excess", "find_traces"]

_LARGEST: Final = 255
"""Largest step in a table of 8 bits."""
_BINS_A_LEVEL: Final = 8
_NOISE: Final = np.sqrt(1 / 12)
"""Standard deviation of a coefficient of luma that was rounded to whole levels."""
_LEAST_VALUE: Final = 1.25
"""Coefficients below four standard deviations of the noise are noise about zero."""
_QUARTER: Final = 0.25
"""Share of a step below which a value belongs to the tooth at zero, which every comb has."""
_CLEAR: Final = 0.6
"""Least strength of a comb, as a share of what it would have under rounding noise alone."""
_CERTAIN: Final = 6.0
"""Standard deviations that none of the 16,000 combs of a picture reaches by chance."""
_LIKE_BEST: Final = 0.93
"""The divisors of a comb's step make combs as strong; its multiples and neighbours do not."""
_FARTHEST: Final = 0.5
_FITTING: Final = 0.2
"""Mean squared distance, bounded by `_FARTHEST`: 0.08 for noise, 0.26 for values without a lattice."""
_NOISY: Final = 0.16
"""Mean square above which small values are more than noise."""
_SOMEWHAT: Final = 0.15
_COMBS: Final = 3
"""Number of frequencies with certain combs that make a table."""
_BLOCKS: Final = 4096
_SAMPLED_ROWS: Final = 32


@dataclass(frozen=True)
class Traces:
    """The lattice on which the luma of a picture lies.

    Attributes:
        steps: (8, 8) int, 1..255, vertical frequency first: the table's steps or, where coefficients are few,
            the largest coarser step that fits (255 if all are zero); 1 where none fits.
        combs: number of frequencies whose step is certain.
        offset: (row, column), 0..7, at which the first whole block begins.
    """

    steps: NDArray[np.int64]
    combs: int
    offset: tuple[int, int]


def find_traces(rgb: U8) -> Traces | None:
    """(H, W, 3) uint8 -> the table of the JPEG that it was decoded from, or None if there are no traces.

    A few thousand blocks are examined on a grid that begins at the first pixel, or else where the seams
    between blocks are clearest, as in a crop. A table of all ones (quality 100) leaves no traces.
    """
    for offset in dict.fromkeys([(0, 0), _seams(rgb)]):
        blocks = _some_blocks(rgb[offset[0] :, offset[1] :])
        if len(blocks):
            steps, certain = _steps(np.abs(blocks))
            if certain >= _COMBS:
                return Traces(steps.reshape(8, 8), certain, offset)
    return None


def excess(rgb: U8, traces: Traces) -> float:
    """Return how much more luma changes under requantisation than it would in an unchanged picture.

    A step of one makes no useful lattice, so that some pixels always change. The expected number is measured
    on the requantised picture itself: rounded to RGB, it is an unchanged picture of the same table.

    Args:
        rgb: (H, W, 3) uint8.
        traces: its lattice, or that of a picture with the same table and grid.

    Returns:
        A share of the pixels, about 0 for an unchanged decoded JPEG.
    """
    rgb = _whole_blocks(rgb[traces.offset[0] :, traces.offset[1] :])
    levels = luma.luma_levels(rgb)
    again = _requantised(np.rint(levels), traces)
    shift = (again - levels)[..., None]
    unchanged = luma.luma_levels(luma.to_uint8(rgb + shift))
    usable = ((rgb > 0) & (rgb < _LARGEST)).all(axis=-1)  # clipping by the decoder changes luma
    if not usable.any():
        return 0.0
    moved, moves_anyway = (
        (one != np.rint(other))[usable].mean()
        for one, other in ((again, levels), (_requantised(np.rint(unchanged), traces), unchanged))
    )
    return float(moved - moves_anyway)


def _requantised(levels: F32, traces: Traces) -> F32:
    """(8 R, 8 C) whole grey levels -> the same after JPEG with that table and the usual decoder."""
    file = io.BytesIO()
    table = [int(step) for step in traces.steps.reshape(-1)]
    Image.fromarray(levels.astype(np.uint8)).save(file, "JPEG", qtables=[table])
    with Image.open(file) as picture:
        return np.asarray(picture).astype(np.float32)


def _whole_blocks(rgb: U8) -> U8:
    height, width = (side // dct.SIDE * dct.SIDE for side in rgb.shape[:2])
    return rgb[:height, :width]


def _some_blocks(rgb: U8) -> F32:
    """(H, W, 3) -> (n, 64) coefficients of whole blocks, evenly spread over the picture."""
    rgb = _whole_blocks(rgb)
    rows, cols = (side // dct.SIDE for side in rgb.shape[:2])
    if not rows or not cols:
        return np.empty((0, dct.SIDE**2), dtype=np.float32)
    count = min(rows, max(_SAMPLED_ROWS, _BLOCKS // cols))
    chosen = np.unique(np.linspace(0, rows - 1, count).astype(int))
    strips = rgb.reshape(rows, dct.SIDE, -1, 3)[chosen].reshape(-1, rgb.shape[1], 3)
    levels = np.rint(luma.luma_levels(strips)) - np.float32(128)
    blocks = dct.forward(dct.split_blocks(levels)).reshape(-1, dct.SIDE**2)
    blocks = blocks[~_cut_off(strips)]
    return blocks[:: max(1, len(blocks) // _BLOCKS)]


def _cut_off(rgb: U8) -> NDArray[np.bool_]:
    """(8 R, 8 C, 3) -> (R C,): blocks that reach black or white, where decoded luma is clipped."""
    rows, cols = (side // dct.SIDE for side in rgb.shape[:2])
    ends = ((rgb == 0) | (rgb == _LARGEST)).any(axis=-1)
    cut_off: NDArray[np.bool_] = ends.reshape(rows, dct.SIDE, cols, dct.SIDE).any(axis=(1, 3)).reshape(-1)
    return cut_off


def _seams(rgb: U8) -> tuple[int, int]:
    """Return the offset at which rows and columns differ most from an interpolation of their neighbours."""
    rows = luma.luma_levels(rgb[:: max(1, len(rgb) // 512)])
    cols = luma.luma_levels(rgb[:, :: max(1, rgb.shape[1] // 512)]).T
    return _seam(cols), _seam(rows)


def _seam(lines: F32) -> int:
    """(n, length) -> the position, modulo 8, at which steps along the lines are steepest."""
    steps = np.abs(np.diff(lines, axis=1))
    if steps.shape[1] < 2 * dct.SIDE:
        return 0
    sharpness = (steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2).mean(axis=0)
    phases = [sharpness[phase :: dct.SIDE].mean() for phase in range(dct.SIDE)]
    return (int(np.argmax(phases)) + 2) % dct.SIDE


def _steps(values: F32) -> tuple[NDArray[np.int64], int]:
    """(n, 64) magnitudes -> (64,) steps as in `Traces`, and the number of certain ones."""
    counts = _counts(values)
    steps, is_certain = _certain_steps(counts)
    steps[0], is_certain[0] = (
        1,
        False,
    )  # in flat areas DC has one value, which fits all its divisors
    misfits = _misfits_of_large(counts)
    # Small values must be noise, or the step is 1; of the large ones every value counts.
    small = np.where(values < _LEAST_VALUE, np.square(values), 0).mean(axis=0)
    unsure = ~is_certain & (values.max(axis=0) < _LARGEST) & (small < _NOISY)
    fits = misfits[unsure] <= _FITTING
    steps[unsure] = np.where(fits.any(axis=1), _LARGEST - fits[:, ::-1].argmax(axis=1), 1)
    steps = _refined(steps, misfits)
    steps[0] = _step_of_dc(values[:, 0], int(steps[[1, dct.SIDE]].min()))
    return steps, int(is_certain.sum())


def _step_of_dc(values: F32, neighbour: int) -> int:
    """Return the largest step that fits DC, up to twice its neighbours' in the table, or 1."""
    steps = np.arange(2, min(2 * neighbour, _LARGEST) + 1)[:, None]
    fits = _apart(values, steps).mean(axis=1) <= _FITTING
    return int(steps[fits].max()) if fits.any() else 1


def _counts(values: F32) -> F64:
    """(n, 64) magnitudes -> (64, bins)."""
    top = _LARGEST * _BINS_A_LEVEL
    bins = np.rint(values * _BINS_A_LEVEL).astype(np.int64)
    return np.stack([np.bincount(column[column < top], minlength=top) for column in bins.T]).astype(float)


def _certain_steps(counts: F64) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(64, bins) -> (64,) steps by the strength of their combs, and (64,) whether that is beyond chance."""
    cosines, seen = _combs()
    number = counts @ seen.T
    strength = counts @ cosines.T / np.maximum(number, 1)
    whole = strength / np.exp(-2 * (np.pi * _NOISE / np.arange(2, _LARGEST + 1)) ** 2)
    is_comb = (whole > _CLEAR) & (strength * np.sqrt(2 * number) > _CERTAIN)
    best = np.where(is_comb, whole, 0).max(axis=1, keepdims=True)
    chosen = is_comb & (whole > _LIKE_BEST * best)
    is_certain = chosen.any(axis=1)
    return np.where(is_certain, _LARGEST - chosen[:, ::-1].argmax(axis=1), 1), is_certain


def _refined(steps: NDArray[np.int64], misfits: F64) -> NDArray[np.int64]:
    """(f,) largest possible steps, (f, 254) misfits -> the steps at or slightly below them that fit best."""
    known = np.arange(2, _LARGEST + 1)
    near = (known <= steps[:, None]) & (known >= (1 - _SOMEWHAT) * steps[:, None])
    best = known[::-1][np.where(near, misfits, np.inf)[:, ::-1].argmin(axis=1)]
    return np.where((steps > 1) & near.any(axis=1), best, steps)


def _misfits_of_large(counts: F64) -> F64:
    """(f, bins) -> (f, 254): the mean misfit of values above the noise, which may be few; 0 without any."""
    large = counts * (_values_of_bins() > _LEAST_VALUE)
    misfits: F64 = large @ _misfits().T / np.maximum(large.sum(axis=1, keepdims=True), 1)
    return misfits


@lru_cache(maxsize=1)
def _combs() -> tuple[F64, F64]:
    """(254, bins) each: cosines that peak at the multiples of 2..255, and the bins that count for each."""
    steps = np.arange(2, _LARGEST + 1)[:, None]
    values = _values_of_bins()
    seen = (values > np.maximum(steps * _QUARTER, _LEAST_VALUE)).astype(np.float64)
    return np.cos(2 * np.pi * values / steps) * seen, seen


@lru_cache(maxsize=1)
def _misfits() -> F64:
    """(254, bins): `_apart` for steps of 2..255."""
    return _apart(_values_of_bins(), np.arange(2, _LARGEST + 1)[:, None])


def _apart(values: F32 | F64, steps: NDArray[np.int64]) -> F64:
    """(n,) values, (s, 1) steps -> (s, n) squared distances from the nearest multiples.

    Distances are bounded, since clipping by a decoder can move a few values anywhere.
    """
    squares: F64 = np.square(values - steps * np.rint(values / steps))
    return np.minimum(squares, _FARTHEST, out=squares)


def _values_of_bins() -> F64:
    values: F64 = np.arange(_LARGEST * _BINS_A_LEVEL) / _BINS_A_LEVEL
    return values
