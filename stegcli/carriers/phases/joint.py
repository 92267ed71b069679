"""Four symbols in the pixels of four: the luma-phase channel where a cover is much larger than its secret.

    a block      4 * spread pixels, dealt to 16 slots; S[i] = luma summed over slot i
    symbol c     sum over i of MULTIPLIERS[i, c] * S[i] + keystream, modulo 2^16          c = 0..3

Where `single` gives each symbol its own pixels, a step here moves all four symbols of its block, in each
slot in another direction. So the slot of a step says as much as the step itself, and of all ways of making a
few steps in a block's cheapest slots, many come near the four phases wanted. The writer compares them all and
takes the one of least price and error, with a detector in mind: better four steps where nothing shows than
one where it does. A pixel that the header makes step anyway lets the symbols say how. The reader need not
know which pixels these were: it only sums. The price is that a destroyed pixel takes four symbols with it.

A step is one level up or down, of one channel or of several. All this by experiment: see `results/README.md`.

That positions carry information is as old as matrix embedding (Crandall 1998), and choosing the least visible
of many solutions is the idea of syndrome-trellis codes (Filler, Judas and Fridrich 2011); halves that meet in
the middle are Horowitz and Sahni's (1974).

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
    "spoiled",
    "write",
]


SHARE: Final = 4
"""Symbols that share a block."""
SLOTS: Final = 16
MIN_SPREAD: Final = 2
"""Pixels per symbol that it takes to choose among; from 4 on every slot has one."""

MULTIPLIERS: Final[npt.NDArray[np.uint16]] = (
    (words32(sha256(b"stegcli/1/multipliers").digest(), SLOTS * SHARE) >> np.uint32(16))
    .astype(np.uint16)
    .reshape(SLOTS, SHARE)
)
"""(16, 4) uint16 turns in units of 2^-16; public, and nobody's choice."""

_TURN_BITS: Final = 16
_TURN: Final = 1 << _TURN_BITS
_STEPS: Final = np.array(
    [sign * np.array(moved) for moved in product((0, 1), repeat=3) if any(moved) for sign in (1, -1)]
    + [np.zeros(3, dtype=int)]
)
"""(15, 3): one, two or all channels, up or down; last, no step."""
_NO_STEP: Final = len(_STEPS) - 1
_MOVED: Final = np.abs(_STEPS).sum(axis=1)
_WAYS: Final = len(_STEPS) ** 2
"""Of stepping in two slots. Four slots are searched; more leave less error, but a detector sees no less."""
_SEEN: Final = np.array([0, 1, 1, 0.75])[_MOVED]
"""(15,) what a detector makes of each step at the smallest spread, by the channels moved: channels of a
photograph share their noise, and it looks where they do not."""
_ALL_SEEN: Final = 4
"""Up to this spread steps cost what a detector makes of them."""
_ALL_DISTANCE: Final = 16
"""From this spread on they cost what they add to the squared error."""
_SMALL_PRICES: Final = {2: 2.8, 3: 3.8}
_PRICE_TIMES_SPREAD: Final = 14.4
"""What makes `single.LAMBDAS` leave about the errors here that they leave there:
at small spreads, and times the spread from 4 on."""
_WHITE: Final = 255


def _points(turns: npt.NDArray[np.uint16]) -> npt.NDArray[np.complex64]:
    """Turns -> points on the unit circle."""
    points: npt.NDArray[np.complex64] = np.exp(2j * np.pi / _TURN * turns).astype(np.complex64)
    return points


_STEP_TURNS: Final[npt.NDArray[np.uint16]] = (
    MULTIPLIERS[:, None, :] * (_STEPS @ WEIGHTS).astype(np.uint16)[:, None]
)
"""(16, 15, 4) uint16: what each step, in each slot, adds to each symbol."""
_STEP_POINTS: Final = _points(_STEP_TURNS)

_CHUNK_PIXELS: Final = 1 << 18
_CHUNK_BLOCKS: Final = 256
_FORCED: Final = np.float32(-1)
"""Price of a pixel that has to step, as part of its block's search."""
_UNABLE: Final = np.float32(1e6)
"""Cost of a step that would leave 0..255 or spoil a parity."""


