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
from functools import partial
from multiprocessing import get_context
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stegcli.cores import cores
from stegcli.lab.data import photos
from stegcli.lab.data.covers import SHRINK, covers_of, load_cover, middle
from stegcli.lab.security import ensemble, features, verdicts
from stegcli.lab.security.subjects import Subject
from stegcli.lab.security.verdicts import COVER_CONTROL, SecurityRow
from stegcli.pictures import luma, metrics
from stegcli.progress import Progress

__all__ = ["COVER_CONTROL", "SHRINK", "SecurityRow", "assess", "covers_of", "in_processes", "load_cover"]

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
_Case = tuple[str, F32, F32, float | None, int]

FOLDS: Final = 5


def assess(
    subjects: Sequence[Subject],
    refs: Sequence[photos.ImageRef],
    *,
    feature_set: str = "colour",
    shrink: float = SHRINK,
    part: float = 1.0,
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
        part: of each side of the covers that is kept, for smaller ones with the same pixels.
        seed: of embedding, folds and ensembles.
        workers: processes; None for one per core.
        progress: told the share of the work done.
    """
    features.features(feature_set)  # an unknown name fails here
    values, psnr = _collect(subjects, refs, (feature_set, shrink, part), seed, workers, progress)
    covers, half = values[:, 0], len(values) // 2
    work: list[_Case] = [(COVER_CONTROL, covers[:half], covers[half : 2 * half], None, seed)]
    work += [
        (subject.name, covers, values[:, index + 1], float(psnr[:, index].mean()), seed)
        for index, subject in enumerate(subjects)
    ]
    rows = []
    for row in in_processes(_judge, work, workers, batch=1):
        rows.append(row)
        if progress is not None:
            progress("train", len(rows) / len(work))
    return rows


def _collect(
    subjects: Sequence[Subject],
    refs: Sequence[photos.ImageRef],
    look: tuple[str, float, float],
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
        in_processes(partial(_examine, tuple(subjects), look), work, workers, batch=4), start=1
    ):
        rows.append(row)
        psnr.append(quality)
        if progress is not None:
            progress("features", done / len(work))
    return np.stack(rows), np.array(psnr)


def in_processes(
    function: Callable[[Any], Any], work: list[Any], workers: int | None, batch: int
) -> Iterator[Any]:
    """Like map, in order, over processes of one thread each; `batch` pieces of work travel together."""
    workers = cores() if workers is None else workers
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
    subjects: Sequence[Subject],
    look: tuple[str, float, float],
    item: tuple[str, photos.ImageRef, photos.ImageRef],
) -> tuple[NDArray[np.float32], list[float]]:
    """Features of one cover and of its stegos, and their PSNR."""
    seed, cover_ref, secret_ref = item
    feature_set, shrink, part = look
    extract = features.features(feature_set)
    cover, secret = (middle(load_cover(ref, shrink), part) for ref in (cover_ref, secret_ref))
    stegos = [subject.stego(cover, luma.gray(secret), seed) for subject in subjects]
    return np.stack([extract(each) for each in (cover, *stegos)]), [
        metrics.psnr(cover, each) for each in stegos
    ]


def _judge(item: _Case) -> SecurityRow:
    """Name, (n, d) features of covers and of stegos, stego PSNR, seed -> the row."""
    name, covers, stegos, psnr_db, seed = item
    cover_scores, stego_scores = _held_out_scores(covers, stegos, seed)
    return verdicts.row(name, cover_scores, stego_scores, seed, stego_psnr_db=psnr_db)


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
