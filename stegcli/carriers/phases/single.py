"""The luma-phase channel: writes symbols into pixels and reads them, in exact integer arithmetic modulo 1000.

    writing   symbols -> + keystream -> phases wanted -> one small colour step per group -> stego pixels
    reading   stego pixels -> luma summed per group, modulo one grey level -> - keystream -> symbols

A keyed permutation scatters the usable pixels into groups of `spread`; a group carries one symbol in the
fraction of its summed luma. One changed pixel serves its whole group, so that the writer takes the one whose
change is least visible, and the reader need not know which: an analogue of a wet-paper code. The keystream is
a one-time pad on the circle: the written phases are uniform, whatever the symbols are.

Pixels are always the (n, 3) uint8 array of usable pixels in raster order; their places are not needed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stegcli.carriers.costs import relative_cost
from stegcli.carriers.parity import Parity
from stegcli.carriers.phases.choice import (
    CHEAPEST_LEVEL,
    COST_LEVELS,
    FIRST_ODD_KIND,
    KINDS,
    LUMA_STEPS,
    NEUTRAL_LEVEL,
    OFFSETS,
    SQUARED_SIZES,
    ChoiceTable,
    cost_levels,
    forced_kinds,
    free_kinds,
)
from stegcli.carriers.scatter import chunks, embedding_groups
from stegcli.carriers.streams import Keys, scaled, words32
from stegcli.pictures.luma import MILLI, luma_milli

__all__ = ["LAMBDAS", "pad", "read", "lost_symbols", "write"]

LAMBDAS: Final = {"cover": 0.004, "balanced": 0.001, "secret": 0.0002}
"""Price of a squared colour step relative to a squared phase error, by what is favored."""


_CHUNK_PIXELS: Final = 1 << 18
"""Pixels processed at a time: temporaries stay in the processor's cache, and memory stays bounded."""


def pad(symbols: int, keys: Keys) -> npt.NDArray[np.int16]:
    """Return the keystream that is added to the phases, (symbols,) int16 in 0..999: scaled 32-bit words."""
    pads = np.empty(symbols, dtype=np.int16)
    words = words32(keys.keystream, symbols)
    for chunk in chunks(symbols, _CHUNK_PIXELS):
        pads[chunk] = scaled(words[chunk], MILLI)
    return pads


