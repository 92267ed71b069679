"""Four symbols in the pixels of four: the luma-phase channel where a cover is much larger than its secret.

    a block      4 * spread pixels, dealt to 16 slots; S[i] = luma summed over slot i
    symbol c     sum over i of MULTIPLIERS[i, c] * S[i] + keystream, modulo 2^16          c = 0..3

Where `channel` gives each symbol its own pixels, a step here moves all four symbols of its block, in each
slot in another direction. So the slot of a step says as much as the step itself: the ways of making at most
three steps, some hundred thousand, fill the four circles evenly. The writer looks up those that come near the
four phases wanted and takes the one that shows least: fewer pixels than `channel` changes, and less error.
The reader need not know which they were: it only sums. The price is that a destroyed pixel takes four symbols
with it.

A step is one level up or down, of one channel or of all three. The latter is a larger change, yet a smaller
sign of one: channels of a photograph share their noise, and detectors look where they do not. Costs are
squared, which `channel` does not gain by. Both by experiment: see `results/README.md`.

That positions carry information is as old as matrix embedding (Crandall 1998), and choosing the least visible
of many solutions is the idea of syndrome-trellis codes (Filler, Judas and Fridrich 2011).

Pixels are always the (n, 3) uint8 array of usable pixels in raster order, as for `channel`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import combinations, product
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stegcli.channel import chunks, embedding_groups
from stegcli.costs import relative_cost
from stegcli.keys import Keys, words32
from stegcli.luma import MILLI, WEIGHTS, luma_milli

if TYPE_CHECKING:
    from stegcli.channel import Parity

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
MIN_SPREAD: Final = SLOTS // SHARE
"""Pixels per symbol that it takes for every slot to have one."""

MULTIPLIERS: Final[npt.NDArray[np.uint16]] = (
    (words32(sha256(b"stegcli/1/multipliers").digest(), SLOTS * SHARE) >> np.uint32(16))
    .astype(np.uint16)
    .reshape(SLOTS, SHARE)
)
"""(16, 4) uint16 turns in units of 2^-16; public, and nobody's choice."""

_TURN_BITS: Final = 16
_TURN: Final = 1 << _TURN_BITS
_STEPS: Final = np.array(
    [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1], [1, 1, 1], [-1, -1, -1]]
)
_IS_GRAY: Final = np.abs(_STEPS).sum(axis=1) == len(WEIGHTS)
_DEAREST_GRAY: Final = 4.0
_DEAREST: Final = np.float32(200)
"""Relative cost of a step at the most: where all of a block is smooth its symbols must come through, too."""
_PRICE: Final = 0.09
"""What makes `channel.LAMBDAS` leave about the errors here that they leave there."""
_WHITE: Final = 255
_NO_STEP: Final = SLOTS * len(_STEPS)
_MOST_STEPS: Final = 3

_CELL_BITS: Final = 3
_CELLS: Final = 1 << _CELL_BITS
_REACHES: Final = (1.0, 0.18, 0.14, 0.12)
"""How far from a cell's centre a pattern of no, one, two or three steps is still looked at, in turns. Wider
reaches, 2.5 times as many candidates, lower the price by one part in a hundred."""

