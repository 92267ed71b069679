"""Parts of one secret: everything together, but nothing if one is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stegcli.errors import ChangedError, PartsError
from stegcli.methods.coded.parts import SEAL_BYTES, Part, joined, split

VECTORS = json.loads((Path(__file__).parents[1] / "golden/coded-parts-1/vectors.json").read_text())


def _draw(size: int) -> bytes:
    return bytes(range(size))


def _named(parts: list[Part]) -> list[tuple[str, Part]]:
    return [(f"{part.index}.png", part) for part in parts]


@given(st.binary(min_size=1, max_size=200), st.lists(st.integers(0, 9), min_size=1, max_size=9))
@settings(max_examples=60, deadline=None)
def test_there_and_back_in_any_order(payload: bytes, weights: list[int]) -> None:
    whole = len(payload) + SEAL_BYTES
    sizes = [whole * weight // (sum(weights) or 1) for weight in weights]
    sizes[0] += whole - sum(sizes)
    parts = [Part.from_bytes(part.to_bytes()) for part in split(payload, sizes)]
    assert joined(_named(parts[::-1])) == payload
    assert [len(part.piece) for part in parts] == sizes


def test_which_parts_are_missing() -> None:
    parts = _named(split(b"words", [7, 7, 7]))
    with pytest.raises(PartsError, match="part 2 of 3 is missing"):
        joined([parts[0], parts[2], parts[0]])
    with pytest.raises(PartsError, match="parts 1 and 3 of 3 are missing"):
        joined([parts[1]])
    with pytest.raises(PartsError, match="no part"):
        joined([])
    with pytest.raises(PartsError, match="2 secrets"):
        joined([parts[0], *_named(split(b"words", [7, 7, 7]))])


def test_any_part_but_the_whole_set_is_noise() -> None:
    """The parts and every share differ each time, and no share is the key."""
    payload = bytes(1000)
    first, second = (split(payload, [508, 508]) for _ in range(2))
    values = [value for parts in (first, second) for part in parts for value in (part.share, part.piece)]
    assert len(set(values)) == len(values)
    assert all(len(set(part.piece)) > 200 for part in first)


def test_a_changed_part_opens_nothing() -> None:
    parts = split(b"words", [10, 11])
    torn = Part(parts[1].set_id, 1, 2, parts[1].sealed_bytes, parts[1].share, b"!" * 11)
    with pytest.raises(ChangedError):
        joined(_named([parts[0], torn]))


@pytest.mark.parametrize("body", [b"", bytes(45), bytes(46), b"\0" * 8 + b"\x02\x02" + bytes(36)])
def test_bytes_that_are_no_part(body: bytes) -> None:
    with pytest.raises(ValueError, match="part"):
        Part.from_bytes(body)


def test_the_format_is_as_committed() -> None:
    payload = bytes.fromhex(VECTORS["payload"])
    assert [part.to_bytes().hex() for part in split(payload, VECTORS["sizes"], _draw)] == VECTORS["parts"]
    assert joined(_named([Part.from_bytes(bytes.fromhex(part)) for part in VECTORS["parts"]])) == payload
