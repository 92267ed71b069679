"""Polar codes: the frozen sets and the transform are the format's, and cancellation keeps its promise."""

from __future__ import annotations

import numpy as np
import pytest
import syndrome_cases as cases

from stegcli.carriers import polar
from stegcli.carriers.boltzmann import multiplier


@pytest.mark.parametrize("exponent", [6, 7, 9, 11])
def test_frozen_set_is_the_erasure_recursion_in_integers(exponent: int) -> None:
    length = 1 << exponent
    for count in {0, 1, 2, length // 50, length // 7, length // 2, length - 1, length}:
        for shape in (0, 7, 15):
            found = np.flatnonzero(polar.frozen_set(exponent, count, shape)).tolist()
            assert found == cases.frozen_positions(exponent, count, shape)


@pytest.mark.parametrize("count", [0, 1, 1000, 100_000, (1 << 18) - 1, 1 << 18])
def test_long_frozen_set_has_as_many_positions_as_asked_for(count: int) -> None:
    assert np.count_nonzero(polar.frozen_set(18, count, 5)) == count


def test_transform_is_its_own_inverse_and_as_defined() -> None:
    bits = np.random.default_rng(0).integers(0, 2, (256, 5)).astype(np.uint8)
    once = bits.copy()
    polar.transform(once)
    assert once[:, 3].tolist() == cases.plain_transform(bits[:, 3].tolist())
    polar.transform(once)
    assert (once == bits).all()


@pytest.mark.parametrize("exponent", [6, 10, 13])
@pytest.mark.parametrize("share", [0, 0.002, 0.1, 0.5, 0.97, 1])
def test_frozen_positions_hold_the_message(exponent: int, share: float) -> None:
    rng = np.random.default_rng(exponent)
    message = rng.integers(0, 2, (round(share * 2**exponent), 7)).astype(np.uint8)
    odds = (3 * rng.normal(size=(2**exponent, 7))).astype(np.float32)
    bits = polar.cancel(odds, message, 3)
    polar.transform(bits)
    assert (bits[polar.frozen_set(exponent, len(message), 3)] == message).all()


def test_no_message_leaves_the_likeliest_bits() -> None:
    odds = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    assert (polar.cancel(odds, np.empty((0, 3), dtype=np.uint8), 0) == (odds < 0)).all()


def test_blocks_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(1)
    odds = rng.normal(size=(1024, 4)).astype(np.float32)
    message = rng.integers(0, 2, (300, 4)).astype(np.uint8)
    together = polar.cancel(odds, message, 3)
    alone = polar.cancel(np.ascontiguousarray(odds[:, 2:3]), np.ascontiguousarray(message[:, 2:3]), 3)
    assert (together[:, 2:3] == alone).all()


@pytest.mark.parametrize(
    ("spread", "shape", "rate", "most"),
    [(1.5, 0, 0.55, 0.06), (1.5, 0, 0.2, 0.1), (1.5, 0, 0.05, 0.15), (0.0, 15, 0.1, 0.15)],
)
def test_loss_against_the_ideal_coder_at_blocks_of_16384(
    spread: float, shape: int, rate: float, most: float
) -> None:
    """Payload carried, as a share of the ideal at the same price: prices like HILL's, and all equal."""
    rng = np.random.default_rng(2)
    rho = cases.costs(16 << 14, rng, spread)
    count = int(rate * 2**14)
    prices = np.stack([np.zeros(len(rho)), rho], axis=1)

    def bits(lam: float) -> float:
        chance = 1 / (1 + np.exp(np.minimum(lam * rho.astype(np.float64), 700)))
        return cases.entropy(np.stack([chance, 1 - chance], axis=1))

    lam = multiplier(bits, 16 * count, 1.0)
    cover = rng.integers(0, 2, len(rho)).astype(np.uint8)
    odds = np.where(cover, -lam * rho, lam * rho).astype(np.float32).reshape(-1, 16)
    message = rng.integers(0, 2, (count, 16)).astype(np.uint8)
    changed = polar.cancel(odds, message, shape).ravel() != cover
    assert 1 - 16 * count / cases.ideal_bits(prices, float(rho[changed].sum())) <= most
