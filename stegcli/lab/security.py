"""How well a trained detector tells stegos from covers.

covers ─(from JPEG, shrunk by a quarter)─> pairs (cover, stego) ─> features ─> folds by pair ─> ensemble ─>
scores

A pair is never split between training and test. The detection error P_E is that of detectors which did not
see the pair, at the threshold that they chose in training: (false alarms + missed detections) / 2. Two
controls stand in every table: covers against other covers, where only 0.5 is honest, and LSB matching of
every sample, which must be caught.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stegcli import luma, metrics, photos
from stegcli.errors import UsageError
from stegcli.lab import ensemble, features, statistics
from stegcli.lab.subjects import Subject
from stegcli.progress import Progress

__all__ = ["COVER_CONTROL", "SecurityRow", "assess", "covers_of"]

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
_Case = tuple[str, F32, F32, float | None, int]

COVER_CONTROL: Final = "covers against other covers"
SHRINK: Final = 0.75
"""A JPEG's block grid is gone after this."""
COVER_SHAPE: Final = (192, 256)
FOLDS: Final = 5
MIN_COVERS: Final = 20


@dataclass(frozen=True)
class SecurityRow:
    """One subject under one detector, with 95 % intervals by bootstrap over pairs.

    Attributes:
        subject: its name.
        pairs: how many were judged.
        stego_psnr_db: mean, RGB.
        detection_error: P_E, 0 (always caught) .. 0.5 (never).
        error_low: lower end of its interval.
        error_high: upper end.
        auc: area under the ROC, 0.5 .. 1.
        auc_low: lower end of its interval.
        auc_high: upper end.
        roc: [false alarms, detections] at some thresholds.
    """

    subject: str
    pairs: int
    stego_psnr_db: float | None
    detection_error: float
    error_low: float
    error_high: float
    auc: float
    auc_low: float
    auc_high: float
    roc: list[list[float]]


def covers_of(refs: Sequence[photos.ImageRef], count: int, shrink: float = SHRINK) -> list[photos.ImageRef]:
    """The first pictures that are large enough for `COVER_SHAPE` after shrinking.

    Raises:
        UsageError: fewer than `MIN_COVERS` are.
    """
    found: list[photos.ImageRef] = []
    for ref in refs:
        with ref.open() as image:
            if min(image.size) * shrink >= COVER_SHAPE[0] and max(image.size) * shrink >= COVER_SHAPE[1] - 1:
                found.append(ref)
        if len(found) == count:
            break
    if len(found) < MIN_COVERS:
        raise UsageError(
            f"only {len(found)} pictures are large enough to be covers",
            f"Give {MIN_COVERS} of {COVER_SHAPE[1] / shrink:.0f}x{COVER_SHAPE[0] / shrink:.0f} or more.",
        )
    return found


