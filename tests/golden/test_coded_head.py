"""Format version 2 does not change: see tests/support/head_vectors.py for how its vectors were made."""

from __future__ import annotations

import json
from pathlib import Path

import head_vectors
import numpy as np
import pytest
from coded_cases import keyring, revealed
from PIL import Image

from stegcli.codecs.base import FileSecret
from stegcli.envelope.head import Head
from stegcli.methods import table

FOLDER = Path(__file__).parent / "coded-head-1"
VECTORS = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("section", sorted(head_vectors.SECTIONS))
def test_every_head_place_and_order_is_as_committed(section: str) -> None:
    assert head_vectors.SECTIONS[section]() == VECTORS[section]


@pytest.mark.parametrize("name", sorted(head_vectors.HEADS))
def test_heads_are_read_as_they_were_written(name: str) -> None:
    written = bytes.fromhex(VECTORS["head"]["bytes"][name])
    assert Head.from_bytes(written) == head_vectors.HEADS[name]


@pytest.mark.parametrize("name", sorted(head_vectors.STEGOS))
def test_committed_stego_reads_as_on_the_day_it_was_made(name: str) -> None:
    passphrase, secret = head_vectors.STEGOS[name]
    pixels = np.asarray(Image.open(FOLDER / f"{name}.png"))

    _, opened = table.open_stego(pixels, None, keyring(passphrase))
    found = revealed(pixels, passphrase=passphrase)

    assert opened.header.to_bytes().hex() == VECTORS["stegos"][name]["head"]
    assert opened.header.keyed == (passphrase is not None)
    assert head_vectors.content_digest(found) == VECTORS["stegos"][name]["content"]
    if isinstance(secret, FileSecret):
        assert found == secret
    else:
        np.testing.assert_array_equal(found, secret)
