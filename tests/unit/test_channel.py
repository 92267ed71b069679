from __future__ import annotations

import numpy as np
import pytest
from channel_cases import header_parity, make_keys, psnr, random_targets, rms

from stegcli.carriers import costs, parity, scatter
from stegcli.carriers.phases import single
from stegcli.carriers.phases.channel import PLAIN
from stegcli.carriers.phases.choice import wrap
from stegcli.carriers.phases.single import LAMBDAS
from stegcli.carriers.streams import Keys
from stegcli.pictures.luma import luma_milli


def phase_errors(stego: np.ndarray, targets: np.ndarray, keys: Keys, spread: int) -> np.ndarray:
    """Errors in grey levels."""
    return wrap(single.read(stego, keys, len(targets), spread) - targets) / 1000


@pytest.fixture(scope="module")
def pixels(cover_rgb: np.ndarray) -> np.ndarray:
    return cover_rgb.reshape(-1, 3)


@pytest.fixture(scope="module")
def cost(cover_rgb: np.ndarray) -> np.ndarray:
    return costs.hill_cost(luma_milli(cover_rgb) / 1000).ravel()


@pytest.mark.parametrize(("n", "symbols", "spread"), [(1, 1, 1), (2, 1, 2), (4096, 4096, 1), (4099, 7, 585)])
def test_groups_are_parts_of_a_permutation(n: int, symbols: int, spread: int) -> None:
    groups = scatter.embedding_groups(n, symbols, spread, make_keys(0))
    assert groups.shape == (symbols, spread)
    assert len(np.unique(groups)) == groups.size
    assert 0 <= groups.min() <= groups.max() < n


def test_groups_scatter_and_change_with_the_key() -> None:
    first, second = (scatter.embedding_groups(65_536, 65_536, 1, make_keys(seed)).ravel() for seed in (0, 1))
    assert abs(np.corrcoef(first, np.arange(65_536))[0, 1]) < 0.02
    assert np.mean(first == second) < 0.001


def test_pad_is_uniform() -> None:
    counts = np.bincount(single.pad(100_000, make_keys(0)), minlength=1000)
    assert len(counts) == 1000
    assert np.sum((counts - 100) ** 2 / 100) < 1150  # chi-squared, 999 degrees of freedom: 3.4 sigma


