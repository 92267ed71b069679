"""Measure how well detectors distinguish JPEG files that carry from those that do not.

photographs ─(shrunk)─> squares ─(quality)─> JPEG ─> stegos ─> DCTR, GFR ─> folds by photograph ─> ridge

Squares of one photograph are never split between training and test, since they share their noise. Shrinking
removes the traces of the photograph's own JPEG. The detector with the least error counts.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stegcli.carriers.jpeg_fresh import fresh_cover
from stegcli.carriers.jpeg_scan import JpegCover
from stegcli.crew.base import Crew
from stegcli.errors import UsageError
from stegcli.lab.data import photos
from stegcli.lab.security import jpeg_features, ridge, verdicts
from stegcli.lab.security.evaluate import PROCESSES
from stegcli.lab.security.jpeg_subjects import CodedJpegSubject, JpegSubject, NsF5Subject
from stegcli.lab.security.verdicts import COVER_CONTROL, SecurityRow
from stegcli.pictures.writing import save_bytes
from stegcli.progress import Progress

__all__ = ["COVER_SETS", "FEATURE_SET", "CoverSet", "Square", "assess", "squares", "subjects_of"]

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

FEATURE_SET: Final = "dctr+gfr"
_SIDE: Final = 512
_CONTROL_RATE: Final = 0.4
_LEAST_PHOTOGRAPHS: Final = ridge.FOLDS
_CONTROLS: Final = 4
"""Number of random halvings of the photographs in the control of covers."""


@dataclass(frozen=True)
class CoverSet:
    """Files that a detector learns from and judges together.

    Attributes:
        quality: quality of the files.
        shrink: factor by which photographs are shrunk first; the closer to 1, the more squares there are.
        rates: coded bits per non-zero AC coefficient of luma.
        informed: the same with side information, as for a file that the program itself makes.
        one_in: every how-manieth square is used.
    """

    quality: int
    shrink: float
    rates: tuple[float, ...]
    informed: tuple[float, ...] = ()
    one_in: int = 1


COVER_SETS: Final = (
    CoverSet(75, 0.9, rates=(0.1,)),
    CoverSet(90, 0.9, rates=(0.1, 0.4), informed=(0.4,), one_in=2),
    CoverSet(75, 2 / 3, rates=(0.1,)),
    CoverSet(90, 2 / 3, rates=(0.1, 0.4), informed=(0.4,)),
)
"""Shrinking to two thirds removes a photograph's own JPEG; nine tenths is close to what users have."""


@dataclass(frozen=True)
class Square:
    """A part of a photograph.

    Attributes:
        rgb: (512, 512, 3) uint8.
        photograph: number of the photograph.
        name: name of the photograph, and the position in it.
    """

    rgb: U8
    photograph: int
    name: str


@dataclass(frozen=True)
class _Look:
    """How squares are examined; see `assess`."""

    subjects: tuple[JpegSubject, ...]
    covers: CoverSet
    seed: int
    kept: Path | None


