from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from channel_cases import header_parity, make_keys, psnr, random_targets, rms

from stegcli.carriers import costs, scatter
from stegcli.carriers.phases import joint, single
from stegcli.carriers.phases.channel import JOINT, PLAIN, Channel, numbered, suited
from stegcli.carriers.phases.choice import wrap
from stegcli.envelope import header
from stegcli.pictures.luma import luma_milli


def errors(stego: np.ndarray, targets: np.ndarray, keys: object, spread: int) -> np.ndarray:
    """Phase errors in turns."""
    return wrap(joint.read(stego, keys, len(targets), spread) - targets) / 1000


@pytest.fixture(scope="module")
def pixels(cover_rgb: np.ndarray) -> np.ndarray:
    return cover_rgb.reshape(-1, 3)


@pytest.fixture(scope="module")
def cost(cover_rgb: np.ndarray) -> np.ndarray:
    return costs.hill_cost(luma_milli(cover_rgb) / 1000).ravel()


# Header included.
@pytest.mark.parametrize(
    ("spread", "favor", "least_psnr_db", "most_sigma"),
    [
        (2, "balanced", 54.1, 0.028),
        (3, "balanced", 55.9, 0.028),
        (4, "cover", 58.1, 0.043),
        (4, "balanced", 57.2, 0.028),
        (4, "secret", 56.8, 0.023),
        (16, "balanced", 63.1, 0.027),
        (64, "balanced", 66.2, 0.026),
    ],
)
def test_noise_and_change_are_as_specified(
    pixels: np.ndarray, cost: np.ndarray, spread: int, favor: str, least_psnr_db: float, most_sigma: float
) -> None:
    keys, targets = make_keys(spread), random_targets(4 * (len(pixels) // (4 * spread)))
    stego = joint.write(
        pixels,
        targets,
        keys,
        spread=spread,
        lam=single.LAMBDAS[favor],
        parity=header_parity(pixels),
        cost=cost,
    )
    assert psnr(pixels, stego) >= least_psnr_db
    assert rms(errors(stego, targets, keys, spread)) <= most_sigma


@pytest.mark.parametrize(("spread", "share"), [(4, 0.6), (16, 0.85)])
def test_changes_cost_less_than_for_symbols_of_their_own(
    pixels: np.ndarray, cost: np.ndarray, spread: int, share: float
) -> None:
    keys, targets = make_keys(0), random_targets(len(pixels) // spread)
    alone = single.write(pixels, targets, keys, spread=spread, lam=0.001, cost=cost)
    together = joint.write(pixels, targets, keys, spread=spread, lam=0.001, cost=cost)
    own_error = wrap(single.read(alone, keys, len(targets), spread) - targets) / 1000
    assert rms(errors(together, targets, keys, spread)) < 1.01 * rms(own_error)
    paid = [cost[(stego != pixels).any(axis=1)].sum() for stego in (alone, together)]
    assert paid[1] < share * paid[0]


def test_the_best_of_all_ways_is_found() -> None:
    """Meeting in the middle finds the same minimum as trying everything."""
    rng = np.random.default_rng(1)
    missing = rng.integers(1 << 16, size=(5, 4)).astype(np.uint16)
    prices = rng.lognormal(-7, 1, (5, 16, 1)) * rng.uniform(0.5, 2, (5, 16, 15))
    prices[:, :, -1] = 0
    chosen = joint._best_steps(missing, prices.astype(np.float32))
    rows = np.arange(16)
    every = np.array(list(product(range(15), repeat=4)))
    for block, price, steps in zip(missing, prices, chosen, strict=True):
        cheapest = price[:, :-1].min(axis=1).argsort()[:4]
        left = (block - joint._STEP_TURNS[cheapest, every].sum(axis=1, dtype=np.uint16)) / 65_536
        worth = (np.cos(2 * np.pi * left) / (2 * np.pi**2)).sum(axis=1) - price[cheapest, every].sum(axis=1)
        own_left = (block - joint._STEP_TURNS[rows, steps].sum(axis=0, dtype=np.uint16)) / 65_536
        own = (np.cos(2 * np.pi * own_left) / (2 * np.pi**2)).sum() - price[rows, steps].sum()
        assert own == pytest.approx(worth.max(), abs=1e-6)


def test_a_parity_that_must_turn_lets_symbols_say_how(pixels: np.ndarray) -> None:
    keys, targets = make_keys(7), random_targets(len(pixels) // 4)
    blocks = scatter.embedding_groups(len(pixels), len(targets) // 4, 16, keys)
    positions = blocks[:, 0]
    own = (pixels[positions].sum(axis=1) % 2).astype(np.uint8)
    stegos = [
        joint.write(pixels, targets, keys, spread=4, lam=0.001, parity=(positions, own ^ np.uint8(turned)))
        for turned in (0, 1)
    ]
    kept, turned = ((stego != pixels).any(axis=1) for stego in stegos)
    assert turned[positions].all()
    assert not kept[positions].any()
    assert turned.sum() < kept.sum() + 0.5 * len(positions)


def test_changes_go_where_they_cost_least(pixels: np.ndarray, cost: np.ndarray) -> None:
    targets = random_targets(len(pixels) // 16)
    stego = joint.write(pixels, targets, make_keys(0), spread=16, lam=0.001, cost=cost)
    changed = (stego != pixels).any(axis=1)
    assert np.median(cost[changed]) < 0.6 * np.median(cost)


def test_no_symbol_is_given_up_where_all_pixels_are_dear(pixels: np.ndarray) -> None:
    keys, targets = make_keys(5), random_targets(len(pixels) // 4)
    cost = np.random.default_rng(0).lognormal(0, 4, len(pixels)).astype(np.float32)
    stego = joint.write(pixels, targets, keys, spread=4, lam=0.001, cost=cost)
    found = errors(stego, targets, keys, 4)
    assert rms(found) < 0.03
    assert np.quantile(np.abs(found), 0.999) < 0.12


@pytest.mark.parametrize("spread", [2, 4, 64])
def test_noise_is_predicted(pixels: np.ndarray, cost: np.ndarray, spread: int) -> None:
    keys, targets = make_keys(9), random_targets(len(pixels) // spread)
    positions, bits = header_parity(pixels)
    stego = joint.write(pixels, targets, keys, spread=spread, lam=0.001, parity=(positions, bits), cost=cost)
    predicted = JOINT.predict_sigma(pixels, cost, 0.001, spread, forced=len(positions))
    assert predicted == pytest.approx(rms(errors(stego, targets, keys, spread)), rel=0.08)


def test_pad_is_uniform() -> None:
    counts = np.bincount(joint.pad(25_000, make_keys(0)).ravel() >> 6, minlength=1024)
    assert np.sum((counts - 97.65625) ** 2 / 97.65625) < 1180  # chi-squared, 1023 degrees of freedom


def test_stego_depends_on_nothing_but_symbol_minus_keystream(
    monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray
) -> None:
    """So each stego is consistent with each secret, under exactly one keystream: a one-time pad."""
    count = len(pixels) // 4
    targets, shifts = 8 * random_targets(count, 1) % 1000, 125 * random_targets(count, 2) % 1000
    pads = np.random.default_rng(0).integers(0, 1 << 16, (count // 4, 4)).astype(np.uint16)
    stegos = []
    for shift in (np.zeros(count, int), shifts):  # eighths of a turn are whole in both units
        turned = (shift * 65_536 // 1000).reshape(4, -1).T.astype(np.uint16)
        monkeypatch.setattr(joint, "pad", lambda *_, turned=turned: pads + turned)
        plain = (targets + shift) % 1000
        stegos.append(joint.write(pixels, plain, make_keys(2), spread=4, lam=0.001))
    np.testing.assert_array_equal(stegos[0], stegos[1])


def test_other_keys_read_noise(pixels: np.ndarray) -> None:
    targets = np.arange(len(pixels) // 4) // 70 % 1000
    stego = joint.write(pixels, targets, make_keys(0), spread=4, lam=0.001)
    for seed in (1, 2):
        turns = np.exp(2j * np.pi * errors(stego, targets, make_keys(seed), 4))
        assert abs(turns.mean()) < 4 / np.sqrt(len(targets))


def test_a_destroyed_pixel_spoils_four_symbols_far_apart(pixels: np.ndarray) -> None:
    keys, targets = make_keys(3), random_targets(4000)
    stego = joint.write(pixels, targets, keys, spread=16, lam=0.001)
    before = joint.read(stego, keys, 4000, 16)
    overwritten = np.zeros(len(pixels), dtype=bool)
    overwritten[scatter.embedding_groups(len(pixels), 1000, 64, keys)[123, 5]] = True
    damaged = stego.copy()
    damaged[overwritten] ^= 7
    lost = joint.lost_symbols(overwritten, keys, 4000, 16)
    np.testing.assert_array_equal(np.flatnonzero(lost), [123, 1123, 2123, 3123])
    np.testing.assert_array_equal(joint.read(damaged, keys, 4000, 16) != before, lost)


@pytest.mark.parametrize("symbols", [1, 3, 4, 4097])
def test_any_number_of_symbols(pixels: np.ndarray, symbols: int) -> None:
    keys, targets = make_keys(4), random_targets(symbols)
    stego = joint.write(pixels, targets, keys, spread=4, lam=0.0005)
    assert rms(errors(stego, targets, keys, 4)) < 0.05


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray, cost: np.ndarray) -> None:
    keys, targets = make_keys(4), random_targets(18)
    written = joint.write(pixels, targets, keys, spread=3000, lam=0.001, cost=cost)
    monkeypatch.setattr(joint, "_CHUNK_PIXELS", 1000)
    np.testing.assert_array_equal(
        joint.write(pixels, targets, keys, spread=3000, lam=0.001, cost=cost), written
    )
    assert np.count_nonzero((written != pixels).any(axis=1)) <= 4 * 5


@pytest.mark.parametrize(
    ("room", "symbols", "expected", "spread"),
    [
        (4096, 4096, PLAIN, 1),
        (4096, 2049, PLAIN, 1),
        (4096, 2048, JOINT, 2),
        (4096, 2045, JOINT, 2),  # the last block is paid for in full
        (4096, 1025, JOINT, 3),
        (4096, 1024, JOINT, 4),
        (4110, 2055, PLAIN, 2),  # it would not fit
        (12_000_000, 1, JOINT, 3_000_000),
        (100_000_000, 1, JOINT, header.MAX_SIZE),
    ],
)
def test_the_channel_that_suits(room: int, symbols: int, expected: Channel, spread: int) -> None:
    assert suited(room, symbols) == (expected, spread)
    assert numbered(expected.number) is expected
