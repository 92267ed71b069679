"""Coded bits stay readable: see tests/support/coded_vectors.py for how the vectors were made."""

from __future__ import annotations

import json
from pathlib import Path

import coded_vectors
import numpy as np
import pytest
import syndrome_cases as cases
from PIL import Image

from stegcli.carriers import samples, ternary
from stegcli.carriers.syndrome import Marks

FOLDER = Path(__file__).parent / "coded-1"
VECTORS = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("section", sorted(coded_vectors.SECTIONS))
def test_frozen_sets_and_orders_are_as_committed(section: str) -> None:
    assert coded_vectors.SECTIONS[section]() == VECTORS[section]


@pytest.mark.parametrize("name", sorted(coded_vectors.STEGOS))
def test_committed_stego_reads_as_on_the_day_it_was_made(name: str) -> None:
    told = VECTORS["stegos"][name]
    pixels = np.asarray(Image.open(FOLDER / f"{name}.png")).reshape(-1, 3)
    marks = Marks.from_bytes(bytes.fromhex(told["marks"]))
    assert samples.read(pixels, marks, cases.keys(2)).hex() == told["payload"]


def test_committed_integers_read_as_on_the_day_they_were_made() -> None:
    told = VECTORS["integers"]
    marks = Marks.from_bytes(bytes.fromhex(told["marks"]))
    assert ternary.read(np.array(told["values"], np.int16), marks, cases.keys(3)).hex() == told["payload"]


def test_writer_still_writes_what_the_reader_reads() -> None:
    """Run the vectors' own makers, so that the switch for making new ones keeps working."""
    for name in coded_vectors.STEGOS:
        stego, told = coded_vectors.make_stego(name)
        marks = Marks.from_bytes(bytes.fromhex(told["marks"]))
        assert samples.read(stego.reshape(-1, 3), marks, cases.keys(2)).hex() == told["payload"]
    assert coded_vectors.make_integers()["payload"] == VECTORS["integers"]["payload"]
