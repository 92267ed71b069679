"""Format version 1 stays what it is: see tests/support/format_vectors.py for how its vectors were made."""

from __future__ import annotations

import json
from pathlib import Path

import format_vectors
import numpy as np
import pytest
from PIL import Image

from stegcli import channel, container, joint, keys
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
    salt, group = container.read_salt(pixels, locator)
    subkeys = keys.derive(passphrase, salt)
    header = container.open_header(pixels, subkeys, locator, group)
    phases = channel.read(pixels, subkeys, header.symbols, header.spread)

    assert salt == format_vectors.SALT
    assert header.to_bytes().hex() == VECTORS["stegos"][name]["header"]
    assert (header.spread, header.keyed) == (spread, passphrase is not None)
    assert format_vectors.digest(phases) == VECTORS["stegos"][name]["phases"]
    error = wrap(phases - format_vectors.targets(header.symbols))
    assert np.sqrt(np.mean(error**2.0)) < 40


GROUPS = Path(__file__).parent / "format-1-groups"
GROUP_VECTORS = json.loads((GROUPS / "vectors.json").read_text(encoding="utf-8"))


def test_groups_and_planes_are_as_committed() -> None:
    computed = format_vectors.group_vectors()
    assert computed == {name: GROUP_VECTORS[name] for name in computed}


@pytest.mark.parametrize("name", sorted(format_vectors.GROUPED))
def test_committed_stego_of_groups_reads_as_on_the_day_it_was_made(name: str) -> None:
    passphrase, spread, sent = format_vectors.GROUPED[name]
    pixels = np.asarray(Image.open(GROUPS / f"{name}.png")).reshape(-1, 3)

    locator = keys.derive_locator(passphrase, len(pixels))
    salt, group = container.read_salt(pixels, locator)
    header = container.open_header(pixels, keys.derive(passphrase, salt), locator, group)
    phases = channel.read(pixels, keys.derive(passphrase, salt), header.symbols, header.spread)

    told = GROUP_VECTORS["stegos"][name]
    assert (salt, group) == (format_vectors.SALT, told["group"])
    assert group > 1
    assert header.to_bytes().hex() == told["header"]
    assert (header.spread, header.planes) == (spread, sent)
    assert format_vectors.digest(phases) == told["phases"]


JOINT = Path(__file__).parent / "format-1-joint"
JOINT_VECTORS = json.loads((JOINT / "vectors.json").read_text(encoding="utf-8"))


def test_multipliers_and_keystream_of_blocks_are_as_committed() -> None:
    computed = format_vectors.joint_vectors()
    assert computed == {name: JOINT_VECTORS[name] for name in computed}


@pytest.mark.parametrize("name", sorted(format_vectors.JOINT))
def test_committed_stego_of_blocks_reads_as_on_the_day_it_was_made(name: str) -> None:
    passphrase, spread, sent = format_vectors.JOINT[name]
    pixels = np.asarray(Image.open(JOINT / f"{name}.png")).reshape(-1, 3)

    locator = keys.derive_locator(passphrase, len(pixels))
    salt, group = container.read_salt(pixels, locator)
    header = container.open_header(pixels, keys.derive(passphrase, salt), locator, group)
    phases = joint.read(pixels, keys.derive(passphrase, salt), header.symbols, header.spread)

    told = JOINT_VECTORS["stegos"][name]
    assert (salt, group) == (format_vectors.SALT, told["group"])
    assert header.to_bytes().hex() == told["header"]
    assert (header.channel, header.spread, header.planes) == (container.LUMA_JOINT, spread, sent)
    assert format_vectors.digest(phases) == told["phases"]
    error = wrap(phases - format_vectors.targets(header.symbols))
    assert np.sqrt(np.mean(error**2.0)) < 45
