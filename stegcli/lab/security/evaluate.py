"""Measure how well a trained detector distinguishes stegos from covers.

covers ─(from JPEG, shrunk by a quarter)─> pairs (cover, stego) ─> features ─> folds by pair ─> ensemble ─>
scores

Neither a pair nor the tiles of one photograph are ever split between training and test. The detection error
P_E is that of detectors that did not see the pair, at the threshold chosen in training: (false alarms +
missed detections) / 2. Every table has two controls: covers against other covers, for which only 0.5 is
plausible, and LSB matching of every sample, which must be detected.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stegcli.crew.base import Crew
from stegcli.lab.data import photos
from stegcli.lab.data.covers import SHRINK, covers_of, load_cover, middle
from stegcli.lab.data.tiles import Tile
from stegcli.lab.security import ensemble, features, verdicts
from stegcli.lab.security.subjects import Subject
from stegcli.lab.security.verdicts import COVER_CONTROL, SecurityRow
from stegcli.pictures import luma, metrics
from stegcli.pictures.writing import save_bytes
from stegcli.progress import Progress

__all__ = [
    "COVER_CONTROL",
    "PROCESSES",
    "SHRINK",
    "Cover",
    "SecurityRow",
    "assess",
    "covers_of",
    "held_out",
    "load_cover",
    "pixels",
]

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Cover = photos.ImageRef | Tile
_Case = tuple[F32, F32, I64 | None, Sequence[int]]

FOLDS: Final = 5

PROCESSES: Final = Crew()
"""One for each core, of one thread each."""


def assess(
    subjects: Sequence[Subject],
    refs: Sequence[Cover],
    *,
    feature_set: str = "colour",
    shrink: float = SHRINK,
    part: float = 1.0,
    seed: int = 0,
    trainings: int = 1,
    kept: Path | None = None,
    crew: Crew = PROCESSES,
    progress: Progress | None = None,
) -> list[SecurityRow]:
    """Judge every subject on the same covers; the control of covers against covers comes first.

    Args:
        subjects: the subjects.
        refs: pictures for the covers, as returned by `covers_of` or `tiles_of`; the secrets are the same
            pictures in another order, for tiles those of another photograph.
        feature_set: one of `features.FEATURES`, or its `SUITE`.
        shrink: least shrinking; 1 keeps a JPEG's block grid in the covers. Tiles have their own factor.
        part: share of each side of the covers that is kept, for smaller covers with the same pixels.
        seed: seed of embedding, folds and ensembles.
        trainings: number of trainings of each detector, each with other folds and ensembles, averaged.
        kept: folder that stores features, so that an interrupted run can be resumed.
        crew: who does it; all but `HERE` give the same figures to the last digit.
        progress: called with the share of the work done.
    """
    detectors = features.detectors(feature_set)
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
    extracts = tuple(dict.fromkeys(name for names in detectors.values() for name in names))
    values, psnr = _collect(subjects, refs, _Look(extracts, shrink, part, kept), seed, crew, progress)
    seeds = [seed + FOLDS * 1000 * number for number in range(trainings)]
    groups = _photographs(refs)
    work: list[_Case] = [
        (*_classes([values[name] for name in names], index, groups), _those(groups, index), seeds)
        for index in range(len(subjects) + 1)
        for names in detectors.values()
    ]
    scores = []
    for pair in crew.map(_held_out_scores, work):
        scores.append(pair)
        if progress is not None:
            progress("train", len(scores) / len(work))
    means = [None, *(float(mean) for mean in psnr.mean(axis=0))]
    rows = zip([COVER_CONTROL, *(subject.name for subject in subjects)], means, strict=True)
    found = iter(scores)
    return [
        verdicts.worst(
            name,
            {each: next(found) for each in detectors},
            seed,
            stego_psnr_db=mean,
            groups=_those(groups, index),
        )
        for index, (name, mean) in enumerate(rows)
    ]


def _photographs(refs: Sequence[Cover]) -> I64 | None:
    """Return (n,) the number of each tile's photograph; None if every cover is a picture of its own."""
    keys = [ref.photograph.key for ref in refs if isinstance(ref, Tile)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys]) if keys else None


def _classes(values: Sequence[F32], index: int, groups: I64 | None) -> tuple[F32, F32]:
    """(n, 1 + subjects, d) features -> (n, d) of covers and of one subject's stegos; other covers for 0."""
    covers = np.concatenate([each[:, 0] for each in values], axis=1)
    if index == 0:
        half = _half(len(covers), groups)
        return covers[:half], covers[half : 2 * half]
    return covers, np.concatenate([each[:, index] for each in values], axis=1)


def _those(groups: I64 | None, index: int) -> I64 | None:
    """Return the groups of the pairs that `_classes` returns: for two covers, the group of the first."""
    return groups[: _half(len(groups), groups)] if groups is not None and index == 0 else groups


