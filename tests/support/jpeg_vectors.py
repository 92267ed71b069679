"""A JPEG stego that pins how a secret is read from coefficients: places, keyed orders, head, seal, payload.

`tests/golden/test_coded_jpeg.py` reads it. A difference means that files already written cannot be read any
more, so it is never updated; a new format version gets its own, made by

    python tests/support/jpeg_vectors.py tests/golden/coded-jpeg-<version>

The writer's output is not pinned: its prices are floating-point numbers, and may improve.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import syndrome_cases as cases
from format_vectors import SALT, digest, handmade_cover
from jpeg_files import jpeg_bytes

from stegcli.carriers import jpeg_scan
from stegcli.codecs.base import FileSecret
from stegcli.envelope import head, keys
from stegcli.methods.base import Cover, Job, Wishes
from stegcli.methods.coded.method import CodedMethod
from stegcli.models.loading import Models

STEGOS = {"keyed": ("correct horse", (104, 136)), "public": (None, (97, 131))}
"""Name -> passphrase, height and width."""
SECRET = FileSecret("note.txt", "Täglich grüßt das Murmeltier.".encode())
COUNTS = (4096, 63 * 12 * 17, 2_000_000)


def place_vectors() -> dict[str, Any]:
    """Which coefficients contain a head."""
    return {
        str(count): digest(head.COEFFICIENTS.draw(count, keys.derive_locator("correct horse", count)))
        for count in COUNTS
    }


def make_stego(name: str) -> tuple[bytes, dict[str, Any]]:
    """A file, and what a reader finds in it."""
    passphrase, (height, width) = STEGOS[name]
    rough = np.frombuffer(cases.payload(height * width), np.uint8).reshape(height, width, 1) // 8
    cover_rgb = (handmade_cover(height, width) // 4 * 3 + rough).astype(np.uint8)
    cover = jpeg_scan.open_cover(
        jpeg_bytes(cover_rgb, quality=92, subsampling="4:2:0"), max_pixels=height * width
    )
    made = CodedMethod().hide(
        Job(
            Cover(cover_rgb, jpeg=cover),
            SECRET,
            Models(),
            None,
            keys.Keyring(passphrase),
            Wishes(),
            SALT,
        )
    )
    return made.jpeg, {"head": made.header.to_bytes().hex()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make vectors for a new format version.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True)
    vectors: dict[str, Any] = {"places": place_vectors(), "stegos": {}}
    for name in STEGOS:
        content, vectors["stegos"][name] = make_stego(name)
        (folder / f"{name}.jpg").write_bytes(content)
    (folder / "vectors.json").write_text(json.dumps(vectors, indent=1) + "\n", encoding="utf-8")