def block_count(symbols: int) -> int:
    """Blocks that so many symbols take; the last one may have some to spare."""
    return -(-symbols // SHARE)


def pad(blocks: int, keys: Keys) -> npt.NDArray[np.uint16]:
    """(blocks, 4) uint16: the keystream, upper halves of its 32-bit words."""
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


def spoiled(scars: npt.NDArray[np.bool_], keys: Keys, symbols: int, spread: int) -> npt.NDArray[np.bool_]:
    """(n,) bool pixels that are lost -> (symbols,) bool symbols that are lost with them."""
    blocks = block_count(symbols)
    groups = embedding_groups(len(scars), blocks, SHARE * spread, keys)
    lost = np.empty(blocks, dtype=np.bool_)
    for chunk in chunks(blocks, _CHUNK_PIXELS // (SHARE * spread)):
        lost[chunk] = scars[groups[chunk]].any(axis=1)
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
    """Write four symbols per block, and the parities, with the least visible steps that do it.

    Args:
        pixels: (n, 3) uint8 cover.
        target_milli: (N,) integers 0..999, the phases that `read` shall find, in thousandths of a turn.
        keys: whose permutation and keystream to use.
        spread: pixels per symbol, at least `MIN_SPREAD`; 4 * spread * block_count(N) <= n.
        lam: price of a step against a squared phase error in turns; those of `single.LAMBDAS` leave errors
            much as large as there.
        parity: pixels whose R + G + B must have a given parity, and end with it.
        cost: (n,) float32 > 0, any unit: what a step costs at each pixel; None if the same everywhere.

    Returns:
        (n, 3) uint8 stego. At most four pixels of each block differ, by one level, besides those forced to.
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
        stego[slots] += _STEPS[chosen].astype(np.uint8)  # no sum leaves 0..255: wrapping is exact

    with ThreadPoolExecutor(cores()) as pool:  # blocks have no pixel in common
        size = min(_CHUNK_BLOCKS, _CHUNK_PIXELS // (SHARE * spread))
        for _ in pool.map(step, chunks(blocks, size)):
            pass
    return stego


def _best_steps(missing: npt.NDArray[np.uint16], prices: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """(b, 4) turns that are missing, (b, S, 15) prices of steps -> (b, S) the step to make in each slot.

    The ways of stepping in two of the four cheapest slots meet those in the other two. For the errors that
    matter a squared error is (1 - cos(2 pi error)) / (2 pi^2), and the cosine of a difference of angles is an
    inner product: one matrix product weighs each way against each other one, prices included.
    """
    cheapest = prices[:, :, :_NO_STEP].min(axis=2).argsort(axis=1)[:, :4]
    pairs = cheapest[:, 0::2], cheapest[:, 1::2]
    steps = [_STEP_POINTS[slots] for slots in pairs]
    steps[0] = steps[0].conj()
    steps[0][:, 0] *= _points(missing)[:, None]  # what the first pair leaves, the second has to reach
    steps[1][:, 0] *= np.float32(1 / (2 * np.pi**2))
    near, far = (_ways(*each, prices) for each in zip(steps, pairs, strict=True))
    near[:, :, -1], far[:, :, -2] = 1, 1  # each takes its own price times the other's one
    worth = np.empty((_WAYS, _WAYS), dtype=np.float32)
    best = [np.matmul(one, other.T, out=worth).argmax() for one, other in zip(near, far, strict=True)]
    chosen = np.full(prices.shape[:2], _NO_STEP)
    for slots, way in zip(pairs, np.divmod(best, _WAYS), strict=True):
        np.put_along_axis(chosen, slots, np.stack(np.divmod(way, len(_STEPS)), axis=1), axis=1)
    return chosen


def _ways(
    steps: npt.NDArray[np.complex64], slots: npt.NDArray[np.intp], prices: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Every way of stepping in two slots, as (b, 225, 10): points on four circles, minus its price twice.

    Args:
        steps: (b, 2, 15, 4) points of each slot's steps.
        slots: (b, 2), which they are.
        prices: (b, S, 15).
    """
    own = np.take_along_axis(prices, slots[:, :, None], axis=1)
    points = (steps[:, 0, :, None] * steps[:, 1, None, :]).reshape(len(steps), _WAYS, SHARE)
    price = (own[:, 0, :, None] + own[:, 1, None, :]).reshape(len(steps), _WAYS)
    ways = np.empty((len(steps), _WAYS, 2 * SHARE + 2), dtype=np.float32)
    ways[:, :, : 2 * SHARE] = points.view(np.float32)
    ways[:, :, 2 * SHARE :] = -price[:, :, None]
    return ways


def _blockwise(target_milli: npt.NDArray[np.integer], blocks: int) -> npt.NDArray[np.uint16]:
    """(N,) thousandths -> (blocks, 4) turns. Symbols of a block are far apart: its loss is thin noise."""
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
    """(n,) luma and (b, 4 * spread) indices -> (b, 4) uint16: the four sums, modulo a turn."""
    members = luma[groups]
    turns = np.zeros((len(groups), SHARE), dtype=np.uint16)
    for slot in range(SLOTS):
        slot_sum = members[:, slot::SLOTS].sum(axis=1, dtype=np.uint16)
        turns += slot_sum[:, None] * MULTIPLIERS[slot]
    return turns


def _cheapest_of_slots(
    groups: npt.NDArray[np.int32], price: npt.NDArray[np.float32]
) -> npt.NDArray[np.int32]:
    """(b, 4 * spread) indices -> (b, S): in each slot that has pixels, the one whose steps are cheapest."""
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
    """(b, S, 3) pixels and (b, S) prices -> (b, S, 15): of every step in every slot, and of none.

    At small spreads a step costs what a detector makes of it, at large ones, where it sees little, what it
    adds to the squared error. Of a step that the header's parity demands the place is paid for: each that
    would do brings so much that one is made.
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
    """Positions among `count` pixels -> the first of them in each block that has one."""
    block_of = np.full(count, -1, dtype=np.int32)
    block_of[groups] = np.arange(len(groups), dtype=np.int32)[:, None]
    blocks, first = np.unique(block_of[positions], return_index=True)
    return positions[first[blocks >= 0]]


def _turn(pixels: npt.NDArray[np.uint8], wrong: npt.NDArray[np.int64]) -> None:
    """Give each pixel at these positions a step, in place; its own luma picks which and the sign.

    One half are gray, of which a detector sees less, one half of a single channel, nearer to the cover.
    """
    values = pixels[wrong]
    pick, upwards = np.divmod(luma_milli(values) % 12, 2)
    moving = (pick[:, None] == np.arange(3)) | (pick >= 3)[:, None]
    low, high = values == 0, values == _WHITE
    between = (moving & low).any(axis=1) & (moving & high).any(axis=1)
    moving[between] = [False, True, False]  # black and white in one colour: green alone steps
    up = (moving & low).any(axis=1) | (upwards == 1) & ~(moving & high).any(axis=1)
    pixels[wrong] = values + moving * np.where(up, 1, _WHITE).astype(np.uint8)[:, None]