def squares(refs: Sequence[photos.ImageRef], shrink: float, most: int | None) -> Iterator[Square]:
    """Yield parts of each photograph, at most `most`, that do not overlap and are as far apart as possible.

    Raises:
        UsageError: too few photographs are large enough.
    """
    used = 0
    for ref in refs:
        with ref.open() as opened:
            size = (round(opened.width * shrink), round(opened.height * shrink))
            if min(size) < _SIDE:
                continue
            rgb = np.asarray(opened.convert("RGB").resize(size, Image.Resampling.LANCZOS))
        places = [(y, x) for y in range(size[1] // _SIDE) for x in range(size[0] // _SIDE)]
        for index in np.unique(np.linspace(0, len(places) - 1, most or len(places)).round().astype(int)):
            top, left = (_SIDE * place for place in places[index])
            part = rgb[top : top + _SIDE, left : left + _SIDE].copy()
            yield Square(part, used, f"{ref.key}, {top}, {left}")
        used += 1
    if used < _LEAST_PHOTOGRAPHS:
        raise UsageError(
            f"only {used} photographs are large enough",
            f"Give {_LEAST_PHOTOGRAPHS} of {round(_SIDE / shrink)} pixels a side or more.",
        )


def subjects_of(covers: CoverSet) -> list[JpegSubject]:
    """Return what is judged in files of one set; the control that must be detected comes first."""
    quality = f"q{covers.quality}"
    return [
        NsF5Subject(f"nsF5, {quality}, {_CONTROL_RATE:g} bpnzAC", _CONTROL_RATE),
        *(CodedJpegSubject(f"coded, {quality}, {rate:g} bpnzAC", rate) for rate in covers.rates),
        *(
            CodedJpegSubject(f"coded with side information, {quality}, {rate:g} bpnzAC", rate, informed=True)
            for rate in covers.informed
        ),
    ]


def assess(
    covers: CoverSet,
    parts: Sequence[Square],
    *,
    seed: int = 0,
    kept: Path | None = None,
    crew: Crew = PROCESSES,
    progress: Progress | None = None,
) -> list[SecurityRow]:
    """Judge every subject on the same files; the control of covers against covers comes first.

    Args:
        covers: what is judged, in which files.
        parts: squares for the files, from at least eight photographs.
        seed: seed of embedding and folds.
        kept: folder that stores features, so that an interrupted run can be resumed.
        crew: as for `security.assess`.
        progress: called with the share of the work done.
    """
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
    parts, subjects = parts[:: covers.one_in], subjects_of(covers)
    rows, psnr = [], []
    look = partial(_examine, _Look(tuple(subjects), covers, seed, kept))
    for features, decibels in crew.map(look, list(parts)):
        rows.append(features)
        psnr.append(decibels)
        if progress is not None:
            progress("features", len(rows) / len(parts))
    values, mean_psnr = np.stack(rows, axis=1), np.mean(psnr, axis=0)
    numbers = np.array([part.photograph for part in parts])
    told = f", shrunk to {covers.shrink:.2g}"
    found = [_control(values[0], numbers, seed, f"{COVER_CONTROL}, q{covers.quality}{told}")]
    for index, subject in enumerate(subjects, start=1):
        scores = {
            name: _pair_scores(values[0, :, columns], values[index, :, columns], numbers, seed)
            for name, columns in jpeg_features.SETS.items()
        }
        mean = float(mean_psnr[index - 1])
        found.append(verdicts.worst(subject.name + told, scores, seed, stego_psnr_db=mean, groups=numbers))
        if progress is not None:
            progress("train", index / len(subjects))
    return found


def _examine(look: _Look, part: Square) -> tuple[F32, list[float]]:
    """Return (1 + subjects, d) features of one file and of its stegos, and the PSNR of their luma."""
    fresh = cache(lambda: fresh_cover(part.rgb, look.covers.quality))
    found = [_seen(subject, look, part.name, fresh) for subject in (None, *look.subjects)]
    return np.stack([features for features, _ in found]), [psnr for _, psnr in found[1:]]


def _seen(
    subject: JpegSubject | None, look: _Look, name: str, fresh: Callable[[], tuple[JpegCover, F32]]
) -> tuple[F32, float]:
    """Return features and PSNR of a stego, or of the cover for None; from the store if kept."""
    asked = (subject and subject.name, name, look.covers.quality, look.seed, look.covers.shrink, _SIDE)
    path = look.kept and look.kept / f"{hashlib.sha256(repr(asked).encode()).hexdigest()[:32]}.npz"
    if path and path.is_file():
        with np.load(path) as kept:
            return kept["features"], float(kept["psnr"])
    cover, error = fresh()
    luma = subject.stego(cover, error, f"{look.seed}/{name}/{look.covers.quality}") if subject else cover.luma
    step = 8 * (2 - look.covers.quality / 50)
    found, psnr = jpeg_features.features(luma, cover.luma_quantization, step), _psnr(cover, luma)
    if path:
        content = io.BytesIO()
        np.savez(content, features=found, psnr=psnr)
        save_bytes(path, content.getvalue(), force=True)
    return found, psnr


def _psnr(cover: JpegCover, luma: NDArray[np.int16]) -> float:
    """Return the PSNR of decoded luma before rounding: the transform is orthonormal."""
    steps = (luma - cover.luma).astype(np.float64) * cover.luma_quantization
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(255**2 / (np.square(steps).sum() / luma.size)))


def _pair_scores(covers: F32, stegos: F32, photographs: I64, seed: int) -> tuple[F64, F64]:
    """(1, n) scores of covers and of stegos, held out by photograph."""
    labels = np.repeat([-1.0, 1.0], len(covers))
    both = np.concatenate([covers, stegos])
    scores = ridge.held_out(both, labels, np.tile(photographs, 2), seed).reshape(2, 1, -1)
    return scores[0], scores[1]


def _control(covers: F32, photographs: I64, seed: int, name: str) -> SecurityRow:
    """Judge covers of half of the photographs against those of the other half: a control.

    Photographs are few, so they are halved several times. Swapping the two halves negates the detector's
    scores, so each halving gives every cover a score as one kind and as the other.
    """
    scores = {
        each: _halves(covers[:, columns], photographs, seed) for each, columns in jpeg_features.SETS.items()
    }
    return verdicts.worst(name, scores, seed, stego_psnr_db=None, groups=photographs)


def _halves(covers: F32, photographs: I64, seed: int) -> tuple[F64, F64]:
    """Return (halvings, n) scores of each cover as one kind, and as the other."""
    found = []
    for number in range(_CONTROLS):
        half = np.random.default_rng([seed, number]).permutation(photographs.max() + 1) % 2
        labels = np.where(half[photographs], 1.0, -1.0)
        found.append(labels * ridge.held_out(covers, labels, photographs, seed + number))
    return -np.stack(found), np.stack(found)
