"""One file that holds what must come back from a lent machine, small enough to be carried.

STATE/JOB/{checkpoint.pt, run.json, log.jsonl, weights/*, *.json, *.md} <─> STATE/JOB.zip
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from stegcli.errors import TrainingError
from stegcli.pictures.drafts import replacing

LIMIT = 16 * 2**20
"""Bytes that a pack must stay below."""

LOG = "log.jsonl"
PATTERNS = ("checkpoint.pt", "*.json", LOG, "*.md", "weights/*")
"""TensorBoard's files and the samples stay where they are: they are pictures for the most part."""


def pack(folder: Path, target: Path) -> int:
    """Write the pack of a job's folder, which appears whole or not at all; returns its bytes.

    Raises:
        TrainingError: it would not stay below LIMIT.
    """
    files = sorted({path for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file()})
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target, force=True) as draft:
        with zipfile.ZipFile(draft.file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, path.relative_to(folder).as_posix())
        size = draft.file.tell()
        if size >= LIMIT:
            largest = max(files, key=lambda path: path.stat().st_size)
            raise TrainingError(
                f"the pack of {folder} has {size / 2**20:.1f} MiB, and {LIMIT / 2**20:.0f} are too many",
                f"{largest.name} is its largest part: lower pool_size or the widths in the recipe",
            )
    return size


def unpack(source: Path, folder: Path) -> None:
    """Make a job's folder from its pack.

    Raises:
        TrainingError: it is damaged, or holds what no pack holds.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            for name in archive.namelist():
                _check(name, source)
            archive.extractall(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{source} cannot be unpacked: {error}", "carry it here again") from error


def _check(name: str, source: Path) -> None:
    """A pack names files beside each other, and in weights/."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not any(path.match(pattern) for pattern in PATTERNS):
        raise TrainingError(f"{source} is not the pack of a job: it holds {name}", "take another file")
