from __future__ import annotations

import itertools

import numpy as np
import pytest

from stegcli.carriers.phases import choice
from stegcli.carriers.phases.choice import noise_table
from stegcli.carriers.phases.single import LAMBDAS

COLOURS = [(100, 100, 100), (0, 50, 50), (255, 255, 255), (0, 0, 0), (1, 254, 128), (255, 0, 1)]


def best_price(colour: tuple[int, ...], residue: int, lam: float, rho: float, parity: int | None) -> float:
    """The minimum, found by trying everything."""
    reach = 1 if parity is None and not {0, 255} & set(colour) else 2
    prices = []
    for step in itertools.product(range(-reach, reach + 1), repeat=3):
        inside = all(0 <= value + s <= 255 for value, s in zip(colour, step, strict=True))
        if inside and parity in (None, sum(step) % 2):
            luma = residue + 299 * step[0] + 587 * step[1] + 114 * step[2]
            error = ((luma + 500) % 1000 - 500) / 1000
            prices.append(error**2 + lam * rho * sum(s * s for s in step))
    return min(prices)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("parity", [None, 0, 1])
@pytest.mark.parametrize("level", [0, choice.NEUTRAL_LEVEL, 15])
def test_table_holds_the_minimum(colour: tuple[int, ...], parity: int | None, level: int) -> None:
    pixel = np.array([colour], dtype=np.uint8)
    bit = np.array([(sum(colour) + (parity or 0)) % 2], dtype=np.uint8)
    base = choice.free_kinds(pixel) if parity is None else choice.forced_kinds(pixel, bit)
    kind = int(base[0]) + level
    table = choice.ChoiceTable.for_kinds(np.array([kind]), lam=0.001)
    for residue in range(0, 1000, 13):
        expected = best_price(colour, residue, 0.001, float(choice.LEVEL_COSTS[level]), parity)
        assert table.price[kind * 1000 + residue] == pytest.approx(expected, abs=1e-6)


def test_rows_asked_for_later_are_those_of_a_new_table() -> None:
    kinds = np.array([kind * choice.COST_LEVELS + choice.NEUTRAL_LEVEL for kind in (62, 124, 187)])
    choice._kept.cache_clear()
    whole = choice.ChoiceTable.for_kinds(kinds, lam=0.003)
    expected = [table.reshape(-1, 1000)[kinds].copy() for table in (whole.offset, whole.price)]
    choice._kept.cache_clear()
    for part in (kinds[:1], kinds[:2], kinds):
        again = choice.ChoiceTable.for_kinds(part, lam=0.003)
    for table, rows in zip((again.offset, again.price), expected, strict=True):
        assert np.array_equal(table.reshape(-1, 1000)[kinds], rows)


def test_only_the_size_counts_at_the_cheapest_level() -> None:
    kind = int(choice.forced_kinds(np.array([[9, 9, 9]], np.uint8), np.array([0], np.uint8))[0])
    kind += choice.CHEAPEST_LEVEL
    table = choice.ChoiceTable.for_kinds(np.array([kind]), lam=0.0002)
    chosen = table.offset[kind * 1000 : kind * 1000 + 1000]
    assert set(choice.SQUARED_SIZES[chosen]) == {1.0}


def test_no_change_is_offset_zero() -> None:
    assert choice.OFFSETS[0].tolist() == [0, 0, 0]
    assert len(np.unique(choice.OFFSETS, axis=0)) == 125


def test_costs_go_to_the_nearest_level() -> None:
    cost = np.array([1e-9, 0.0625, 1.0, 1.1, 1.5, 1e9], dtype=np.float32)
    assert choice.cost_levels(cost).tolist() == [0, 0, 8, 8, 9, 15]


def test_noise_table_has_the_measured_spread() -> None:
    sigmas = {favor: float(noise_table(lam).std()) for favor, lam in LAMBDAS.items()}
    assert sigmas == pytest.approx({"cover": 0.0351, "balanced": 0.0271, "secret": 0.0240}, abs=1e-4)
    assert noise_table(0.001).shape == (1000,)
    assert noise_table(0.001).dtype == np.float32
