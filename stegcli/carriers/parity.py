"""Bits as parities of R + G + B, which are independent of phases: both can use the same pixels."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import numpy as np
import numpy.typing as npt

from stegcli.carriers.streams import scaled, words32
from stegcli.errors import ImageError

Parity = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]
"""(K,) positions in 0..n-1 without repeats, and the parity, 0 or 1, that R + G + B must have there."""

MIN_PIXELS: Final = 64 * 64
"""Least number of usable pixels for a header; in fewer, its parities would leave too little room."""

_STEPS_KEY: Final = sha256(b"stegcli/1/steps").digest()

_BLUE: Final = 2
_WHITE: Final = 255

GROUP_SIZES: Final = (1, 2, 4, 8, 16)
"""Possible numbers of pixels per parity; a header's groups together take at most half of the pixels."""

_SPARED_SHARE: Final = 0.065
"""Measured at 256x256: the header still opens if more than a tenth of the pixels is destroyed besides."""


def parities(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(K, ..., 3) uint8 pixels, or groups of them -> (K,) uint8 parities, 0 or 1, of all R + G + B."""
    sums: npt.NDArray[np.uint64] = values.sum(axis=tuple(range(1, values.ndim)), dtype=np.uint64)
    return (sums & np.uint64(1)).astype(np.uint8)


def spared_count(count: int) -> int:
    """Return how many of `count` parities `spare_most_expensive` leaves wrong."""
    return int(_SPARED_SHARE * count)


def spare_most_expensive(
    pixels: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int64],
    bits: npt.NDArray[np.uint8],
    cost: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return the plan without the wrong parities that would be most expensive to correct.

    The header's code corrects them instead. Parities lie at random positions, including smooth ones, where a
    detector looks: at large spreads they are what gives a stego away.

    Args:
        pixels: (n, 3) uint8 cover.
        positions: as returned by `parity_plan`.
        bits: as returned by `parity_plan`.
        cost: (n,) float32, cost of a change at each pixel.
    """
    wrong = np.flatnonzero(parities(pixels[positions]) != bits)
    dearest_first = np.argsort(-cost[positions[wrong]].min(axis=1), kind="stable")
    kept = np.ones(len(bits), dtype=np.bool_)
    kept[wrong[dearest_first[: spared_count(len(bits))]]] = False
    return positions[kept], bits[kept]


def pixel_parities(
    pixels: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int64],
    bits: npt.NDArray[np.uint8],
    cost: npt.NDArray[np.float32] | None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Turn a plan for groups into one for pixels: (K * group,) positions and bits.

    Where the parity of a group is wrong, its cheapest pixel changes; all others keep theirs.
    """
    wanted = parities(pixels[positions.reshape(-1)]).reshape(positions.shape)
    wrong = np.flatnonzero(parities(pixels[positions]) != bits)
    turning = np.zeros(len(wrong), np.intp) if cost is None else cost[positions[wrong]].argmin(axis=1)
    wanted[wrong, turning] ^= np.uint8(1)
    return positions.reshape(-1), wanted.reshape(-1)


def destroyed_share(
    pixels: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int64],
    bits: npt.NDArray[np.uint8],
    spared: int = 0,
) -> float:
    """Estimate the share, 0..1, of (n, 3) pixels destroyed since `parity_plan`'s bits were written.

    A group with a destroyed pixel has the right parity half of the time. A single wrong one is no evidence:
    it may be the only pixel that was changed. `spared` parities were wrong from the start.
    """
    wrong = int(np.count_nonzero(parities(pixels[positions]) != bits)) - spared
    if wrong <= 1:
        return 0.0
    hit = min(1.0, 2 * wrong / (len(bits) - 2 * spared))
    return float(1 - (1 - hit) ** (1 / positions.shape[1]))


def force_parity(
    pixels: npt.NDArray[np.uint8], positions: npt.NDArray[np.int64], bits: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """(n, 3) uint8 -> the same with one step of blue in a group's first pixel wherever its parity is wrong.

    Blue changes luma least. Up or down is a fair draw, as in LSB matching, except at 0 and 255.
    """
    wrong = positions[parities(pixels[positions]) != bits, 0]
    blue = pixels[wrong, _BLUE].astype(np.int64)
    steps = 1 - 2 * (words32(_STEPS_KEY, len(wrong)) & 1).astype(np.int64)
    steps = np.where(blue == 0, 1, np.where(blue == _WHITE, -1, steps))
    forced = pixels.copy()
    forced[wrong, _BLUE] = blue + steps
    return forced


def positions_of(pixel_count: int, count: int, locator: bytes) -> npt.NDArray[np.int64]:
    """Return (count,) int64 positions: the locator's stream scaled to 0..n-1, without repeats.

    The positions for a smaller count are a prefix of those for a larger one, so that one drawing serves all.

    Raises:
        ImageError: fewer than `MIN_PIXELS` pixels.
    """
    if pixel_count < MIN_PIXELS:
        raise ImageError(f"the picture has {pixel_count} usable pixels", f"At least {MIN_PIXELS} are needed.")
    draws = 2 * count
    while True:
        places = scaled(words32(locator, draws), pixel_count)
        first = np.unique(places, return_index=True)[1]
        if len(first) >= count:
            in_order: npt.NDArray[np.intp] = np.sort(first)[:count]
            return places[in_order]
        draws *= 2
