"""Pack what must come back from a lent machine into one file that is small enough to be carried.

STATE/JOB/{checkpoint.pt, run.json, log.jsonl, weights/*, *.json, *.md} <─> STATE/JOB.zip
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from stegcli.errors import TrainingError
from stegcli.pictures.drafts import replacing
from stegcli.training.loop.checkpoint import Run

LIMIT = 16 * 2**20
"""Largest size of a pack in bytes."""

LOG = "log.jsonl"
CHECKPOINT = "checkpoint.pt"
PATTERNS = (CHECKPOINT, "*.json", LOG, "*.md", "weights/*")
"""TensorBoard's files and the samples are left out, since they consist mostly of pictures."""


def pack(folder: Path, target: Path) -> int:
    """Write the pack of a job's folder, which appears whole or not at all; return its size in bytes.

    If it would be too large, the optimisers' state is left out of the checkpoint: the networks can still be
    measured, exported and used as a starting point, but an unfinished run cannot be resumed.

    Raises:
        TrainingError: it would exceed LIMIT.
    """
    files = sorted({path for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file()})
    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    size = _write(contents, target)
    if size >= LIMIT and Run(folder).facts().get("finished") and CHECKPOINT in contents:
        contents[CHECKPOINT] = Run(folder).without_optimisers()
        size = _write(contents, target)
    if size >= LIMIT:
        target.unlink()
        largest = max(contents, key=lambda name: len(contents[name]))
        raise TrainingError(
            f"the pack of {folder} has {size / 2**20:.1f} MiB; at most {LIMIT / 2**20:.0f} MiB are allowed",
            f"{largest} is its largest file: lower pool_size or the widths in the recipe",
        )
    return size


def _write(contents: Mapping[str, bytes], target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target, force=True) as draft:
        with zipfile.ZipFile(draft.file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
        return draft.file.tell()


def unpack(source: Path, folder: Path) -> None:
    """Restore a job's folder from its pack.

    Raises:
        TrainingError: it is damaged, or holds what a pack cannot hold.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            for name in archive.namelist():
                _check(name, source)
            archive.extractall(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{source} cannot be unpacked: {error}", "copy it here again") from error


def _check(name: str, source: Path) -> None:
    """Check that a pack names only files side by side, and in weights/."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not any(path.match(pattern) for pattern in PATTERNS):
        raise TrainingError(f"{source} is not the pack of a job: it holds {name}", "choose another file")
