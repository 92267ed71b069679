"""Stegos of `--survive` stay readable: see tests/support/robust_vectors.py for how the vectors were made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import robust_cases as cases
import robust_vectors
from PIL import Image

FOLDER = Path(__file__).parent / "robust-1"
VECTORS = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("section", sorted(robust_vectors.SECTIONS))
def test_what_integers_decide_is_as_committed(section: str) -> None:
    assert robust_vectors.SECTIONS[section]() == VECTORS[section]


def test_committed_stego_opens_as_on_the_day_it_was_made() -> None:
    rgb = np.asarray(Image.open(FOLDER / "public.png"))
    assert cases.revealed(rgb) == robust_vectors.SECRET


def test_committed_stego_that_was_recompressed_opens_with_its_passphrase() -> None:
    file = FOLDER / "keyed.jpg"
    rgb = np.asarray(Image.open(file).convert("RGB"))
    passphrase = robust_vectors.PASSPHRASES["keyed"]
    assert cases.revealed(rgb, file.read_bytes(), passphrase=passphrase) == robust_vectors.SECRET


def test_the_writer_still_writes_what_the_reader_reads() -> None:
    """Run the vectors' own maker, so that the switch for making new ones keeps working."""
    assert cases.revealed(robust_vectors.make_stego("public")) == robust_vectors.SECRET
