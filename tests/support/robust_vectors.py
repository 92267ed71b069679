"""Vectors that pin how `robust` is read: graphs of codes, orders, dithers, heads; stegos of that release.

`tests/golden/test_robust.py` computes the first four anew and opens the stegos, one as it was written and one
that was recompressed. A difference means that files already written cannot be read any more, so these vectors
are never updated; a new format version gets its own, made by

    python tests/support/robust_vectors.py tests/golden/robust-<version>

The writer's output is not pinned: it computes in floating point, and may improve.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import robust_cases as cases
from format_vectors import digest, handmade_cover
from PIL import Image

from stegcli.carriers.ldpc import code_for
from stegcli.carriers.streams import Keys
from stegcli.carriers.sturdy import Ground
from stegcli.carriers.tiles import Tile
from stegcli.codecs.base import FileSecret
from stegcli.envelope import sturdy
from stegcli.envelope.sturdy import SturdyHead

CODES = [(1, 4), (96, 1000), (160, 300), (1736, 3900), (5000, 7000), (12_000, 14_000), (16_384, 33_000)]
"""Bits of the message, places: some for every shape of graph."""
GROUNDS = [(100, 3, 60), (1000, 8, 35), (3000, 12, 75)]
"""Blocks, frequencies, quality."""
HEADS = [SturdyHead(60, 8, 2600, 120, 160), SturdyHead(100, 63, 1, 1, 4095)]
KEYS = Keys(b"a" * 32, b"b" * 32, b"c" * 32)
LOCATOR = b"L" * 32
SALT = b"saltsalt"
DITHER_UNIT = 1 << 23
SIDE = 288
SECRET = FileSecret("note.txt", b"as on the day it was made")
PASSPHRASES = {"public": None, "keyed": "correct horse"}


def code_vectors() -> dict[str, Any]:
    vectors = {}
    for message_bits, places in CODES:
        code = code_for(message_bits, places)
        message = np.unpackbits(np.frombuffer(hashlib.sha256(b"message").digest(), np.uint8))
        coded = code.encode(np.resize(message, message_bits))
        vectors[f"{message_bits} in {places}"] = {"checked": digest(code.checked), "coded": digest(coded)}
    return vectors


def ground_vectors() -> dict[str, Any]:
    vectors = {}
    for blocks, count, quality in GROUNDS:
        ground = Ground.of(np.arange(blocks), count, quality, KEYS)
        vectors[f"{count} of {blocks} at {quality}"] = {
            "order": digest(ground.order),
            "dither": digest(ground.dither * DITHER_UNIT),
            "steps": digest(np.rint(ground.steps * 1000).astype(np.int64)),
            "frequencies": list(ground.frequencies),
        }
    return vectors


def tile_vectors() -> dict[str, Any]:
    tile = Tile.of(LOCATOR)
    return {
        "slots": digest(tile.slots),
        "order": digest(tile.order),
        "dither": digest(tile.dither * DITHER_UNIT),
    }


def head_vectors() -> dict[str, Any]:
    return {head.to_bytes().hex(): digest(sturdy.coded(head, SALT, LOCATOR)) for head in HEADS}


SECTIONS = {"codes": code_vectors, "grounds": ground_vectors, "tile": tile_vectors, "heads": head_vectors}


def make_stego(name: str) -> np.ndarray:
    made = cases.hidden(handmade_cover(SIDE, SIDE), SECRET, passphrase=PASSPHRASES[name], survive="jpeg:75")
    return made.rgb


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make vectors for a new format version.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True)
    vectors: dict[str, Any] = {name: section() for name, section in SECTIONS.items()}
    Image.fromarray(make_stego("public")).save(folder / "public.png", optimize=True)
    Image.fromarray(make_stego("keyed")).save(folder / "keyed.jpg", quality=75)
    (folder / "vectors.json").write_text(json.dumps(vectors, indent=1) + "\n", encoding="utf-8")