def read(pixels: npt.NDArray[np.uint8], keys: Keys, symbols: int, spread: int) -> npt.NDArray[np.int16]:
    """(n, 3) uint8 stego pixels -> (symbols,) int16 phases in thousandths of a grey level, 0..999."""
    groups = embedding_groups(len(pixels), symbols, spread, keys)
    luma = _luma_residues(pixels)
    phases = np.empty(symbols, dtype=np.int16)
    pads = pad(symbols, keys)
    for chunk in chunks(symbols, _CHUNK_PIXELS // spread):
        phases[chunk] = _modulo(_group_sums(luma, groups[chunk]) + pads[chunk])
    return phases


def lost_symbols(
    overwritten: npt.NDArray[np.bool_], keys: Keys, symbols: int, spread: int
) -> npt.NDArray[np.bool_]:
    """(n,) bool lost pixels -> (symbols,) bool symbols that are lost with them."""
    groups = embedding_groups(len(overwritten), symbols, spread, keys)
    lost = np.empty(symbols, dtype=np.bool_)
    for chunk in chunks(symbols, _CHUNK_PIXELS // spread):
        lost[chunk] = overwritten[groups[chunk]].any(axis=1)
    return lost


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
    """Write one symbol per group, and the parities, with the smallest changes that achieve it.

    Args:
        pixels: (n, 3) uint8 cover.
        target_milli: (N,) integers 0..999, the phases that `read` is to find, in thousandths of a grey level.
        keys: keys for the permutation and the keystream.
        spread: pixels per symbol; N * spread <= n.
        lam: price of a squared colour step relative to a squared phase error; see `LAMBDAS`.
        parity: pixels whose R + G + B must have a given parity, whatever else they carry.
        cost: (n,) float32 > 0, any unit, cost of a step at each pixel; None if it is the same everywhere.

    Returns:
        (n, 3) uint8 stego. Apart from forced ones, at most one pixel of each group differs from the cover.
    """
    groups = embedding_groups(len(pixels), len(target_milli), spread, keys)
    wanted = target_milli.astype(np.int32) - pad(len(target_milli), keys)
    levels = None if cost is None else cost_levels(relative_cost(cost, spread))
    kinds = _pixel_kinds(pixels, levels, parity)
    table = ChoiceTable.for_kinds(_occurring(kinds), lam)
    luma = _luma_residues(pixels)
    moves = np.zeros(len(pixels), dtype=np.uint8)
    _take_forced_steps(moves, luma, kinds, table)
    for chunk in chunks(len(groups), _CHUNK_PIXELS // spread):
        residues = _modulo(_group_sums(luma, groups[chunk]) - wanted[chunk])
        _move_one_pixel_per_group(moves, groups[chunk], residues, kinds, table)
    return _moved(pixels, moves)


def _modulo(milli: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return `milli` modulo 1000; numpy divides by a constant much faster than it computes remainders."""
    return milli - milli // MILLI * MILLI


def _luma_residues(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """(n, 3) uint8 -> (n,) int16 luma modulo one grey level, in thousandths."""
    residues = np.empty(len(pixels), dtype=np.int16)
    for chunk in chunks(len(pixels), _CHUNK_PIXELS):
        luma = luma_milli(pixels[chunk])
        residues[chunk] = luma - luma // MILLI * MILLI
    return residues


def _group_sums(luma: npt.NDArray[np.int16], groups: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """(n,) luma and (g, spread) indices -> (g,) int64 sums."""
    if groups.shape[1] == 1:
        return luma[groups[:, 0]].astype(np.int64)
    sums: npt.NDArray[np.int64] = luma[groups].sum(axis=1, dtype=np.int64)
    return sums


def _pixel_kinds(
    pixels: npt.NDArray[np.uint8], levels: npt.NDArray[np.uint16] | None, parity: Parity | None
) -> npt.NDArray[np.uint16]:
    """(n,) uint16: the offsets allowed to each pixel and its cost level, as numbered in `choice`."""
    kinds = np.empty(len(pixels), dtype=np.uint16)
    for chunk in chunks(len(pixels), _CHUNK_PIXELS):
        kinds[chunk] = free_kinds(pixels[chunk])
        kinds[chunk] += np.uint16(NEUTRAL_LEVEL) if levels is None else levels[chunk]
    if parity is not None:
        positions, bits = parity
        kinds[positions] = forced_kinds(pixels[positions], bits) + kinds[positions] % COST_LEVELS
    return kinds


def _occurring(kinds: npt.NDArray[np.uint16]) -> npt.NDArray[np.intp]:
    """Return the kinds for which an image needs choices, with the smallest-step kind of every odd one."""
    occurs = np.zeros(KINDS, dtype=np.bool_)
    for chunk in chunks(len(kinds), _CHUNK_PIXELS):
        occurs[kinds[chunk]] = True
    odd = np.flatnonzero(occurs[FIRST_ODD_KIND:]) + FIRST_ODD_KIND
    occurs[_smallest_step_kinds(odd)] = True
    return np.flatnonzero(occurs)


def _smallest_step_kinds(kinds: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
    """Return the same kinds at the cost level where only the size of a step counts."""
    return (kinds - kinds % COST_LEVELS + CHEAPEST_LEVEL).astype(np.intp)


def _take_forced_steps(
    moves: npt.NDArray[np.uint8],
    luma: npt.NDArray[np.int16],
    kinds: npt.NDArray[np.uint16],
    table: ChoiceTable,
) -> None:
    """Give each pixel whose parity must change its smallest step, in `moves` and `luma`.

    Its own luma decides between equally small steps, so that no channel or sign is preferred; a better step
    may still be chosen when its group is written.
    """
    odd = np.flatnonzero(kinds >= FIRST_ODD_KIND)
    moves[odd] = table.offset[_smallest_step_kinds(kinds[odd]) * MILLI + luma[odd]]
    luma[odd] = (luma[odd] + LUMA_STEPS[moves[odd]]) % MILLI


def _move_one_pixel_per_group(
    moves: npt.NDArray[np.uint8],
    groups: npt.NDArray[np.int32],
    residues: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.uint16],
    table: ChoiceTable,
) -> None:
    """In each group, set the one move that cancels the residue at the least price, in `moves`."""
    if groups.shape[1] == 1:
        pixels = groups[:, 0]
    else:
        prices = _prices(moves, groups, residues, kinds, table)
        pixels = groups[np.arange(len(groups)), prices.argmin(axis=1)]
    own_residues = residues - LUMA_STEPS[moves[pixels]]
    moves[pixels] = table.offset[kinds[pixels].astype(np.int64) * MILLI + _modulo(own_residues)]


def _prices(
    moves: npt.NDArray[np.uint8],
    groups: npt.NDArray[np.int32],
    residues: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.uint16],
    table: ChoiceTable,
) -> npt.NDArray[np.float32]:
    """(g, spread) float32: the price of cancelling a group's residue with each of its pixels."""
    group_kinds = kinds[groups].astype(np.int64)
    prices: npt.NDArray[np.float32] = table.price[group_kinds * MILLI + residues[:, None]]
    # Pixels with a forced step undo it and choose again, which changes their residue and lowers their price.
    rows, columns = np.nonzero(group_kinds >= FIRST_ODD_KIND)
    kind, move = group_kinds[rows, columns], moves[groups[rows, columns]]
    own_residues = _modulo(residues[rows] - LUMA_STEPS[move])
    saved = table.size_price[kind % COST_LEVELS] * SQUARED_SIZES[move]
    prices[rows, columns] = table.price[kind * MILLI + own_residues] - saved
    return prices


def _moved(pixels: npt.NDArray[np.uint8], moves: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Move (n, 3) uint8 pixels by their offsets; no sum leaves 0..255, so that wrapping is exact."""
    wrapping_offsets = OFFSETS.view(np.uint8)
    stego = np.empty_like(pixels)
    for chunk in chunks(len(pixels), _CHUNK_PIXELS):
        np.add(pixels[chunk], wrapping_offsets[moves[chunk]], out=stego[chunk])
    return stego
