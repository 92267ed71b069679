"""Vectors that pin format version 1: every byte that a reader of today's files will ever need.

`tests/golden/test_format.py` computes them anew and compares. A difference means that files already written
cannot be read any more, so these vectors are never updated; a new format version gets its own, made by

    python tests/support/format_vectors.py tests/golden/format-<version>

What later releases also write under the same version has a folder beside it: `format-1-groups` pins
parities of groups of pixels, and maps of which not all planes are sent; `format-1-joint` the channel in which
four symbols share their pixels; `format-1-run` the keys of files that were hidden in a run of many.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stegcli.carriers import scatter, streams
from stegcli.carriers.parity import GROUP_SIZES, pixel_parities
from stegcli.carriers.phases import channel, joint, single
from stegcli.carriers.phases.channel import LUMA_PHASE, PLAIN, Channel
from stegcli.envelope import keys
from stegcli.envelope.header import Header, draw_places, group_size, parity_plan, seal
from stegcli.methods.phase import planes
from stegcli.methods.phase.body import Body, code_to_sigma
from stegcli.pictures import luma

SALT = bytes(range(16))
PASSPHRASES = {"public": None, "plain": "correct horse", "accented": "cafe\u0301"}
HEADER = Header(
    channel=LUMA_PHASE,
    secret_height=3000,
    secret_width=70000,
    hidden_height=60,
    hidden_width=65,
    keyed=True,
    own=Body(bytes.fromhex("c0ffee42"), spread=1, noise_code=101).to_bytes(),
)
PIXEL_COUNTS = (4096, 65_536, 300_000, 2_000_000)
STEGOS = {"keyed": ("correct horse", 1), "public": (None, 4)}
GROUPED = {"grouped": ("correct horse", 16, 12), "coarse": (None, 64, 4)}
"""Name -> passphrase, spread, planes."""
JOINT = {"shared": ("correct horse", 5, 64), "sparse": (None, 40, 8)}
"""Name -> passphrase, spread, planes."""


def digest(values: np.ndarray) -> dict[str, Any]:
    """The first eight values, for reading, and a hash of all of them as little-endian int64."""
    flat = values.astype("<i8").ravel()
    return {
        "first": flat[:8].tolist(),
        "count": len(flat),
        "sha256": hashlib.sha256(flat.tobytes()).hexdigest(),
    }


def luma_vectors() -> dict[str, Any]:
    colours = np.array(
        [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [1, 2, 3], [200, 100, 50]]
    )
    rgb = colours.astype(np.uint8)
    return {"rgb": rgb.tolist(), "milli": luma.luma_milli(rgb).tolist(), "gray": luma.gray(rgb).tolist()}


def key_vectors() -> dict[str, Any]:
    derived = {name: keys.derive(passphrase, SALT) for name, passphrase in PASSPHRASES.items()}
    vectors: dict[str, Any] = {
        name: {"header": k.header.hex(), "keystream": k.keystream.hex(), "permutation": k.permutation.hex()}
        for name, k in derived.items()
    }
    for name, passphrase in PASSPHRASES.items():
        vectors[name]["locators"] = {str(n): keys.derive_locator(passphrase, n).hex() for n in (4096, 65_536)}
    return vectors


def stream_vectors() -> dict[str, Any]:
    key = bytes(range(32))
    return {
        "words32": digest(streams.words32(key, 20_000)),
        "words64": [int(word) for word in streams.words64(key, 4)],
        "scaled": digest(streams.scaled(streams.words32(key, 1000), 12_345)),
    }


def channel_vectors() -> dict[str, Any]:
    subkeys = keys.derive("correct horse", SALT)
    return {
        "pad": digest(single.pad(5000, subkeys)),
        "groups": {
            f"{n} pixels, {symbols} x {spread}": digest(scatter.embedding_groups(n, symbols, spread, subkeys))
            for n, symbols, spread in [(4096, 4096, 1), (4096, 100, 40), (70_001, 10_000, 7)]
        },
    }


def container_vectors() -> dict[str, Any]:
    sealed = seal(HEADER, keys.derive("correct horse", SALT))
    plans = {
        n: parity_plan(n, SALT, sealed, draw_places(n, keys.derive_locator("correct horse", n)))
        for n in PIXEL_COUNTS
    }
    return {
        "plaintext": HEADER.to_bytes().hex(),
        "sealed": sealed.hex(),
        "bits": np.packbits(plans[4096][1]).tobytes().hex(),
        "positions": {str(n): digest(positions) for n, (positions, _) in plans.items()},
        "repeated_bits": {str(n): digest(bits) for n, (_, bits) in plans.items()},
        "sigma": {str(code): code_to_sigma(code) for code in (0, 24, 101, 255)},
    }


SECTIONS = {
    "luma": luma_vectors,
    "keys": key_vectors,
    "streams": stream_vectors,
    "channel": channel_vectors,
    "container": container_vectors,
}


def targets(symbols: int) -> np.ndarray:
    """(symbols,) phases in thousandths that the hand-made stegos carry."""
    return np.arange(symbols) * 37 % luma.MILLI


def handmade_cover(height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8: slanted ramps, with a black and a white corner where colours clip."""
    rows, columns = np.mgrid[:height, :width]
    cover = np.stack([rows + columns, 3 * rows + columns, 200 - rows + 2 * columns], axis=-1) % 256
    cover[:8, :8], cover[-8:, -8:] = 0, 255
    return cover.astype(np.uint8)


