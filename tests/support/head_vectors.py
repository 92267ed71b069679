"""Vectors that pin format version 2: the head in samples, the body in coded bits, and small stegos.

`tests/golden/test_coded_head.py` computes them anew and compares. A difference means that files already
written cannot be read any more, so these vectors are never updated; a new format gets its own, made by

    python tests/support/head_vectors.py tests/golden/coded-head-<version>

Stegos are not compared byte for byte: costs may change, but what is read must not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from coded_cases import CHANNEL, SALT, hidden, keyring
from format_vectors import digest, handmade_cover
from PIL import Image

from stegcli.carriers.syndrome import Layout, Marks
from stegcli.codecs.base import FileSecret
from stegcli.envelope import head
from stegcli.envelope.head import Head
from stegcli.methods.base import Wishes

HEADS = {
    "picture": Head(
        channel=CHANNEL,
        codec=6,
        keyed=True,
        secret_shape=(3000, 70_000),
        hidden_shape=(300, 7000),
        is_colour=True,
        content_bytes=0,
        body_bytes=123_456,
        own=bytes(range(13)),
    ),
    "file": Head(
        channel=CHANNEL,
        codec=1,
        keyed=False,
        secret_shape=(0, 0),
        hidden_shape=(0, 0),
        is_colour=False,
        content_bytes=4_000_000_000,
        body_bytes=17,
        own=bytes(13),
    ),
}
PIXEL_COUNTS = (4096, 65_536, 300_000)
PASSPHRASES = {"public": None, "keyed": "correct horse"}
STEGOS: dict[str, tuple[str | None, np.ndarray | FileSecret]] = {
    "keyed": ("correct horse", FileSecret("note.txt", b"what was written stays written")),
    "public": (None, np.kron(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4, np.ones((2, 3), np.uint8))),
}
"""Name -> passphrase and secret; both kinds are exact, so that no decoder of another release matters."""


def head_vectors() -> dict[str, Any]:
    """Bytes, sealed bytes, positions of the head under each passphrase, and the marks by which it is read."""
    found: dict[str, Any] = {"bytes": {name: each.to_bytes().hex() for name, each in HEADS.items()}}
    for name, passphrase in PASSPHRASES.items():
        ring = keyring(passphrase)
        found[name] = {
            "sealed": head.seal_head(HEADS["picture"], ring.keys(SALT)).hex(),
            "places": {
                str(count): digest(head.PIXELS.draw(count, ring.locator(count))) for count in PIXEL_COUNTS
            },
        }
    return found


def order_vectors() -> dict[str, Any]:
    """Blocks, and where each sample of a body is among the pixels."""
    subkeys = keyring("correct horse").keys(SALT)
    found = {}
    for count in (3072, 49_153, 700_001):
        layout = Layout(count)
        values = np.arange(count, dtype=np.int64)
        found[str(count)] = {
            "groups": [[each.start, each.exponent, each.blocks] for each in layout.groups],
            "order": digest(layout.order(subkeys, 0).take(values)),
            "capacity": layout.capacity(Marks.from_bytes(bytes(5) + b"\x40\x00" * 6).rates),
        }
    return found


SECTIONS = {"head": head_vectors, "order": order_vectors}


def content_digest(secret: np.ndarray | FileSecret) -> str:
    content = secret.content if isinstance(secret, FileSecret) else secret.tobytes()
    return hashlib.sha256(content).hexdigest()


def write_folder(folder: Path) -> None:
    """Write vectors and stegos into a folder that does not exist yet."""
    folder.mkdir(parents=True)
    vectors: dict[str, Any] = {name: section() for name, section in SECTIONS.items()}
    vectors["stegos"] = {}
    for name, (passphrase, secret) in STEGOS.items():
        exact = Wishes(target=100.0)
        made = hidden(handmade_cover(72, 80), secret, passphrase=passphrase, wishes=exact)
        Image.fromarray(made.rgb).save(folder / f"{name}.png", optimize=True)
        vectors["stegos"][name] = {"head": made.header.to_bytes().hex(), "content": content_digest(secret)}
    (folder / "vectors.json").write_text(json.dumps(vectors, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make vectors for a new format of coded bits.")
    parser.add_argument("folder", type=Path)
    write_folder(parser.parse_args().folder)
