"""Format version 1 stays what it is: see tests/support/format_vectors.py for how its vectors were made."""

from __future__ import annotations

import json
from pathlib import Path

import format_vectors
import numpy as np
import pytest
from PIL import Image

from stegcli import channel, container, keys
from stegcli.offsets import wrap

FOLDER = Path(__file__).parent / "format-1"
VECTORS = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("section", sorted(format_vectors.SECTIONS))
def test_every_stream_key_position_and_byte_is_as_committed(section: str) -> None:
    assert format_vectors.SECTIONS[section]() == VECTORS[section]


@pytest.mark.parametrize("name", sorted(format_vectors.STEGOS))
def test_committed_stego_reads_as_on_the_day_it_was_made(name: str) -> None:
    passphrase, spread = format_vectors.STEGOS[name]
    pixels = np.asarray(Image.open(FOLDER / f"{name}.png")).reshape(-1, 3)

    locator = keys.derive_locator(passphrase, len(pixels))
    salt = container.read_salt(pixels, locator)
    subkeys = keys.derive(passphrase, salt)
    header = container.open_header(pixels, subkeys, locator)
    phases = channel.read(pixels, subkeys, header.symbols, header.spread)

    assert salt == format_vectors.SALT
    assert header.to_bytes().hex() == VECTORS["stegos"][name]["header"]
    assert (header.spread, header.keyed) == (spread, passphrase is not None)
    assert format_vectors.digest(phases) == VECTORS["stegos"][name]["phases"]
    error = wrap(phases - format_vectors.targets(header.symbols))
    assert np.sqrt(np.mean(error**2.0)) < 40
