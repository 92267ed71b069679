from __future__ import annotations

import heapq

import numpy as np
import pytest

from stegcli.envelope import convolution


def votes_for(bits: np.ndarray) -> np.ndarray:
    return 2 * bits.astype(np.int64) - 1


def free_distance() -> int:
    """Least weight of a path through the trellis that leaves state 0 and returns to it (Dijkstra)."""
    weights = convolution._OUTPUTS.sum(axis=1)
    queue = [(int(weights[256]), 256 >> 1)]
    settled: set[int] = set()
    while queue:
        weight, state = heapq.heappop(queue)
        if state == 0:
            return weight
        if state not in settled:
            settled.add(state)
            for register in (state, 256 | state):
                heapq.heappush(queue, (weight + int(weights[register]), register >> 1))
    raise AssertionError("the trellis never returns")


def test_free_distance_is_the_published_one() -> None:
    assert free_distance() == 24


@pytest.mark.parametrize("length", [1, 8, 128, 336])
def test_clean_words_decode(length: int) -> None:
    message = np.random.default_rng(length).integers(0, 2, length).astype(np.uint8)
    coded = convolution.encode(message)
    assert len(coded) == convolution.coded_length(length)
    np.testing.assert_array_equal(convolution.decode(votes_for(coded)), message)


def test_any_eleven_wrong_bits_are_corrected() -> None:
    rng = np.random.default_rng(0)
    message = rng.integers(0, 2, 64).astype(np.uint8)
    coded = convolution.encode(message)
    for start in range(0, len(coded) - 11, 7):
        damaged = coded.copy()
        damaged[start : start + 11] ^= 1
        np.testing.assert_array_equal(convolution.decode(votes_for(damaged)), message)


def test_missing_votes_are_bridged() -> None:
    message = np.random.default_rng(1).integers(0, 2, 336).astype(np.uint8)
    votes = votes_for(convolution.encode(message))
    votes[np.random.default_rng(2).random(len(votes)) < 0.5] = 0
    np.testing.assert_array_equal(convolution.decode(votes), message)
