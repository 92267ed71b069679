"""The joint luma-phase channel, for covers much larger than the secret: four symbols share a block of pixels.

    a block      4 * spread pixels, dealt to 16 slots; S[i] = luma summed over slot i
    symbol c     sum over i of MULTIPLIERS[i, c] * S[i] + keystream, modulo 2^16          c = 0..3

Whereas `single` gives each symbol its own pixels, a step here moves all four symbols of its block, in each
slot in a different direction. The slot of a step therefore carries as much information as the step itself,
and many of the possible combinations of a few steps in a block's cheapest slots come close to the four wanted
phases. The writer compares all of them and takes the one with the least price and error. Prices reflect a
detector: four steps where nothing shows are better than one where it does. Where the header requires a pixel
to change anyway, the step that suits the symbols is chosen. The reader need not know which pixels changed: it
only sums. The drawback is that a destroyed pixel destroys four symbols.

A step moves one or more channels up or down by one level. The design follows experiments: see
`results/README.md`.

That positions carry information is known from matrix embedding (Crandall 1998), and choosing the least
visible of many solutions from syndrome-trellis codes (Filler, Judas and Fridrich 2011); the
meet-in-the-middle search is Horowitz and Sahni's (1974).

Pixels are always the (n, 3) uint8 array of usable pixels in raster order, as for `single`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stegcli.carriers.costs import relative_cost
from stegcli.carriers.parity import parities
from stegcli.carriers.scatter import chunks, embedding_groups
from stegcli.carriers.streams import Keys, words32
from stegcli.cores import cores
from stegcli.pictures.luma import MILLI, WEIGHTS, luma_milli

if TYPE_CHECKING:
    from stegcli.carriers.parity import Parity

__all__ = [
    "MIN_SPREAD",
    "MULTIPLIERS",
    "SHARE",
    "SLOTS",
    "block_count",
    "pad",
    "read",
    "lost_symbols",
    "write",
]


SHARE: Final = 4
"""Number of symbols that share a block."""
SLOTS: Final = 16
MIN_SPREAD: Final = 2
"""Least number of pixels per symbol that leaves a choice; from 4 on, every slot has a pixel."""

MULTIPLIERS: Final[npt.NDArray[np.uint16]] = (
    (words32(sha256(b"stegcli/1/multipliers").digest(), SLOTS * SHARE) >> np.uint32(16))
    .astype(np.uint16)
    .reshape(SLOTS, SHARE)
)
"""(16, 4) uint16 turns in units of 2^-16; public, and derived from a hash so that nobody chose them."""

_TURN_BITS: Final = 16
_TURN: Final = 1 << _TURN_BITS
_STEPS: Final = np.array(
    [sign * np.array(moved) for moved in product((0, 1), repeat=3) if any(moved) for sign in (1, -1)]
    + [np.zeros(3, dtype=int)]
)
"""(15, 3): one, two or all channels, up or down; the last row is no step."""
_NO_STEP: Final = len(_STEPS) - 1
_MOVED: Final = np.abs(_STEPS).sum(axis=1)
_WAYS: Final = len(_STEPS) ** 2
"""Combinations of steps in two slots. Four slots are searched; more reduce the error, but not detection."""
_SEEN: Final = np.array([0, 1, 1, 0.75])[_MOVED]
"""(15,) detectability of each step at the smallest spread, by the number of channels moved: the channels of a
photograph share their noise, and a detector looks where they differ."""
_ALL_SEEN: Final = 4
"""Up to this spread, the price of a step is its detectability."""
_ALL_DISTANCE: Final = 16
"""From this spread on, the price of a step is what it adds to the squared error."""
_SMALL_PRICES: Final = {2: 2.8, 3: 3.8}
_PRICE_TIMES_SPREAD: Final = 14.4
"""Factor with which `single.LAMBDAS` leave about the same errors here as there: applied as it is at small
spreads, and times the spread from 4 on."""
_WHITE: Final = 255


def _points(turns: npt.NDArray[np.uint16]) -> npt.NDArray[np.complex64]:
    """Turns -> points on the unit circle."""
    points: npt.NDArray[np.complex64] = np.exp(2j * np.pi / _TURN * turns).astype(np.complex64)
    return points


_STEP_TURNS: Final[npt.NDArray[np.uint16]] = (
    MULTIPLIERS[:, None, :] * (_STEPS @ WEIGHTS).astype(np.uint16)[:, None]
)
"""(16, 15, 4) uint16: what each step in each slot adds to each symbol."""
_STEP_POINTS: Final = _points(_STEP_TURNS)

_CHUNK_PIXELS: Final = 1 << 18
_CHUNK_BLOCKS: Final = 256
_FORCED: Final = np.float32(-1)
"""Price of a pixel that must step, as part of the search in its block."""
_UNABLE: Final = np.float32(1e6)
"""Cost of a step that would leave 0..255 or violate a parity."""


def block_count(symbols: int) -> int:
    """Return the number of blocks for a number of symbols; the last one may not be full."""
    return -(-symbols // SHARE)


def pad(blocks: int, keys: Keys) -> npt.NDArray[np.uint16]:
    """Return the keystream, (blocks, 4) uint16: the upper halves of its 32-bit words."""
    return (
        (words32(keys.keystream, blocks * SHARE) >> np.uint32(_TURN_BITS))
        .astype(np.uint16)
        .reshape(blocks, SHARE)
    )


def read(pixels: npt.NDArray[np.uint8], keys: Keys, symbols: int, spread: int) -> npt.NDArray[np.int16]:
    """(n, 3) uint8 stego pixels -> (symbols,) int16 phases in thousandths of a turn, 0..999."""
    blocks = block_count(symbols)
    groups = embedding_groups(len(pixels), blocks, SHARE * spread, keys)
    luma = _luma(pixels)
    turns = pad(blocks, keys)
    for chunk in chunks(blocks, _CHUNK_PIXELS // (SHARE * spread)):
        turns[chunk] += _block_turns(luma, groups[chunk])
    milli = (turns.astype(np.int32) * MILLI + _TURN // 2 >> _TURN_BITS) % MILLI
    return milli.T.reshape(-1)[:symbols].astype(np.int16)


def lost_symbols(
    overwritten: npt.NDArray[np.bool_], keys: Keys, symbols: int, spread: int
) -> npt.NDArray[np.bool_]:
    """(n,) bool lost pixels -> (symbols,) bool symbols that are lost with them."""
    blocks = block_count(symbols)
    groups = embedding_groups(len(overwritten), blocks, SHARE * spread, keys)
    lost = np.empty(blocks, dtype=np.bool_)
    for chunk in chunks(blocks, _CHUNK_PIXELS // (SHARE * spread)):
        lost[chunk] = overwritten[groups[chunk]].any(axis=1)
    return np.tile(lost, SHARE)[:symbols]


def write(
    pixels: npt.NDArray[np.uint8],
    target_milli: npt.NDArray[np.integer],
    keys: Keys,
    *,
    spread: int,
    lam: float,
    parity: Parity | None = None,
    cost: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.uint8]:
    """Write four symbols per block, and the parities, with the least visible steps that achieve it.

    Args:
        pixels: (n, 3) uint8 cover.
        target_milli: (N,) integers 0..999, the phases that `read` is to find, in thousandths of a turn.
        keys: keys for the permutation and the keystream.
        spread: pixels per symbol, at least `MIN_SPREAD`; 4 * spread * block_count(N) <= n.
        lam: price of a step relative to a squared phase error in turns; the values in `single.LAMBDAS` leave
            errors about as large as there.
        parity: pixels whose R + G + B must end up with a given parity.
        cost: (n,) float32 > 0, any unit, cost of a step at each pixel; None if it is the same everywhere.

    Returns:
        (n, 3) uint8 stego. Apart from forced ones, at most four pixels of each block differ, by one level.
    """
    blocks = block_count(len(target_milli))
    groups = embedding_groups(len(pixels), blocks, SHARE * spread, keys)
    wanted = _blockwise(target_milli, blocks) - pad(blocks, keys)
    unit = lam * _SMALL_PRICES.get(spread, _PRICE_TIMES_SPREAD / spread)
    price = np.full(len(pixels), unit, dtype=np.float32)
    if cost is not None:
        price *= relative_cost(cost, spread)
    stego = pixels.copy()
    if parity is not None:
        positions, bits = parity
        wrong = positions[parities(pixels[positions]) != bits]
        forced = _first_of_each_block(wrong, groups, len(pixels))
        _turn(stego, np.setdiff1d(wrong, forced))
        price[positions] = _UNABLE
        price[forced] = _FORCED
    luma = _luma(stego)

    def step(chunk: slice) -> None:
        missing = wanted[chunk] - _block_turns(luma, groups[chunk])
        slots = _cheapest_of_slots(groups[chunk], price)
        chosen = _best_steps(missing, _step_prices(stego[slots], price[slots], unit, spread))
        stego[slots] += _STEPS[chosen].astype(np.uint8)  # no sum leaves 0..255, so that wrapping is exact

    with ThreadPoolExecutor(cores()) as pool:  # blocks have no pixel in common
        size = min(_CHUNK_BLOCKS, _CHUNK_PIXELS // (SHARE * spread))
        for _ in pool.map(step, chunks(blocks, size)):
            pass
    return stego


def _best_steps(missing: npt.NDArray[np.uint16], prices: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """(b, 4) missing turns, (b, S, 15) prices of steps -> (b, S) the step to make in each slot.

    Combinations of steps in two of the four cheapest slots meet those in the other two. For the errors that
    matter, a squared error is (1 - cos(2 pi error)) / (2 pi^2), and the cosine of a difference of angles is
    an inner product: one matrix product compares every pair of combinations, prices included.
    """
    cheapest = prices[:, :, :_NO_STEP].min(axis=2).argsort(axis=1)[:, :4]
    pairs = cheapest[:, 0::2], cheapest[:, 1::2]
    steps = [_STEP_POINTS[slots] for slots in pairs]
    steps[0] = steps[0].conj()
    steps[0][:, 0] *= _points(missing)[:, None]  # the second pair must reach what the first one leaves
    steps[1][:, 0] *= np.float32(1 / (2 * np.pi**2))
    near, far = (_ways(*each, prices) for each in zip(steps, pairs, strict=True))
    near[:, :, -1], far[:, :, -2] = 1, 1  # one column multiplies the price of each by one
    worth = np.empty((_WAYS, _WAYS), dtype=np.float32)
    best = [np.matmul(one, other.T, out=worth).argmax() for one, other in zip(near, far, strict=True)]
    chosen = np.full(prices.shape[:2], _NO_STEP)
    for slots, way in zip(pairs, np.divmod(best, _WAYS), strict=True):
        np.put_along_axis(chosen, slots, np.stack(np.divmod(way, len(_STEPS)), axis=1), axis=1)
    return chosen


def _ways(
    steps: npt.NDArray[np.complex64], slots: npt.NDArray[np.intp], prices: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return all combinations of steps in two slots, (b, 225, 10): points on four circles, and -price twice.

    Args:
        steps: (b, 2, 15, 4) points of each slot's steps.
        slots: (b, 2) indices of the slots.
        prices: (b, S, 15) prices of steps.
    """
    own = np.take_along_axis(prices, slots[:, :, None], axis=1)
    points = (steps[:, 0, :, None] * steps[:, 1, None, :]).reshape(len(steps), _WAYS, SHARE)
    price = (own[:, 0, :, None] + own[:, 1, None, :]).reshape(len(steps), _WAYS)
    ways = np.empty((len(steps), _WAYS, 2 * SHARE + 2), dtype=np.float32)
    ways[:, :, : 2 * SHARE] = points.view(np.float32)
    ways[:, :, 2 * SHARE :] = -price[:, :, None]
    return ways