def make_stego(name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """A full stego without any network: header in the parities, `targets` in the phases."""
    passphrase, spread = STEGOS[name]
    sizes = {"secret_height": 120, "secret_width": 132, "hidden_height": 30, "hidden_width": 33}
    return _written(handmade_cover(72, 80), passphrase, 1, PLAIN, Body(b"hand", spread, 100), **sizes)


def _written(
    cover: np.ndarray,
    passphrase: str | None,
    group: int,
    way: Channel,
    body: Body,
    subkeys: streams.Keys | None = None,
    **sizes: int,
) -> tuple[np.ndarray, dict[str, Any]]:
    header = Header(
        channel=way.number,
        keyed=passphrase is not None,
        own=body.to_bytes(),
        **sizes,
    )
    pixels = cover.reshape(-1, 3)
    subkeys = subkeys or keys.derive(passphrase, SALT)
    places = draw_places(len(pixels), keys.derive_locator(passphrase, len(pixels)))
    plan = parity_plan(len(pixels), SALT, seal(header, subkeys), places, group)
    parity = pixel_parities(pixels, *plan, None)
    wanted = targets(planes.count_sent(header.hidden_shape, body.planes))
    stego = way.write(pixels, wanted, subkeys, spread=body.spread, lam=0.001, parity=parity)
    phases = way.read(stego, subkeys, len(wanted), body.spread)
    return stego.reshape(cover.shape), {"header": header.to_bytes().hex(), "phases": digest(phases)}


def group_vectors() -> dict[str, Any]:
    """Where groups lie, and which places a plane holds."""
    sealed = seal(HEADER, keys.derive("correct horse", SALT))
    places = draw_places(300_000, keys.derive_locator("correct horse", 300_000))
    plans = {group: parity_plan(300_000, SALT, sealed, places, group) for group in GROUP_SIZES}
    return {
        "positions": {str(group): digest(positions) for group, (positions, _) in plans.items()},
        "plane_of_place": [list(row) for row in planes.PLANE_OF_PLACE],
    }


def make_grouped(name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Like `make_stego`, with parities of groups and some planes of a map."""
    passphrase, spread, sent = GROUPED[name]
    cover = handmade_cover(240, 200)
    group = group_size(cover[..., 0].size, spread)
    sizes = {"secret_height": 100, "secret_width": 90, "hidden_height": 100, "hidden_width": 90}
    stego, told = _written(cover, passphrase, group, PLAIN, Body(b"hand", spread, 100, sent), **sizes)
    return stego, {**told, "group": group}


def joint_vectors() -> dict[str, Any]:
    """What each slot of a block adds to each symbol, and the keystream that is added to it."""
    subkeys = keys.derive("correct horse", SALT)
    return {"multipliers": joint.MULTIPLIERS.tolist(), "pad": digest(joint.pad(1000, subkeys))}


def make_joint(name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Like `make_grouped`, with four symbols to a block."""
    passphrase, spread, sent = JOINT[name]
    cover = handmade_cover(240, 200)
    group = group_size(cover[..., 0].size, channel.JOINT.reach(spread))
    sizes = {"secret_height": 97, "secret_width": 91, "hidden_height": 97, "hidden_width": 91}
    stego, told = _written(cover, passphrase, group, channel.JOINT, Body(b"hand", spread, 100, sent), **sizes)
    return stego, {**told, "group": group}


def run_vectors() -> dict[str, Any]:
    """The keys of a file whose salt begins like those of a whole run."""
    vectors: dict[str, Any] = {}
    for name, passphrase in PASSPHRASES.items():
        master = keys.derive_run(passphrase, SALT[: keys.RUN_BYTES])
        k = keys.derive_in_run(master, SALT)
        vectors[name] = {
            "header": k.header.hex(),
            "keystream": k.keystream.hex(),
            "permutation": k.permutation.hex(),
        }
    return vectors


def make_of_run(name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Like `make_stego`, under the keys of a run."""
    passphrase, spread = STEGOS[name]
    master = keys.derive_run(passphrase, SALT[: keys.RUN_BYTES])
    sizes = {"secret_height": 120, "secret_width": 132, "hidden_height": 30, "hidden_width": 33}
    body = Body(b"hand", spread, 100)
    subkeys = keys.derive_in_run(master, SALT)
    return _written(handmade_cover(72, 80), passphrase, 1, PLAIN, body, subkeys, **sizes)


def write_folder(
    folder: Path,
    vectors: dict[str, Any],
    names: Iterable[str],
    make_one: Callable[[str], tuple[np.ndarray, dict[str, Any]]],
) -> None:
    """Write vectors and stegos into a folder that does not exist yet."""
    folder.mkdir(parents=True)
    vectors["stegos"] = {}
    for name in names:
        stego, vectors["stegos"][name] = make_one(name)
        Image.fromarray(stego).save(folder / f"{name}.png", optimize=True)
    (folder / "vectors.json").write_text(json.dumps(vectors, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make vectors for a new format version.")
    parser.add_argument("folder", type=Path)
    root = parser.parse_args().folder
    everything: dict[str, Any] = {name: section() for name, section in SECTIONS.items()}
    write_folder(root, everything, STEGOS, make_stego)
    write_folder(root.with_name(root.name + "-groups"), group_vectors(), GROUPED, make_grouped)
    write_folder(root.with_name(root.name + "-joint"), joint_vectors(), JOINT, make_joint)
    write_folder(root.with_name(root.name + "-run"), run_vectors(), STEGOS, make_of_run)
