"""Predefined security evaluations: covers, subjects and detectors."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stegcli._version import __version__
from stegcli.codecs.base import Rate, Target
from stegcli.crew.base import Crew
from stegcli.lab.data import photos, tiles
from stegcli.lab.data.covers import unlearned
from stegcli.lab.quality.baselines import baseline
from stegcli.lab.quality.hiders import Hider, identities
from stegcli.lab.security import evaluate, jpeg_evaluate
from stegcli.lab.security.coded_subjects import CodedSubject, HillSubject
from stegcli.lab.security.subjects import HiderSubject, LsbMatchingSubject, PhaseSubject, Subject
from stegcli.lab.security.verdicts import SecurityRow
from stegcli.pictures import luma
from stegcli.progress import Progress

__all__ = ["JPEG", "PRESETS", "Preset", "SecurityResult", "run", "run_jpeg"]

U8 = NDArray[np.uint8]
Steganalyzer = Callable[[U8, U8, int], float]
"""(N, H, W, 3) covers, their stegos and a seed -> accuracy on pairs that were not trained on."""


CODED_DB: Final = 40.0
"""PSNR of the secrets that coded bits and their rivals reveal, in dB; some are judged at less as well."""


@dataclass(frozen=True)
class Preset:
    """Extent of an evaluation.

    Attributes:
        covers: largest number of covers.
        spreads: spreads of the phase channel.
        rivals: (baseline, spread) to judge as well.
        coded: spreads of coded bits.
        revealed: PSNR at which coded bits reveal a secret at each of these spreads, in dB.
        rates: bits per cover pixel, of coded bits and of an ideal coder with HILL costs.
        tiled: whether covers are tiles, the same number from each of a few large photographs.
    """

    covers: int
    spreads: tuple[int, ...]
    rivals: tuple[tuple[str, int], ...]
    coded: tuple[int, ...] = ()
    revealed: tuple[float, ...] = (CODED_DB,)
    rates: tuple[float, ...] = ()
    tiled: bool = False


MODEL_SPREADS: Final = (1, 4)
"""Spreads at which models are judged with real secrets."""

_HILL_40: Final = "avif-hill-40"
_SPREADS: Final = (1, 4, 16, 64)
_RIVALS: Final = tuple((_HILL_40, spread) for spread in _SPREADS)
_RATES: Final = (0.5, 0.3, 0.15)

PRESETS: Final = {
    "small": Preset(300, _SPREADS, _RIVALS[:3], (1, 4, 16), rates=(0.5,)),
    "phase": Preset(300, _SPREADS, ()),
    "coded": Preset(500, (), _RIVALS, _SPREADS, (CODED_DB, 36.0), _RATES),
    "camera": Preset(336, (), ((_HILL_40, 4),), (4,), rates=(0.5,), tiled=True),
    "full": Preset(
        500,
        (1, 2, 4, 8, 16, 64),
        (("lsb-332", 1), *_RIVALS),
        _SPREADS,
        (CODED_DB, 36.0),
        _RATES,
    ),
}

JPEG: Final = "jpeg"
"""Name of the preset of `run_jpeg`."""


@dataclass(frozen=True)
class SecurityResult:
    """A finished evaluation.

    Attributes:
        sources: data sets.
        covers: number of covers.
        covers_sha256: SHA-256 over their names.
        feature_set: features of the detectors.
        shrink: least shrinking of pictures to covers.
        seed: seed of everything random.
        models: name -> checksums.
        rows: results, controls first.
        accuracies: accuracy of the paper's steganalyzer by subject; empty if it was not requested.
    """

    sources: tuple[str, ...]
    covers: int
    covers_sha256: str
    feature_set: str
    shrink: float
    seed: int
    models: dict[str, str]
    rows: tuple[SecurityRow, ...]
    accuracies: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return all fields as JSON values."""
        return {"what": "security", "version": __version__, **asdict(self)}