def _blockwise(target_milli: npt.NDArray[np.integer], blocks: int) -> npt.NDArray[np.uint16]:
    """(N,) thousandths -> (blocks, 4) turns. The symbols of a block are far apart, to scatter its loss."""
    full = np.zeros(blocks * SHARE, dtype=np.int64)
    full[: len(target_milli)] = target_milli
    turns = (full * _TURN + MILLI // 2) // MILLI
    return turns.astype(np.uint16).reshape(SHARE, blocks).T


def _luma(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """(n, 3) uint8 -> (n,) uint16 luma in thousandths, modulo 2^16."""
    luma = np.empty(len(pixels), dtype=np.uint16)
    for chunk in chunks(len(pixels), _CHUNK_PIXELS):
        luma[chunk] = luma_milli(pixels[chunk]).astype(np.uint16)
    return luma


def _block_turns(luma: npt.NDArray[np.uint16], groups: npt.NDArray[np.int32]) -> npt.NDArray[np.uint16]:
    """(n,) luma and (b, 4 * spread) indices -> (b, 4) uint16: the four sums, modulo one turn."""
    members = luma[groups]
    turns = np.zeros((len(groups), SHARE), dtype=np.uint16)
    for slot in range(SLOTS):
        slot_sum = members[:, slot::SLOTS].sum(axis=1, dtype=np.uint16)
        turns += slot_sum[:, None] * MULTIPLIERS[slot]
    return turns


def _cheapest_of_slots(
    groups: npt.NDArray[np.int32], price: npt.NDArray[np.float32]
) -> npt.NDArray[np.int32]:
    """(b, 4 * spread) indices -> (b, S): the pixel with the cheapest steps in each slot that has pixels."""
    members = price[groups]
    filled = min(SLOTS, groups.shape[1])
    cheapest = np.empty((len(groups), filled), dtype=np.int32)
    rows = np.arange(len(groups))
    for slot in range(filled):
        first = members[:, slot::SLOTS].argmin(axis=1)
        cheapest[:, slot] = groups[rows, slot + SLOTS * first]
    return cheapest


def _step_prices(
    pixels: npt.NDArray[np.uint8], prices: npt.NDArray[np.float32], unit: float, spread: int
) -> npt.NDArray[np.float32]:
    """(b, S, 3) pixels and (b, S) prices -> (b, S, 15) prices of every step, and of none, in every slot.

    At small spreads the price of a step is its detectability, at large ones, where a detector sees little,
    what it adds to the squared error. If the header's parity requires a step, its place is already paid for:
    every step that satisfies the parity gets a bonus so large that one of them is made.
    """
    distance = np.clip((spread - _ALL_SEEN) / (_ALL_DISTANCE - _ALL_SEEN), 0, 1)
    sizes = ((1 - distance) * _SEEN + distance * _MOVED).astype(np.float32)
    forced = prices == _FORCED
    steps: npt.NDArray[np.float32] = np.where(forced, np.float32(unit), prices)[:, :, None] * sizes
    steps[forced] += np.where(_MOVED % 2 == 1, _FORCED, _UNABLE)
    for index, step in enumerate(_STEPS[:_NO_STEP]):
        stuck = (pixels[:, :, step != 0] == (_WHITE if step.max() > 0 else 0)).any(axis=2)
        steps[:, :, index][stuck] = _UNABLE
    return steps


def _first_of_each_block(
    positions: npt.NDArray[np.int64], groups: npt.NDArray[np.int32], count: int
) -> npt.NDArray[np.int64]:
    """Positions among `count` pixels -> the first position in each block that has one."""
    block_of = np.full(count, -1, dtype=np.int32)
    block_of[groups] = np.arange(len(groups), dtype=np.int32)[:, None]
    blocks, first = np.unique(block_of[positions], return_index=True)
    return positions[first[blocks >= 0]]


def _turn(pixels: npt.NDArray[np.uint8], wrong: npt.NDArray[np.int64]) -> None:
    """Give each pixel at these positions a step, in place; its own luma decides which step and which sign.

    Half of the steps are gray, which a detector sees less, and half move a single channel, which keeps closer
    to the cover.
    """
    values = pixels[wrong]
    pick, upwards = np.divmod(luma_milli(values) % 12, 2)
    moving = (pick[:, None] == np.arange(3)) | (pick >= 3)[:, None]
    low, high = values == 0, values == _WHITE
    between = (moving & low).any(axis=1) & (moving & high).any(axis=1)
    moving[between] = [False, True, False]  # black in one channel and white in another: only green can step
    up = (moving & low).any(axis=1) | (upwards == 1) & ~(moving & high).any(axis=1)
    pixels[wrong] = values + moving * np.where(up, 1, _WHITE).astype(np.uint8)[:, None]