_CHUNK_PIXELS: Final = 1 << 18
_CHUNK_CANDIDATES: Final = 1 << 20
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
        lam: price of a step against a squared phase error in turns; those of `channel.LAMBDAS` leave errors
            much as large as there.
        parity: pixels whose R + G + B must have a given parity; they keep it and carry nothing else.
        cost: (n,) float32 > 0, any unit: what a step costs at each pixel; None if the same everywhere.

    Returns:
        (n, 3) uint8 stego. At most three pixels of each block differ, by one level, besides those forced to.
    """
    blocks = block_count(len(target_milli))
    groups = embedding_groups(len(pixels), blocks, SHARE * spread, keys)
    wanted = _blockwise(target_milli, blocks) - pad(blocks, keys)
    price = np.full(len(pixels), lam * _PRICE * MIN_SPREAD / spread, dtype=np.float32)
    if cost is not None:
        price *= np.minimum(relative_cost(np.square(cost), spread), _DEAREST)
    stego = pixels.copy()
    if parity is not None:
        positions, bits = parity
        _turn_parities(stego, positions, bits)
        price[positions] = _UNABLE
    luma = _luma(stego)
    book = _pattern_book()
    size = min(_CHUNK_PIXELS // (SHARE * spread), _CHUNK_CANDIDATES // book.near.shape[1])
    for chunk in chunks(blocks, size):
        missing = wanted[chunk] - _block_turns(luma, groups[chunk])
        slots = _cheapest_of_slots(groups[chunk], price)
        steps = book.cheapest(missing, _step_prices(stego[slots], price[slots], spread))
        rows, which = np.nonzero(steps != _NO_STEP)
        slot, step = np.divmod(steps[rows, which], len(_STEPS))
        stego[slots[rows, slot]] += _STEPS[step].astype(np.uint8)  # no sum leaves 0..255: wrapping is exact
    return stego


@dataclass(frozen=True)
class _PatternBook:
    """All ways of making at most three steps in different slots, and where to find them.

    Attributes:
        steps: (3, P) uint8, the steps of each pattern, slot * 8 + step, or `_NO_STEP`.
        turns: (4, P) uint16, what it adds to each symbol.
        near: (4096, L) int32, the patterns that come near each cell of the four circles; 0, no step, fills.
    """

    steps: npt.NDArray[np.uint8]
    turns: npt.NDArray[np.uint16]
    near: npt.NDArray[np.int32]

    def cheapest(
        self, missing: npt.NDArray[np.uint16], prices: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.uint8]:
        """(b, 4) turns that are missing, (b, 129) prices of steps -> (b, 3) the steps to make."""
        cells = np.zeros(len(missing), dtype=np.int64)
        for symbol in range(SHARE):
            cells = cells * _CELLS + (missing[:, symbol] >> np.uint16(_TURN_BITS - _CELL_BITS))
        candidates = self.near[cells]
        total = np.zeros(candidates.shape, dtype=np.float32)
        for symbol in range(SHARE):
            error = (
                (self.turns[symbol][candidates] - missing[:, symbol, None]).view(np.int16).astype(np.float32)
            )
            error *= np.float32(1 / _TURN)
            total += error * error
        for steps in self.steps:
            total += np.take_along_axis(prices, steps[candidates], axis=1)
        best = candidates[np.arange(len(candidates)), total.argmin(axis=1)]
        return self.steps[:, best].T


@cache
def _pattern_book() -> _PatternBook:
    """Always the same one; it takes half a second."""
    turn_of_step = (_STEPS @ WEIGHTS).astype(np.uint16)
    turn_of_single = (MULTIPLIERS[:, None, :] * turn_of_step[:, None]).reshape(-1, SHARE)
    turn_of_single = np.concatenate([turn_of_single, np.zeros((1, SHARE), np.uint16)])
    parts = [np.full((1, _MOST_STEPS), _NO_STEP)]
    for count in range(1, _MOST_STEPS + 1):
        slots = np.array(list(combinations(range(SLOTS), count)))
        kinds = np.array(list(product(range(len(_STEPS)), repeat=count)))
        chosen = (slots[:, None] * len(_STEPS) + kinds).reshape(-1, count)
        parts.append(np.pad(chosen, ((0, 0), (0, _MOST_STEPS - count)), constant_values=_NO_STEP))
    counts = np.repeat(np.arange(_MOST_STEPS + 1), [len(part) for part in parts])
    steps = np.concatenate(parts).astype(np.uint8)
    turns = turn_of_single[steps].sum(axis=1, dtype=np.uint16)
    return _PatternBook(steps.T.copy(), turns.T.copy(), _near_cells(turns, np.array(_REACHES)[counts]))


def _near_cells(turns: npt.NDArray[np.uint16], reaches: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """(P, 4) turns, (P,) reaches -> (4096, L) int32: patterns within reach of each cell's centre."""
    scaled_turns = turns.astype(np.float32) * np.float32(_CELLS / _TURN)
    own = scaled_turns.astype(np.int32)
    within = scaled_turns - own - np.float32(0.5)
    squared_reach = np.square(_CELLS * reaches).astype(np.float32)
    sides = range(-1, 2)
    distance = {(s, side): np.square(within[:, s] - side) for s in range(SHARE) for side in sides}
    place = {(s, side): (own[:, s] + side) % _CELLS for s in range(SHARE) for side in sides}
    patterns, cells = [], []
    for around in product(sides, repeat=SHARE):
        far = sum(distance[s, side] for s, side in enumerate(around))
        near = np.flatnonzero(far < squared_reach)
        cell = np.zeros(len(near), dtype=np.int32)
        for s, side in enumerate(around):
            cell = cell * _CELLS + place[s, side][near]
        patterns.append(near.astype(np.int32))
        cells.append(cell)
    pattern, cell = np.concatenate(patterns), np.concatenate(cells)
    order = np.argsort(cell, kind="stable")
    pattern, cell = pattern[order], cell[order]
    counts = np.bincount(cell, minlength=_CELLS**SHARE)
    lists = np.zeros((_CELLS**SHARE, counts.max()), dtype=np.int32)
    lists[cell, np.arange(len(cell)) - np.repeat(np.cumsum(counts) - counts, counts)] = pattern
    return lists


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
    """(b, 4 * spread) indices -> (b, 16): in each slot the pixel whose steps are cheapest."""
    members = price[groups]
    cheapest = np.empty((len(groups), SLOTS), dtype=np.int32)
    rows = np.arange(len(groups))
    for slot in range(SLOTS):
        first = members[:, slot::SLOTS].argmin(axis=1)
        cheapest[:, slot] = groups[rows, slot + SLOTS * first]
    return cheapest


