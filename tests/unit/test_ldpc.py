"""The soft-decision code: round trips, what it corrects, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from stegcli.carriers.ldpc import code_for

SIZES = [(1, 4), (5, 7), (96, 1000), (500, 1000), (500, 600), (2000, 9000), (4096, 8192)]


def bits(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, count).astype(np.uint8)


def soft(coded: np.ndarray, sigma: float, seed: int = 1) -> np.ndarray:
    """Log-odds of +-1 after a channel with normal noise."""
    sent = 1 - 2.0 * coded
    received = sent + np.random.default_rng(seed).normal(size=len(coded)) * sigma
    return (2 * received / sigma**2).astype(np.float32)


@pytest.mark.parametrize(("message_bits", "places"), SIZES)
def test_what_arrives_without_noise_is_what_was_sent(message_bits: int, places: int) -> None:
    code = code_for(message_bits, places)
    message = bits(message_bits)
    coded = code.encode(message)
    assert coded.shape == (places,)
    found = code.decode(soft(coded, 0.1))
    assert found.is_codeword
    assert np.array_equal(found.bits, message)


@pytest.mark.parametrize(("message_bits", "places", "sigma"), [(4096, 8192, 0.86), (4096, 16_384, 1.2)])
def test_errors_are_corrected_near_the_limit(message_bits: int, places: int, sigma: float) -> None:
    """At rates 1/2 and 1/4 the limits are at sigmas of 0.98 and 1.55."""
    code = code_for(message_bits, places)
    coded = code.encode(bits(message_bits))
    received = soft(coded, sigma)
    assert np.mean((received < 0) != coded) > 0.1
    assert np.array_equal(code.decode(received).bits, bits(message_bits))


def test_a_rate_below_a_quarter_repeats_bits() -> None:
    code = code_for(200, 4000)
    assert code.checks == 600
    coded = code.encode(bits(200))
    assert np.array_equal(coded[:800], coded[800:1600])
    assert np.array_equal(code.decode(soft(coded, 2.2)).bits, bits(200))


def test_erased_places_are_filled_in() -> None:
    code = code_for(2000, 4000)
    received = soft(code.encode(bits(2000)), 0.2)
    received[np.random.default_rng(3).permutation(4000)[:1600]] = 0
    assert np.array_equal(code.decode(received).bits, bits(2000))


def test_noise_is_no_codeword_and_is_given_up_early() -> None:
    found = code_for(2000, 4000).decode(np.random.default_rng(4).normal(size=4000).astype(np.float32))
    assert not found.is_codeword
    assert found.iterations < 40


def test_every_bit_is_checked_and_none_twice_by_one_check() -> None:
    code = code_for(500, 1000)
    assert set(code.checked.ravel().tolist()) == set(range(500))
    ranked = np.sort(code.checked, axis=0)
    assert (ranked[1:] != ranked[:-1]).all()


@pytest.mark.parametrize(("message_bits", "places"), [(0, 10), (90, 100), (100, 90), (-1, 10)])
def test_impossible_codes_are_refused(message_bits: int, places: int) -> None:
    with pytest.raises(ValueError, match="no code"):
        code_for(message_bits, places)
