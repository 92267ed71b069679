"""Dithered lattices: soft bits, blind estimates of noise, and moves that pay off."""

from __future__ import annotations

import numpy as np
import pytest

from stegcli.carriers import lattice

COUNT = 40_000


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values in steps, and bits for them."""
    random = np.random.default_rng(seed)
    return random.uniform(-50, 50, COUNT).astype(np.float32), random.integers(0, 2, COUNT).astype(np.uint8)


def written(log_price: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, bits, and values after they were moved for the bits."""
    t, bits = drawn()
    return t, bits, t + lattice.moved(t, bits, np.full(COUNT, log_price, np.float32))


def noisy(t: np.ndarray, sigma: float) -> np.ndarray:
    return (t + np.random.default_rng(5).normal(size=len(t)) * sigma).astype(np.float32)


def test_even_numbers_are_zeros_and_odd_ones_are_ones() -> None:
    t = np.array([0, 1, 2, 3, -1, -2, 1e4, 0.5], np.float32)
    said = lattice.soft_bits(t, np.full(8, 0.2, np.float32))
    assert (said[[0, 2, 5, 6]] > 1).all()
    assert (said[[1, 3, 4]] < -1).all()
    assert abs(said[7]) < 0.1


def test_more_noise_says_less() -> None:
    t = np.full(3, 0.1, np.float32)
    said = lattice.soft_bits(t, np.array([0.1, 0.3, 0.6], np.float32))
    assert said[0] > said[1] > said[2] >= 0


@pytest.mark.parametrize("sigma", [0.15, 0.25, 0.4])
def test_noise_is_estimated_without_the_bits(sigma: float) -> None:
    _, _, t = written(-3.0)
    rows = np.arange(COUNT) % 4
    found = lattice.noise_sigma(noisy(t, sigma), rows, np.zeros(COUNT, np.intp))
    assert np.abs(found / sigma - 1).max() < 0.1


def test_noise_of_two_attributes_is_told_apart() -> None:
    _, _, t = written(-3.0)
    classes = np.arange(COUNT) % 2
    t = np.where(classes == 0, noisy(t, 0.12), noisy(t, 0.35))
    found = lattice.noise_sigma(t.astype(np.float32), np.zeros(COUNT, np.intp), classes)
    assert found[0] == pytest.approx(0.12, abs=0.03)
    assert found[1] == pytest.approx(0.35, abs=0.05)


def test_a_low_price_moves_every_value_to_its_lattice() -> None:
    _, bits, t = written(-3.0)
    assert np.abs(np.mod(t + bits + 1, 2) - 1).max() < 0.26
    assert lattice.information(lattice.soft_bits(t, np.full(COUNT, 0.2, np.float32)), bits) > 0.95


def test_a_higher_price_moves_less_and_says_less() -> None:
    energies, told = [], []
    for log_price in (-1.0, 0.3, 0.8, 1.5):
        before, bits, after = written(log_price)
        energies.append(float(np.mean((after - before) ** 2)))
        told.append(
            lattice.information(lattice.soft_bits(noisy(after, 0.3), np.full(COUNT, 0.35, np.float32)), bits)
        )
    assert energies == sorted(energies, reverse=True)
    assert told == sorted(told, reverse=True)
    assert energies[-1] < energies[0] / 10


def test_no_value_moves_away_from_its_lattice_or_past_it() -> None:
    before, bits, after = written(0.5)
    first, last = (np.mod(t + bits + 1, 2) - 1 for t in (before, after))
    assert (np.abs(last) <= np.abs(first) + 1e-4).all()
    assert (first * last >= -1e-4).all()


def test_wrong_certainty_is_worse_than_silence() -> None:
    bits = np.ones(4, np.uint8)
    assert lattice.information(np.zeros(4, np.float32), bits) == pytest.approx(0, abs=1e-6)
    assert lattice.information(np.full(4, 9, np.float32), bits) < -1
    assert lattice.information(np.full(4, -20, np.float32), bits) == pytest.approx(1)