def _half(count: int, groups: I64 | None) -> int:
    """Return half the number of covers, in whole photographs."""
    each = _largest(groups)
    return count // (2 * each) * each


def _largest(groups: I64 | None) -> int:
    return 1 if groups is None else int(np.bincount(groups).max())


@dataclass(frozen=True)
class _Look:
    """How pictures are examined: features by name, see `assess` for the rest."""

    extracts: tuple[str, ...]
    shrink: float
    part: float
    kept: Path | None


def _collect(
    subjects: Sequence[Subject],
    refs: Sequence[Cover],
    look: _Look,
    seed: int,
    crew: Crew,
    progress: Progress | None,
) -> tuple[dict[str, F32], F64]:
    """Return (n, 1 + subjects, d) features by name, covers first; and (n, subjects) stego PSNR."""
    groups = _photographs(refs)
    apart = _largest(groups)
    secrets = [*refs[apart:], *refs[:apart]]
    work = [
        (f"{seed}/{i}", cover, secret) for i, (cover, secret) in enumerate(zip(refs, secrets, strict=True))
    ]
    rows, psnr = [], []
    for done, (row, quality) in enumerate(crew.map(partial(_examine, tuple(subjects), look), work), start=1):
        rows.append(row)
        psnr.append(quality)
        if progress is not None:
            progress("features", done / len(work))
    return {name: np.stack([row[name] for row in rows]) for name in look.extracts}, np.array(psnr)


def _examine(
    subjects: Sequence[Subject],
    look: _Look,
    item: tuple[str, Cover, Cover],
) -> tuple[dict[str, F32], list[float]]:
    """Return features of one cover and of its stegos by name, and the PSNR of the stegos."""
    seed, *refs = item
    cover, secret = (middle(pixels(ref, look.shrink), look.part) for ref in refs)
    asked = (seed, *(ref.key for ref in refs), look.shrink, look.part)
    found = [_seen(None, look, asked, cover, secret)]
    found += [_seen(subject, look, asked, cover, secret) for subject in subjects]
    psnr = [float(each["psnr"]) for each in found[1:]]
    return {name: np.stack([each[name] for each in found]) for name in look.extracts}, psnr


def _seen(
    subject: Subject | None, look: _Look, asked: tuple[object, ...], cover: U8, secret: U8
) -> Mapping[str, NDArray[np.floating[Any]]]:
    """Return features of a stego by name, with its PSNR, or of the cover for None; from the store if kept."""
    path = None if look.kept is None else look.kept / _name(subject, look, asked)
    if path is not None and path.is_file():
        with np.load(path) as kept:
            return dict(kept)
    stego = cover if subject is None else subject.stego(cover, luma.gray(secret), str(asked[0]))
    found: dict[str, Any] = {name: features.features(name)(stego) for name in look.extracts}
    found["psnr"] = np.float64(metrics.psnr(cover, stego))
    if path is not None:
        content = io.BytesIO()
        np.savez(content, **found)
        save_bytes(path, content.getvalue(), force=True)
    return found


def _name(subject: Subject | None, look: _Look, asked: tuple[object, ...]) -> str:
    """Of a file that keeps this, by all that it depends on but the program itself."""
    who = None if subject is None else subject.name
    return f"{hashlib.sha256(repr((who, look.extracts, asked)).encode()).hexdigest()[:32]}.npz"


def pixels(ref: Cover, shrink: float) -> U8:
    """(192, 256, 3) uint8 of a picture shrunk so far, or of a tile."""
    return ref.load() if isinstance(ref, Tile) else load_cover(ref, shrink)


def _held_out_scores(case: _Case) -> tuple[F64, F64]:
    """Covers, stegos, groups and seeds as for `held_out` -> (s, n) scores of each."""
    covers, stegos, groups, seeds = case
    groups = np.arange(len(covers)) if groups is None else groups
    scores = np.stack([held_out(covers, stegos, groups, seed) for seed in seeds], axis=1)
    return scores[0], scores[1]


def held_out(covers: F32, stegos: F32, groups: I64, seed: int) -> tuple[F64, F64]:
    """Scores by detectors that saw nothing of a pair's group.

    Args:
        covers: (n, d) features.
        stegos: (n, d) features of the same pictures.
        groups: (n,) numbers from 0, none left out: what is never split between training and test.
        seed: of folds and ensembles.

    Returns:
        (n,) scores of covers, and of stegos.
    """
    fold_of = (np.random.default_rng(seed).permutation(groups.max() + 1) % FOLDS)[groups]
    scores = np.empty((2, len(covers)))
    for fold in range(FOLDS):
        test = fold_of == fold
        detector = ensemble.train(covers[~test], stegos[~test], seed + fold)
        scores[0, test], scores[1, test] = detector.scores(covers[test]), detector.scores(stegos[test])
    return scores[0], scores[1]
