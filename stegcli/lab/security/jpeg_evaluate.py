"""Measure how well a detector distinguishes JPEG files that carry from those that do not.

photographs ─(shrunk to two thirds)─> squares ─(quality)─> JPEG ─> stegos ─> DCTR ─> folds by photograph

Squares of one photograph are never split between training and test, since they share their noise. Shrinking
removes the traces of the photograph's own JPEG.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stegcli.carriers import dct
from stegcli.carriers.jpeg_fresh import fresh_cover
from stegcli.carriers.jpeg_scan import JpegCover
from stegcli.crew.base import Crew
from stegcli.errors import UsageError
from stegcli.lab.data import photos
from stegcli.lab.security import verdicts
from stegcli.lab.security.dctr import dctr
from stegcli.lab.security.evaluate import FOLDS, PROCESSES, held_out
from stegcli.lab.security.jpeg_subjects import CodedJpegSubject, JpegSubject, NsF5Subject
from stegcli.lab.security.verdicts import COVER_CONTROL, SecurityRow
from stegcli.progress import Progress

__all__ = ["QUALITIES", "RATES", "SHRINK", "Square", "assess", "squares", "subjects_at"]

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

QUALITIES: Final = (75, 90)
RATES: Final = (0.1, 0.2, 0.4)
"""Bits per non-zero AC coefficient of luma."""
SHRINK: Final = 2 / 3
_SIDE: Final = 512
_CONTROL_RATE: Final = 0.4
_LEAST_PHOTOGRAPHS: Final = FOLDS


@dataclass(frozen=True)
class Square:
    """A part of a photograph.

    Attributes:
        rgb: (512, 512, 3) uint8.
        photograph: number of the photograph.
    """

    rgb: U8
    photograph: int


def squares(refs: Sequence[photos.ImageRef], most: int) -> Iterator[Square]:
    """Yield parts of each photograph, at most `most`, that do not overlap and are as far apart as possible.

    Raises:
        UsageError: too few photographs are large enough.
    """
    used = 0
    for ref in refs:
        with ref.open() as opened:
            size = (round(opened.width * SHRINK), round(opened.height * SHRINK))
            if min(size) < _SIDE:
                continue
            rgb = np.asarray(opened.convert("RGB").resize(size, Image.Resampling.LANCZOS))
        places = [(y, x) for y in range(size[1] // _SIDE) for x in range(size[0] // _SIDE)]
        for index in np.unique(np.linspace(0, len(places) - 1, most).round().astype(int)):
            top, left = (_SIDE * place for place in places[index])
            yield Square(rgb[top : top + _SIDE, left : left + _SIDE], used)
        used += 1
    if used < _LEAST_PHOTOGRAPHS:
        raise UsageError(
            f"only {used} photographs are large enough",
            f"Give {_LEAST_PHOTOGRAPHS} of {round(_SIDE / SHRINK)} pixels a side or more.",
        )


def subjects_at(quality: int) -> list[JpegSubject]:
    """Return what is judged in files of one quality; the control that must be detected comes first."""
    return [
        NsF5Subject(f"nsF5, q{quality}, {_CONTROL_RATE:g} bpnzAC", _CONTROL_RATE),
        *(CodedJpegSubject(f"coded, q{quality}, {rate:g} bpnzAC", rate) for rate in RATES),
    ]


def assess(
    subjects: Sequence[JpegSubject],
    parts: Sequence[Square],
    quality: int,
    *,
    seed: int = 0,
    crew: Crew = PROCESSES,
    progress: Progress | None = None,
) -> list[SecurityRow]:
    """Judge every subject on the same files; the control of covers against covers comes first.

    Args:
        subjects: the subjects.
        parts: squares for the files, from at least five photographs.
        quality: quality of the files, 50..100.
        seed: seed of embedding, folds and ensembles.
        crew: as for `security.assess`.
        progress: called with the share of the work done.
    """
    rows, psnr = [], []
    work = [(f"{seed}/{number}", part) for number, part in enumerate(parts)]
    for features, decibels in crew.map(partial(_examine, tuple(subjects), quality), work):
        rows.append(features)
        psnr.append(decibels)
        if progress is not None:
            progress("features", len(rows) / len(work))
    values, qualities = np.stack(rows), np.array(psnr)
    numbers = np.array([part.photograph for part in parts])
    found = [_control(values[:, 0], numbers, seed, f"{COVER_CONTROL}, q{quality}")]
    for index, subject in enumerate(subjects, start=1):
        scores = held_out(values[:, 0], values[:, index], numbers, seed)
        mean = float(qualities[:, index - 1].mean())
        found.append(verdicts.row(subject.name, *scores, seed, stego_psnr_db=mean))
        if progress is not None:
            progress("train", index / len(subjects))
    return found


def _examine(
    subjects: Sequence[JpegSubject], quality: int, item: tuple[str, Square]
) -> tuple[F32, list[float]]:
    """Return features of one file and of its stegos, and the PSNR of their luma."""
    seed, part = item
    cover, error = fresh_cover(part.rgb, quality)
    stegos = [subject.stego(cover, error, f"{seed}/{quality}") for subject in subjects]
    table, step = cover.luma_quantization, 8 * (2 - quality / 50)
    features = np.stack([dctr(luma, table, step) for luma in (cover.luma, *stegos)])
    return features, [_psnr(cover, luma) for luma in stegos]


def _psnr(cover: JpegCover, luma: NDArray[np.int16]) -> float:
    """Return the PSNR of decoded luma before rounding: the transform is orthonormal."""
    steps = (luma - cover.luma).astype(np.float64) * cover.luma_quantization
    return float(10 * np.log10(255**2 / (np.square(steps).sum() / luma.size)))


def _control(covers: F32, photographs: NDArray[np.int64], seed: int, name: str) -> SecurityRow:
    """Judge covers of half of the photographs against those of the other half: a control."""
    one, other = covers[photographs % 2 == 0], covers[photographs % 2 == 1]
    half = min(len(one), len(other))
    pairs = np.arange(half) * dct.SIDE // half  # eight groups, so that neighbours stay together
    return verdicts.row(name, *held_out(one[:half], other[:half], pairs, seed), seed, stego_psnr_db=None)