def _step_prices(
    pixels: npt.NDArray[np.uint8], prices: npt.NDArray[np.float32], spread: int
) -> npt.NDArray[np.float32]:
    """(b, 16, 3) pixels and (b, 16) prices -> (b, 129): of every step in every slot, and of none.

    A gray step costs from once to four times as much as one of a single channel: at large spreads detectors
    hardly see either, and the stego may be nearer to its cover.
    """
    gray_price = min(_DEAREST_GRAY, spread / MIN_SPREAD)
    steps = prices[:, :, None] * np.where(_IS_GRAY, gray_price, 1).astype(np.float32)
    for index, step in enumerate(_STEPS):
        stuck = (pixels[:, :, step != 0] == (_WHITE if step.max() > 0 else 0)).any(axis=2)
        steps[:, :, index][stuck] = _UNABLE
    return np.pad(steps.reshape(len(steps), _NO_STEP), ((0, 0), (0, 1)))


def _turn_parities(
    pixels: npt.NDArray[np.uint8], positions: npt.NDArray[np.int64], bits: npt.NDArray[np.uint8]
) -> None:
    """Give each pixel whose parity is wrong a step, in place; its own luma picks which and the sign.

    One half are gray, of which a detector sees less, one half of a single channel, nearer to the cover.
    """
    parities = (pixels[positions].sum(axis=1, dtype=np.uint64) & np.uint64(1)).astype(np.uint8)
    wrong = positions[parities != bits]
    values = pixels[wrong]
    pick, upwards = np.divmod(luma_milli(values) % 12, 2)
    moving = (pick[:, None] == np.arange(3)) | (pick >= 3)[:, None]
    low, high = values == 0, values == _WHITE
    between = (moving & low).any(axis=1) & (moving & high).any(axis=1)
    moving[between] = [False, True, False]  # black and white in one colour: green alone steps
    up = (moving & low).any(axis=1) | (upwards == 1) & ~(moving & high).any(axis=1)
    pixels[wrong] = values + moving * np.where(up, 1, _WHITE).astype(np.uint8)[:, None]
