"""Format version 1 does not change: see tests/support/format_vectors.py for how its vectors were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import format_vectors
import numpy as np
import pytest
from PIL import Image

from stegcli.carriers.phases import single
from stegcli.carriers.phases.channel import LUMA_JOINT, LUMA_PHASE, numbered
from stegcli.carriers.phases.choice import wrap
from stegcli.envelope import keys
from stegcli.envelope.header import draw_places, open_header, read_salt
from stegcli.envelope.opening import open_evident_parities, open_parities, open_parities_of_run
from stegcli.errors import NothingFoundError
from stegcli.methods.phase.body import Body
from stegcli.methods.phase.planes import count_sent

FOLDER = Path(__file__).parent / "format-1"
VECTORS = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("section", sorted(format_vectors.SECTIONS))
def test_every_stream_key_position_and_byte_is_as_committed(section: str) -> None:
    assert format_vectors.SECTIONS[section]() == VECTORS[section]


@pytest.mark.parametrize("name", sorted(format_vectors.STEGOS))
def test_committed_stego_reads_as_on_the_day_it_was_made(name: str) -> None:
    passphrase, spread = format_vectors.STEGOS[name]
    pixels = np.asarray(Image.open(FOLDER / f"{name}.png")).reshape(-1, 3)

    places = draw_places(len(pixels), keys.derive_locator(passphrase, len(pixels)))
    salt, group = read_salt(pixels, places)
    subkeys = keys.derive(passphrase, salt)
    header = open_header(pixels, subkeys, places, group)
    body = Body.from_bytes(header.own)
    symbols = count_sent(header.hidden_shape, body.planes)
    phases = single.read(pixels, subkeys, symbols, body.spread)

    assert salt == format_vectors.SALT
    assert header.to_bytes().hex() == VECTORS["stegos"][name]["header"]
    assert (body.spread, header.keyed) == (spread, passphrase is not None)
    assert format_vectors.digest(phases) == VECTORS["stegos"][name]["phases"]
    error = wrap(phases - format_vectors.targets(symbols))
    assert np.sqrt(np.mean(error**2.0)) < 40


def _later_vectors(folder: str) -> tuple[Path, dict[str, Any]]:
    path = Path(__file__).parent / folder
    return path, json.loads((path / "vectors.json").read_text(encoding="utf-8"))


GROUPS, GROUP_VECTORS = _later_vectors("format-1-groups")
JOINT, JOINT_VECTORS = _later_vectors("format-1-joint")


def test_groups_and_planes_are_as_committed() -> None:
    computed = format_vectors.group_vectors()
    assert computed == {name: GROUP_VECTORS[name] for name in computed}


def test_multipliers_and_keystream_of_blocks_are_as_committed() -> None:
    computed = format_vectors.joint_vectors()
    assert computed == {name: JOINT_VECTORS[name] for name in computed}


RUN, RUN_VECTORS = _later_vectors("format-1-run")


def test_keys_of_a_run_are_as_committed() -> None:
    computed = format_vectors.run_vectors()
    assert computed == {name: RUN_VECTORS[name] for name in computed}


@pytest.mark.parametrize("name", sorted(format_vectors.STEGOS))
def test_committed_stego_of_a_run_reads_as_on_the_day_it_was_made(name: str) -> None:
    passphrase, spread = format_vectors.STEGOS[name]
    stego = np.asarray(Image.open(RUN / f"{name}.png"))
    keyring = keys.Keyring(passphrase)
    with pytest.raises(NothingFoundError):
        open_parities(stego, None, keyring)
    opened = open_parities_of_run(stego, None, keyring)
    assert opened.header.to_bytes().hex() == RUN_VECTORS["stegos"][name]["header"]
    again = open_parities(stego, None, keyring)  # which knows the run by now
    assert again.header == opened.header
    assert open_evident_parities(stego, None, keys.Keyring(passphrase)).header == opened.header
    body = Body.from_bytes(opened.header.own)
    symbols = count_sent(opened.header.hidden_shape, body.planes)
    phases = single.read(opened.pixels, opened.keys, symbols, spread)
    assert format_vectors.digest(phases) == RUN_VECTORS["stegos"][name]["phases"]


@pytest.mark.parametrize(
    ("folder", "vectors", "made", "name"),
    [
        *((GROUPS, GROUP_VECTORS, format_vectors.GROUPED, name) for name in sorted(format_vectors.GROUPED)),
        *((JOINT, JOINT_VECTORS, format_vectors.JOINT, name) for name in sorted(format_vectors.JOINT)),
    ],
    ids=[*sorted(format_vectors.GROUPED), *sorted(format_vectors.JOINT)],
)
def test_later_stego_reads_as_on_the_day_it_was_made(
    folder: Path, vectors: dict[str, Any], made: dict[str, Any], name: str
) -> None:
    passphrase, spread, sent = made[name]
    pixels = np.asarray(Image.open(folder / f"{name}.png")).reshape(-1, 3)

    places = draw_places(len(pixels), keys.derive_locator(passphrase, len(pixels)))
    salt, group = read_salt(pixels, places)
    subkeys = keys.derive(passphrase, salt)
    header = open_header(pixels, subkeys, places, group)
    body = Body.from_bytes(header.own)
    symbols = count_sent(header.hidden_shape, body.planes)
    phases = numbered(header.channel).read(pixels, subkeys, symbols, body.spread)

    told = vectors["stegos"][name]
    assert (salt, group) == (format_vectors.SALT, told["group"])
    assert group > 1 or folder == JOINT
    assert header.channel == (LUMA_JOINT if folder == JOINT else LUMA_PHASE)
    assert header.to_bytes().hex() == told["header"]
    assert (body.spread, body.planes) == (spread, sent)
    assert format_vectors.digest(phases) == told["phases"]
    error = wrap(phases - format_vectors.targets(symbols))
    assert np.sqrt(np.mean(error**2.0)) < 45