def assess(
    subjects: Sequence[Subject],
    refs: Sequence[photos.ImageRef],
    *,
    feature_set: str = "colour",
    shrink: float = SHRINK,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[SecurityRow]:
    """Judge every subject on the same covers; the control of covers against covers comes first.

    Args:
        subjects: what is compared.
        refs: pictures for the covers, as `covers_of` gives them; secrets are the same ones in another order.
        feature_set: one of `features.FEATURES`.
        shrink: at least so far; 1 leaves a JPEG's block grid in the covers.
        seed: of embedding, folds and ensembles.
        workers: processes; None for one per core.
        progress: told the share of the work done.
    """
    features.features(feature_set)  # an unknown name fails here
    values, psnr = _collect(subjects, refs, (feature_set, shrink), seed, workers, progress)
    covers, half = values[:, 0], len(values) // 2
    work: list[_Case] = [(COVER_CONTROL, covers[:half], covers[half : 2 * half], None, seed)]
    work += [
        (subject.name, covers, values[:, index + 1], float(psnr[:, index].mean()), seed)
        for index, subject in enumerate(subjects)
    ]
    rows = []
    for row in _in_processes(_judge, work, workers, batch=1):
        rows.append(row)
        if progress is not None:
            progress("train", len(rows) / len(work))
    return rows


def _collect(
    subjects: Sequence[Subject],
    refs: Sequence[photos.ImageRef],
    look: tuple[str, float],
    seed: int,
    workers: int | None,
    progress: Progress | None,
) -> tuple[F32, F64]:
    """(n, 1 + subjects, d) features, covers first; (n, subjects) stego PSNR."""
    secrets = [*refs[1:], refs[0]]
    work = [
        (f"{seed}/{i}", cover, secret) for i, (cover, secret) in enumerate(zip(refs, secrets, strict=True))
    ]
    rows, psnr = [], []
    for done, (row, quality) in enumerate(
        _in_processes(partial(_examine, tuple(subjects), look), work, workers, batch=4), start=1
    ):
        rows.append(row)
        psnr.append(quality)
        if progress is not None:
            progress("features", done / len(work))
    return np.stack(rows), np.array(psnr)


def _in_processes(
    function: Callable[[Any], Any], work: list[Any], workers: int | None, batch: int
) -> Iterator[Any]:
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else (os.cpu_count() or 1)
    workers = cores if workers is None else workers
    if workers == 1:
        yield from map(function, work)
        return
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))  # one process per core, so one thread per process
    try:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            yield from pool.map(function, work, chunksize=batch)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def _examine(
    subjects: Sequence[Subject], look: tuple[str, float], item: tuple[str, photos.ImageRef, photos.ImageRef]
) -> tuple[NDArray[np.float32], list[float]]:
    """Features of one cover and of its stegos, and their PSNR."""
    seed, cover_ref, secret_ref = item
    feature_set, shrink = look
    extract = features.features(feature_set)
    cover, secret = load_cover(cover_ref, shrink), luma.gray(load_cover(secret_ref, shrink))
    stegos = [subject.stego(cover, secret, seed) for subject in subjects]
    return np.stack([extract(each) for each in (cover, *stegos)]), [
        metrics.psnr(cover, each) for each in stegos
    ]


def load_cover(ref: photos.ImageRef, shrink: float = SHRINK) -> U8:
    """(192, 256, 3) uint8: the centre of a picture shrunk so far or more, portraits laid on a side."""
    with ref.open() as opened:
        image = opened.convert("RGB")
    if image.width < image.height:
        image = image.transpose(Image.Transpose.ROTATE_90)
    height, width = COVER_SHAPE
    # Much larger ones are shrunk further, so that a cover shows a scene and not a wall.
    scale = min(shrink, max(height / image.height, width / image.width))
    size = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.LANCZOS)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return np.asarray(image.crop((left, top, left + width, top + height)))


def _judge(item: _Case) -> SecurityRow:
    """Name, (n, d) features of covers and of stegos, stego PSNR, seed -> the row."""
    name, covers, stegos, psnr_db, seed = item
    cover_scores, stego_scores = _held_out_scores(covers, stegos, seed)
    alarms, misses = cover_scores > 0, stego_scores <= 0
    low, high = statistics.bootstrap_interval((alarms.astype(float) + misses) / 2, seed)
    auc_low, auc_high = _auc_interval(cover_scores, stego_scores, seed)
    false, hits = statistics.roc(cover_scores, stego_scores)
    return SecurityRow(
        subject=name,
        pairs=len(covers),
        stego_psnr_db=psnr_db,
        detection_error=statistics.detection_error(cover_scores, stego_scores),
        error_low=low,
        error_high=high,
        auc=statistics.auc(cover_scores, stego_scores),
        auc_low=auc_low,
        auc_high=auc_high,
        roc=[[round(float(x), 4), round(float(y), 4)] for x, y in zip(false, hits, strict=True)],
    )


def _held_out_scores(covers: F32, stegos: F32, seed: int) -> tuple[F64, F64]:
    """(n,) scores of covers and of stegos, each by the detector that did not see the pair."""
    count = len(covers)
    fold_of = np.random.default_rng(seed).permutation(count) % FOLDS
    scores = np.empty((2, count))
    for fold in range(FOLDS):
        test = fold_of == fold
        detector = ensemble.train(covers[~test], stegos[~test], seed + fold)
        scores[0, test], scores[1, test] = detector.scores(covers[test]), detector.scores(stegos[test])
    return scores[0], scores[1]


def _auc_interval(cover_scores: F64, stego_scores: F64, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    count = len(cover_scores)
    draws = [rng.integers(count, size=count) for _ in range(statistics.RESAMPLES // 10)]
    areas = [statistics.auc(cover_scores[draw], stego_scores[draw]) for draw in draws]
    tail = 50 * (1 - statistics.CONFIDENCE)
    low, high = np.percentile(areas, [tail, 100 - tail])
    return float(low), float(high)
