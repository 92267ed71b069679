"""Vectors that pin how coded bits are read: frozen sets, the keyed order, and stegos of that release.

`tests/golden/test_coded.py` computes the first two anew and reads the stegos. A difference means that files
already written cannot be read any more, so these vectors are never updated; a new format version gets its
own, made by

    python tests/support/coded_vectors.py tests/golden/coded-<version>

The writer's output is not pinned: it computes in floating point, and may improve.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import syndrome_cases as cases
from format_vectors import digest, handmade_cover
from PIL import Image

from stegcli.carriers import polar, samples, ternary
from stegcli.carriers.keyed_order import KeyedOrder
from stegcli.carriers.prices import colour_precision

FROZEN = [
    *((6, 20, 0), (8, 1, 15), (11, 700, 8), (12, 4000, 4), (14, 163, 15)),
    *((16, 36_044, 0), (17, 917, 11), (18, 1835, 0), (18, 1835, 15), (18, 120_000, 7)),
]
"""Exponent, message bits, shape."""
ORDERS = [(1, 64, 0), (1, 70_001, 0), (3, 5000, 1), (45, 266, 15)]
"""Strips, columns, draw."""
STEGOS = {"small": (12, 15, 25), "strips": (72, 80, 700)}
"""Name -> height, width, bytes of payload."""
INTEGERS = 700
INTEGER_BYTES = 30


def frozen_vectors() -> dict[str, Any]:
    return {
        f"{bits} of 2^{exponent}, shape {shape}": digest(
            np.flatnonzero(polar.frozen_set(exponent, bits, shape))
        )
        for exponent, bits, shape in FROZEN
    }


def order_vectors() -> dict[str, Any]:
    vectors = {}
    for strips, columns, draw in ORDERS:
        order = KeyedOrder.of(strips, columns, cases.keys(1), draw)
        taken = order.take(np.arange(strips * columns))
        vectors[f"{strips} x {columns}, draw {draw}"] = {
            "order": digest(order.order),
            "samples": digest(taken),
        }
    return vectors


SECTIONS = {"frozen sets": frozen_vectors, "orders": order_vectors}


def make_stego(name: str) -> tuple[np.ndarray, dict[str, Any]]:
    height, width, size = STEGOS[name]
    cover = handmade_cover(height, width)
    rho = 1 + (np.arange(height * width) % 7).astype(np.float32)
    pixels = cover.reshape(-1, 3)
    payload = cases.payload(size)
    written = samples.write(pixels, rho, colour_precision(cover), payload, cases.keys(2))
    return written.pixels.reshape(cover.shape), {
        "marks": written.marks.to_bytes().hex(),
        "payload": payload.hex(),
    }


def make_integers() -> dict[str, Any]:
    values = (np.arange(INTEGERS) * 37 % 61 - 30).astype(np.int16)
    up = 1 + (np.arange(INTEGERS) % 5).astype(np.float32)
    up[::11] = np.inf
    payload = cases.payload(INTEGER_BYTES)
    written = ternary.write(values, ternary.Prices(up, up[::-1].copy()), payload, cases.keys(3))
    return {
        "values": written.values.tolist(),
        "marks": written.marks.to_bytes().hex(),
        "payload": payload.hex(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make vectors for a new format version.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True)
    vectors: dict[str, Any] = {name: section() for name, section in SECTIONS.items()}
    vectors["integers"], vectors["stegos"] = make_integers(), {}
    for name in STEGOS:
        stego, vectors["stegos"][name] = make_stego(name)
        Image.fromarray(stego).save(folder / f"{name}.png", optimize=True)
    (folder / "vectors.json").write_text(json.dumps(vectors, indent=1) + "\n", encoding="utf-8")
