"""Codes, heads and layouts: whatever is written comes back, for all sizes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stegcli.carriers.ldpc import MAX_RATE_PER_MILLE, code_for
from stegcli.carriers.sturdy import Pieces
from stegcli.envelope import sturdy
from stegcli.envelope.sturdy import SturdyHead

LOCATOR = b"L" * 32


def certain(bits: np.ndarray) -> np.ndarray:
    return np.where(bits == 1, np.float32(-5), np.float32(5)).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 900), st.floats(0.02, MAX_RATE_PER_MILLE / 1000), st.integers(0, 2**32 - 1))
def test_codes_of_all_rates_give_back_what_they_were_given(bits: int, rate: float, seed: int) -> None:
    code = code_for(bits, int(bits / rate) + 1)
    message = np.random.default_rng(seed).integers(0, 2, bits).astype(np.uint8)
    found = code.decode(certain(code.encode(message)))
    assert found.is_codeword
    assert np.array_equal(found.bits, message)


@settings(deadline=None, max_examples=60)
@given(st.integers(30, 900), st.integers(0, 2**32 - 1))
def test_two_messages_differ_in_many_places(bits: int, seed: int) -> None:
    """A message bit is in at least three checks, and each continues through the staircase."""
    code = code_for(bits, 2 * bits)
    message = np.random.default_rng(seed).integers(0, 2, bits).astype(np.uint8)
    other = message.copy()
    other[seed % bits] ^= 1
    assert np.count_nonzero(code.encode(message) != code.encode(other)) >= 3


@settings(deadline=None, max_examples=40)
@given(st.binary(min_size=1, max_size=300), st.floats(0.05, 0.85))
def test_bodies_come_back_from_their_pieces(body: bytes, rate: float) -> None:
    pieces = Pieces(len(body), int(8 * len(body) / rate) + 1)
    assert pieces.decode(certain(pieces.encode(body)), threads=1) == (body, True)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 100),
    st.integers(1, 63),
    st.integers(1, (1 << 24) - 1),
    st.integers(1, 4095),
    st.integers(1, 4095),
    st.binary(min_size=8, max_size=8),
)
def test_heads_come_back(
    quality: int, frequencies: int, size: int, rows: int, columns: int, salt: bytes
) -> None:
    head = SturdyHead(quality, frequencies, size, rows, columns)
    found, whole = sturdy.opened(certain(sturdy.coded(head, salt, LOCATOR)), LOCATOR)
    assert found == head
    assert whole == sturdy.whole_salt(salt)
