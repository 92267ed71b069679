"""Covers with their stegos in one file, small enough to send: made where the program runs, read anywhere.

    source file of each cover (half the size of its pixels without loss) ─ lab.covers.cut ─> covers ┐
    changes of each spread, a pixel's three samples in one byte, LZMA ──────────────────────────────┴> stegos

Reading needs only numpy and Pillow. Decoders may differ by a grey level, so that a checksum over each cover's
pixels tells whether it is the same as when the changes were made.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stegcli.errors import TrainingError
from stegcli.lab.data.covers import cut
from stegcli.pictures.drafts import explained, replacing

U8 = NDArray[np.uint8]

FORMAT = 1
LARGEST_CHANGE = 2
"""Largest change of a sample by the channel, in grey levels (stegcli.carriers.phases.choice)."""
PLACES = np.array([1, 5, 25], dtype=np.uint8)
"""Weights of the three samples of a pixel in its byte: five values each."""


@dataclass(frozen=True)
class PackedPair:
    """A cover and its stegos as bytes."""

    key: str
    source: bytes
    """An image file from which `cut` makes the cover."""
    digest: str
    """SHA-256 over the cover's pixels."""
    changes: dict[int, bytes]
    """By spread."""

    @property
    def size(self) -> int:
        """Number of bytes in a file."""
        return len(self.source) + sum(map(len, self.changes.values()))


@dataclass(frozen=True)
class PairSet:
    """Covers and their stegos."""

    keys: tuple[str, ...]
    covers: U8
    """(N,192,256,3)"""
    stegos: dict[int, U8]
    """By spread, of the covers' shape."""
    sources: tuple[str, ...]
    """Names of data sets."""
    version: str
    """Version of the program that made the stegos."""

    @property
    def digest(self) -> str:
        """SHA-256 over the covers' names, computed as in the lab."""
        return hashlib.sha256("\n".join(self.keys).encode()).hexdigest()


def packed(key: str, source: bytes, cover: U8, stegos: dict[int, U8]) -> PackedPair:
    """Pack a cover, (192,256,3), with the file that it comes from and its stegos by spread."""
    lossless = io.BytesIO()
    if len(source) > cover.nbytes // 3:  # lossless WebP is rarely smaller
        Image.fromarray(cover).save(lossless, "WEBP", lossless=True, quality=100, method=4)
    shorter = min((part for part in (source, lossless.getvalue()) if part), key=len)
    return PackedPair(key, shorter, _digest(cover), {m: _packed(cover, s) for m, s in stegos.items()})


def _packed(cover: U8, stego: U8) -> bytes:
    change = stego.astype(np.int16) - cover
    if np.abs(change).max() > LARGEST_CHANGE:
        raise TrainingError(
            f"a sample moved by more than {LARGEST_CHANGE} grey levels",
            hint="this file can hold only stegos of the phase channel",
        )
    return lzma.compress(((change + LARGEST_CHANGE).astype(np.uint8) * PLACES).sum(axis=-1, dtype=np.uint8))


def _unpacked(cover: U8, changes: bytes) -> U8:
    joint = np.frombuffer(lzma.decompress(changes), dtype=np.uint8).reshape(*cover.shape[:2], 1)
    return (cover.astype(np.int16) + joint // PLACES % 5 - LARGEST_CHANGE).astype(np.uint8)


def _digest(cover: U8) -> str:
    return hashlib.sha256(np.ascontiguousarray(cover)).hexdigest()


def save(path: Path, pairs: Sequence[PackedPair], sources: Sequence[str], version: str) -> None:
    """Write a file of pairs, which all have the same spreads."""
    spreads = list(pairs[0].changes)
    about = {
        "format": FORMAT,
        "sources": list(sources),
        "version": version,
        "spreads": spreads,
        "keys": [pair.key for pair in pairs],
        "digests": [pair.digest for pair in pairs],
    }
    columns = {"source": [pair.source for pair in pairs]}
    columns |= {f"changes-{m}": [pair.changes[m] for pair in pairs] for m in spreads}
    arrays: dict[str, NDArray[Any]] = {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)}
    for name, parts in columns.items():
        arrays[name] = np.frombuffer(b"".join(parts), dtype=np.uint8)
        arrays[f"{name}-ends"] = np.cumsum([len(part) for part in parts])
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, force=True) as draft, explained(path):
        np.savez(draft.file, **arrays)  # type: ignore[arg-type]


def load(paths: Sequence[Path]) -> PairSet:
    """Read the pairs in one or more files made together.

    Raises:
        TrainingError: a file is invalid, they do not belong together, or a cover is decoded differently.
    """
    parts = [_load(path) for path in paths]
    abouts = [(part.sources, part.version, list(part.stegos)) for part in parts]
    if any(about != abouts[0] for about in abouts):
        raise TrainingError(
            "the files were made in different ways", hint="give files from a single --prepare"
        )
    return PairSet(
        keys=tuple(key for part in parts for key in part.keys),
        covers=np.concatenate([part.covers for part in parts]),
        stegos={m: np.concatenate([part.stegos[m] for part in parts]) for m in parts[0].stegos},
        sources=parts[0].sources,
        version=parts[0].version,
    )


def _load(path: Path) -> PairSet:
    try:
        with np.load(path) as file:
            about = json.loads(file["about"].tobytes())
            columns = {name: file[name] for name in file.files if name != "about"}
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{path} holds no pairs: {error}", hint="make it with --prepare") from None
    if about["format"] != FORMAT:
        raise TrainingError(f"{path} was made by another version", hint="make it again with --prepare")
    with ThreadPoolExecutor() as pool:  # decoders release the interpreter lock
        covers = list(pool.map(_cover, _blobs(columns, "source"), about["digests"], about["keys"]))
        stegos = {
            spread: np.stack(list(pool.map(_unpacked, covers, _blobs(columns, f"changes-{spread}"))))
            for spread in about["spreads"]
        }
    return PairSet(tuple(about["keys"]), np.stack(covers), stegos, tuple(about["sources"]), about["version"])


def _blobs(columns: dict[str, NDArray[Any]], name: str) -> list[bytes]:
    ends = columns[f"{name}-ends"]
    return [part.tobytes() for part in np.split(columns[name], ends[:-1])]


def _cover(source: bytes, digest: str, key: str) -> U8:
    with Image.open(io.BytesIO(source)) as image:
        cover = cut(image)
    if _digest(cover) != digest:
        raise TrainingError(f"{key} is decoded differently here", hint="use the Pillow that made the file")
    return cover