# Header included.
@pytest.mark.parametrize(
    ("spread", "favor", "least_psnr_db", "most_sigma"),
    [
        (1, "cover", 52.4, 0.0385),
        (1, "balanced", 51.5, 0.0285),
        (1, "secret", 50.3, 0.0250),
        (4, "balanced", 57.0, 0.0278),
        (16, "balanced", 63.0, 0.0278),
        (64, "balanced", 68.0, 0.0290),
    ],
)
def test_noise_and_change_are_as_specified(
    pixels: np.ndarray, cost: np.ndarray, spread: int, favor: str, least_psnr_db: float, most_sigma: float
) -> None:
    keys, targets = make_keys(spread), random_targets(len(pixels) // spread)
    rho = cost if spread > 1 else None
    stego = single.write(
        pixels, targets, keys, spread=spread, lam=LAMBDAS[favor], parity=header_parity(pixels), cost=rho
    )
    assert psnr(pixels, stego) >= least_psnr_db
    assert rms(phase_errors(stego, targets, keys, spread)) <= most_sigma


@pytest.mark.parametrize("spread", [1, 4, 64])
def test_noise_is_predicted(pixels: np.ndarray, cost: np.ndarray, spread: int) -> None:
    keys, targets = make_keys(9), random_targets(len(pixels) // spread)
    positions, bits = header_parity(pixels)
    stego = single.write(pixels, targets, keys, spread=spread, lam=0.001, parity=(positions, bits), cost=cost)
    predicted = PLAIN.predict_sigma(pixels, cost, 0.001, spread, forced=len(positions))
    assert predicted == pytest.approx(rms(phase_errors(stego, targets, keys, spread)), rel=0.08)


def test_changes_go_where_they_cost_least(pixels: np.ndarray, cost: np.ndarray) -> None:
    targets = random_targets(len(pixels) // 16)
    stego = single.write(pixels, targets, make_keys(0), spread=16, lam=0.001, cost=cost)
    changed = (stego != pixels).any(axis=1)
    assert np.median(cost[changed]) < 0.6 * np.median(cost)


def test_stego_depends_on_nothing_but_symbol_minus_keystream(
    monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray
) -> None:
    """So each stego is consistent with each secret, under exactly one keystream: a one-time pad."""
    targets, pads = random_targets(len(pixels)), random_targets(len(pixels), 1)
    stegos = []
    for other in (np.zeros(len(pixels), int), random_targets(len(pixels), 2)):
        monkeypatch.setattr(single, "pad", lambda *_, other=other: (pads + other) % 1000)
        stegos.append(single.write(pixels, (targets + other) % 1000, make_keys(2), spread=1, lam=0.001))
    np.testing.assert_array_equal(stegos[0], stegos[1])


def test_observed_phases_tell_nothing_of_the_symbols(pixels: np.ndarray) -> None:
    secrets = [np.zeros(len(pixels), int), np.full(len(pixels), 500), np.arange(len(pixels)) // 70 % 1000]
    counts = [
        np.bincount(
            luma_milli(single.write(pixels, secret, make_keys(seed), spread=1, lam=0.001)) % 1000 // 50
        )
        for seed, secret in enumerate(secrets)
    ]
    for other in counts[1:]:
        # Two-sample chi-squared, 19 degrees of freedom.
        assert np.sum((counts[0] - other) ** 2 / (counts[0] + other)) < 50
    # Uniform but for what the cover itself prefers: colour steps reach a lattice of phases, not all of them.
    assert np.sum(counts, axis=0) == pytest.approx(3 * len(pixels) / 20, rel=0.07)


def test_other_keys_read_noise(pixels: np.ndarray) -> None:
    targets = np.arange(len(pixels)) // 70 % 1000
    stego = single.write(pixels, targets, make_keys(0), spread=1, lam=0.001)
    for reader in (make_keys(1), Keys(b"", make_keys(0).keystream, make_keys(1).permutation)):
        turns = np.exp(2j * np.pi * phase_errors(stego, targets, reader, 1))
        assert abs(turns.mean()) < 4 / np.sqrt(len(targets))


def test_damage_stays_where_it_is(pixels: np.ndarray) -> None:
    keys, targets = make_keys(3), random_targets(len(pixels))
    stego = single.write(pixels, targets, keys, spread=1, lam=0.001).reshape(256, 256, 3).copy()
    stego[100:120] = 0
    spoilt = np.abs(phase_errors(stego.reshape(-1, 3), targets, keys, 1)) > 0.15
    assert np.mean(spoilt) == pytest.approx(20 / 256 * 0.7, abs=0.01)
    # Scattered: no part of the symbols suffers more than another.
    assert np.ptp([part.mean() for part in np.array_split(spoilt, 16)]) < 0.03


@pytest.mark.parametrize("spread", [1, 3])
def test_smallest_cover_carries_both(spread: int) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (parity.MIN_PIXELS, 3), dtype=np.uint8)
    keys, targets = make_keys(0), random_targets(len(pixels) // spread)
    positions, bits = header_parity(pixels)
    stego = single.write(pixels, targets, keys, spread=spread, lam=0.001, parity=(positions, bits))
    assert (stego[positions].sum(axis=1) % 2 == bits).all()
    assert rms(phase_errors(stego, targets, keys, spread)) < 0.035


def test_spread_beyond_a_chunk(monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray, cost: np.ndarray) -> None:
    keys, targets = make_keys(4), random_targets(9)
    written = single.write(pixels, targets, keys, spread=7000, lam=0.001, cost=cost)
    monkeypatch.setattr(single, "_CHUNK_PIXELS", 1000)
    np.testing.assert_array_equal(
        single.write(pixels, targets, keys, spread=7000, lam=0.001, cost=cost), written
    )
    assert np.count_nonzero((written != pixels).any(axis=1)) <= 9