def run(
    preset: str,
    datasets: Sequence[str],
    data_root: Path | None,
    *,
    models: Sequence[Hider] = (),
    feature_set: str = "colour",
    covers: int | None = None,
    shrink: float = evaluate.SHRINK,
    steganalyzer: Steganalyzer | None = None,
    seed: int = 0,
    trainings: int = 1,
    kept: Path | None = None,
    crew: Crew = evaluate.PROCESSES,
    progress: Progress | None = None,
) -> SecurityResult:
    """Judge the phase channel, coded bits, their rivals and the given models on photographs.

    Args:
        preset: one of `PRESETS`.
        datasets: as for `photos.find`; of those on which costs were trained, only the unseen part is used.
        data_root: folder of the known data sets.
        models: models to judge as well, with real secrets.
        feature_set: one of `features.FEATURES`, or its `SUITE`.
        covers: number of covers instead of the preset's; of tiles about as many, equally many per photograph.
        shrink: as for `evaluate.assess`; tiles are shrunk by a third.
        steganalyzer: the paper's steganalyzer, if it is to judge, too.
        seed: seed of everything random.
        trainings: as for `evaluate.assess`.
        kept: as for `evaluate.assess`.
        crew: as for `security.assess`.
        progress: called with the stage and the share of it that is done.
    """
    chosen = PRESETS[preset]
    refs = [ref for dataset in datasets for ref in unlearned(dataset, data_root)]
    shown_refs = _covers(chosen, refs, covers or chosen.covers, shrink, seed)
    subjects = _subjects(chosen, models)
    rows = evaluate.assess(
        subjects,
        shown_refs,
        feature_set=feature_set,
        shrink=shrink,
        seed=seed,
        trainings=trainings,
        kept=kept,
        crew=crew,
        progress=progress,
    )
    accuracies = {}
    if steganalyzer is not None:
        shown = np.stack([evaluate.pixels(ref, shrink) for ref in shown_refs])
        for subject in subjects:
            accuracies[subject.name] = steganalyzer(shown, _stegos(subject, shown, seed), seed)
    return SecurityResult(
        sources=_names(datasets),
        covers=len(shown_refs),
        covers_sha256=hashlib.sha256("\n".join(ref.key for ref in shown_refs).encode()).hexdigest(),
        feature_set=feature_set,
        shrink=tiles.SHRINK if chosen.tiled else shrink,
        seed=seed,
        models=identities(models),
        rows=tuple(rows),
        accuracies=accuracies,
    )


def run_jpeg(
    datasets: Sequence[str],
    data_root: Path | None,
    *,
    covers: int | None = None,
    seed: int = 0,
    kept: Path | None = None,
    crew: Crew = evaluate.PROCESSES,
    progress: Progress | None = None,
) -> SecurityResult:
    """Judge coded bits in new JPEG files of `jpeg_evaluate.COVER_SETS`, from at least eight photographs.

    Args:
        datasets: as for `photos.find`.
        data_root: folder of the known data sets.
        covers: about how many squares at each shrink factor, equally many per photograph; None for all.
        seed: seed of everything random.
        kept: as for `jpeg_evaluate.assess`.
        crew: as for `security.assess`.
        progress: called with the stage and the share of it that is done.
    """
    refs = [ref for dataset in datasets for ref in photos.find(dataset, data_root)]
    each = None if covers is None else max(1, round(covers / max(1, len(refs))))
    parts = {
        shrink: list(jpeg_evaluate.squares(refs, shrink, each))
        for shrink in dict.fromkeys(chosen.shrink for chosen in jpeg_evaluate.COVER_SETS)
    }
    rows = [
        row
        for chosen in jpeg_evaluate.COVER_SETS
        for row in jpeg_evaluate.assess(
            chosen, parts[chosen.shrink], seed=seed, kept=kept, crew=crew, progress=progress
        )
    ]
    return SecurityResult(
        sources=_names(datasets),
        covers=sum(map(len, parts.values())),
        covers_sha256=photos.digest(refs),
        feature_set=jpeg_evaluate.FEATURE_SET,
        shrink=max(parts),
        seed=seed,
        models={},
        rows=tuple(rows),
        accuracies={},
    )


def _covers(
    preset: Preset, refs: list[photos.ImageRef], count: int, shrink: float, seed: int
) -> Sequence[evaluate.Cover]:
    if preset.tiled:
        return tiles.tiles_of(refs, max(1, round(count / max(1, len(refs)))))
    random.Random(seed).shuffle(refs)  # noqa: S311 - repeatable on purpose
    return evaluate.covers_of(refs, count, shrink)


def _names(datasets: Sequence[str]) -> tuple[str, ...]:
    return tuple(Path(name.removeprefix("folder:")).name for name in datasets)


def _stegos(subject: Subject, covers: U8, seed: int) -> U8:
    """Return (N, H, W, 3): each cover with the luma of the next one hidden in it."""
    secrets = [luma.gray(cover) for cover in np.roll(covers, -1, axis=0)]
    pairs = zip(covers, secrets, strict=True)
    return np.stack([subject.stego(*pair, f"{seed}/{number}") for number, pair in enumerate(pairs)])


def _subjects(preset: Preset, models: Sequence[Hider]) -> list[Subject]:
    return [
        LsbMatchingSubject(),
        *(PhaseSubject(spread, f"phase, spread {spread}") for spread in preset.spreads),
        *(HiderSubject(baseline(name), f"{name}, spread {spread}", spread) for name, spread in preset.rivals),
        *(HillSubject(f"ideal coder, HILL, {rate:g} bit per pixel", rate) for rate in preset.rates),
        *(
            CodedSubject(f"coded@{quality:g}, spread {spread}", Target(quality), spread)
            for quality in preset.revealed
            for spread in preset.coded
        ),
        *(CodedSubject(f"coded, {rate:g} bit per pixel", Rate(rate)) for rate in preset.rates),
        *(
            HiderSubject(model, f"{model.name}, spread {spread}", spread)
            for model in models
            for spread in MODEL_SPREADS
        ),
    ]
