"""Forecasts of hiding, before anything is written: quality by a dry run, the risk of detection by a table.

A judge says more of a single stego than the table, and ranks several covers by their stegos.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stegcli import pipeline
from stegcli.carriers.costs import hill_cost
from stegcli.detection import judge
from stegcli.detection.risk import coded_risk, deflection, jpeg_risk, risk_at, table
from stegcli.errors import ImageError, UsageError
from stegcli.methods import files
from stegcli.methods import table as methods
from stegcli.methods.phase.planes import count_sent
from stegcli.models.loading import Models
from stegcli.pictures import luma, metrics
from stegcli.pictures.encoded import read_once

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stegcli.detection.judge import Judge, Stegos
    from stegcli.detection.risk import Risk
    from stegcli.methods.base import JpegLoad
    from stegcli.pipeline import HideSettings, Trial
    from stegcli.progress import Progress
    from stegcli.reports import HideReport, Size

    Array = NDArray[np.uint8]
    PathLike = str | os.PathLike[str]

__all__ = [
    "CheckReport",
    "Ranked",
    "check",
    "covers_in",
    "exposure",
    "rank_covers",
    "risk_of",
]

_KNOWN_SIZES: Final = 2
"""Largest cover, in multiples of the lab's covers, for which the judge gives the chance of a miss."""
_PHASES, _CODED = "phase", "coded"
_ALIKE: Final = 1
"""Digits of a deflection that are compared before the exposure is."""
_MOST_GROWTH, _GROWTH_STEPS = 4, 8
"""Number of doublings of a cover's sides that are examined, and of steps in each."""
QUIET_ERROR: Final = 0.4
"""Detection error from which a stego counts as hard to detect: the detector is wrong in four of ten cases."""


@dataclass(frozen=True)
class CheckReport:
    """The forecast for a cover and a secret.

    Attributes:
        model: id of the model, or the family if there is none.
        cover_size: (width, height).
        bpp: secret bits per cover pixel.
        load: how much a JPEG file would carry; None if pixels carry.
        secret_size: (width, height) as given.
        hidden_size: (width, height) as it would be hidden.
        spread: cover pixels per hidden pixel.
        stego_psnr_db: PSNR of stego against cover in a dry run.
        revealed_psnr_db: PSNR of revealed against secret in a dry run.
        risk: detection error in covers of this size, estimated; None for a family that the table does not
            contain.
        measured_risk: the same in covers of `measured_size`, in which it was measured.
        measured_size: (width, height) of those covers.
        missed: chance that a detector by colour rich features mistakes this very stego for a cover, by the
            judge; None like `risk`, for JPEG files, and for covers much larger than, or unlike, those that
            the judge was trained on.
        quiet_cover_size: (width, height) of a cover of this shape with which the error reaches `QUIET_ERROR`;
            None if it does already, or with no measured spread.
        from_jpeg: whether the cover comes from a JPEG and is used unscaled.
        jpeg_errors: (spread, error unscaled, error after scaling by 0.75) as far as measured.
        detector: detector with which the table was measured.
    """

    model: str
    cover_size: tuple[int, int]
    bpp: float
    load: JpegLoad | None
    secret_size: tuple[int, int]
    hidden_size: tuple[int, int]
    spread: int
    stego_psnr_db: float
    revealed_psnr_db: float
    risk: Risk | None
    measured_risk: Risk | None
    measured_size: tuple[int, int]
    missed: float | None
    quiet_cover_size: tuple[int, int] | None
    from_jpeg: bool
    jpeg_errors: tuple[tuple[int, float, float], ...]
    detector: str

    @property
    def in_phases(self) -> bool:
        """Whether the secret would be written as phases."""
        return self.model != _CODED

    def as_json(self) -> dict[str, Any]:
        """Return all fields; sizes as lists, an infinite PSNR as null."""
        values = asdict(self)
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


@dataclass(frozen=True)
class Ranked:
    """One cover that was tried.

    Attributes:
        cover: its file.
        score: the lower, the better, in standard deviations of covers: by a judge (see `judge.weigh`), or the
            deflection by the table; infinite if it cannot be used.
        exposure: see `exposure`.
        stego_psnr_db: PSNR of a trial.
        spread: cover pixels per hidden pixel.
        bpp: hidden bits per cover pixel.
        problem: why it cannot be used; empty if it can.
        risk: detection error by the table; not a number if a judge has rated the stego.
    """

    cover: str
    score: float
    exposure: float = math.nan
    stego_psnr_db: float = math.nan
    spread: int = 0
    bpp: float = math.nan
    problem: str = ""
    risk: float = math.nan

    def as_json(self) -> dict[str, Any]:
        """Return all fields; not a number and infinity as null."""
        values = asdict(self)
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def check(
    cover: PathLike,
    secret: PathLike,
    settings: HideSettings,
    progress: Progress | None = None,
) -> CheckReport:
    """Hide in memory, and look up the risk; arguments as for `pipeline.hide_as`."""
    report = pipeline.hide_as(cover, secret, None, settings, progress=progress)
    if report.secret_size is None or report.hidden_size is None:
        raise UsageError("the forecast is for pictures; a file is hidden as it is", "Use `stegcli hide`.")
    measured = table()
    in_phases = report.family == _PHASES
    lab = measured["jpeg_files"] if report.load else measured
    return CheckReport(
        model=report.model,
        cover_size=report.cover_size,
        bpp=report.bpp,
        load=report.load,
        secret_size=report.secret_size,
        hidden_size=report.hidden_size,
        spread=report.spread,
        stego_psnr_db=report.stego_psnr_db,
        revealed_psnr_db=report.revealed_psnr_db,
        risk=_risk(report, math.prod(report.cover_size)),
        measured_risk=_risk(report, None),
        measured_size=tuple(lab["size"] if report.load else lab["cover_size"]),
        missed=_missed(report, measured),
        quiet_cover_size=_quiet_cover(report),
        from_jpeg=report.from_jpeg and settings.scale_cover == 1 and report.load is None,
        jpeg_errors=tuple((row["spread"], row["as_is"], row["scaled"]) for row in measured["jpeg"])
        if in_phases
        else (),
        detector=(lab if in_phases or report.load else measured["coded"])["detector"],
    )


def risk_of(report: HideReport) -> Risk | None:
    """Estimate the detection error of a stego in covers of its size; None if it was never measured."""
    return _risk(report, math.prod(report.cover_size))


def _risk(report: HideReport | Trial, pixels: int | None) -> Risk | None:
    """Look up the family's table, at a size or, if None, at the lab's; None for a family without a table."""
    if report.family == _PHASES:
        return risk_at(report.spread, pixels)
    if report.family != _CODED:
        return None
    if report.load is None:
        return coded_risk(report.bpp, math.prod(table()["cover_size"]) if pixels is None else pixels)
    size = math.prod(table()["jpeg_files"]["size"]) if pixels is None else pixels
    return jpeg_risk(report.load.rate, report.load.step, size)


def _quiet_cover(report: HideReport) -> Size | None:
    """Size of a cover of this shape at which the error reaches `QUIET_ERROR`; None if needless or in vain."""
    if report.secret_size is None or report.hidden_size is None:
        return None
    if report.family == _PHASES:
        return _quiet_size(report, report.secret_size, report.hidden_size)
    if report.family != _CODED or _grown_risk(report, 1) >= QUIET_ERROR:
        return None
    for step in range(1, _MOST_GROWTH * _GROWTH_STEPS + 1):
        scale = 2 ** (step / _GROWTH_STEPS)
        if _grown_risk(report, scale) >= QUIET_ERROR:
            width, height = report.cover_size
            return math.ceil(width * scale), math.ceil(height * scale)
    return None


def _grown_risk(report: HideReport, scale: float) -> float:
    """Risk of the same bits in a cover whose sides are longer by a factor."""
    pixels = math.ceil(math.prod(report.cover_size) * scale**2)
    if report.load is None:
        return coded_risk(report.bpp / scale**2, pixels).error
    return jpeg_risk(report.load.rate / scale**2, report.load.step, pixels).error


def rank_covers(
    covers: Sequence[PathLike],
    secret: PathLike,
    settings: HideSettings,
    progress: Progress | None = None,
) -> list[Ranked]:
    """Try each cover in memory, best hidden first; those that cannot be used come last, with the reason.

    Stegos in pixels are ranked by a judge (of families without one, by that of phases). JPEG files, and coded
    bits in covers unlike those that their judge knows, are ranked by the deflection that the table gives for
    their size and the bits that they would carry, and by `exposure` if that is nearly equal. Arguments as for
    `pipeline.hide_as`, except that there are several `covers`.

    Raises:
        ImageError: none of them can be used, or the secret cannot.
    """
    secret = read_once(secret, settings.max_pixels)
    found = []
    judges, models = cache(judge.load), Models(settings.weights, settings.device)
    method, _ = methods.chosen(settings.model, models, progressive=settings.target is not None)
    # Or each cover would be blamed for it:
    files.secret_for(method, secret, settings.max_pixels, gray=settings.gray, as_file=settings.as_file)
    for number, cover in enumerate(covers):
        found.append(_try(cover, secret, settings, models, judges))
        if progress is not None:
            progress("measure", (number + 1) / len(covers))
    found.sort(key=lambda ranked: (ranked.score, ranked.exposure, ranked.cover))
    if not found or found[0].problem:
        problem = found[0].problem if found else "there are none"
        raise ImageError(f"none of {len(found)} covers can be used: {problem}", "Give other covers.")
    return found


def covers_in(folder: Path, max_covers: int = 100) -> list[Path]:
    """Return the pictures of a folder, by name.

    Raises:
        UsageError: it is not a folder, or holds no picture or too many.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: not a folder", "Give a folder that holds pictures.")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    if not 1 <= len(found) <= max_covers:
        raise UsageError(f"{folder} holds {len(found)} pictures", f"Give a folder with 1 to {max_covers}.")
    return found


def exposure(cover_rgb: Array, stego_rgb: Array) -> float:
    """How much a stego differs from its cover in conspicuous places: 0 or more, no unit.

    It is the sum of squared steps, weighted by HILL's costs, which are high where a detector finds changes,
    over the square root of the number of pixels: detectability grows with changes and falls with that root
    (Ker, Pevny, Kodovsky and Fridrich, "The square root law of steganographic capacity", 2008).
    """
    costs = hill_cost(luma.luma_levels(cover_rgb))
    steps = np.square(stego_rgb.astype(np.int16) - cover_rgb.astype(np.int16)).sum(axis=-1)
    return float((costs * steps).sum() / math.sqrt(costs.size))


_SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)


def _try(
    cover: PathLike,
    secret: PathLike,
    settings: HideSettings,
    models: Models,
    judges: Callable[[Stegos], Judge],
) -> Ranked:
    try:
        tried = pipeline.trial(cover, secret, settings, models)
    except ImageError as error:
        return Ranked(str(cover), math.inf, problem=error.message)
    pixels, estimate = math.prod(tried.cover_rgb.shape[:2]), math.nan
    score = _judged(tried, pixels, judges)
    if score is None:
        risk = _risk(tried, pixels)
        estimate = math.nan if risk is None else risk.error
        score = round(deflection(estimate), _ALIKE)
    return Ranked(
        str(cover),
        score,
        exposure(tried.cover_rgb, tried.stego_rgb),
        metrics.psnr(tried.cover_rgb, tried.stego_rgb),
        tried.spread,
        tried.bpp,
        risk=estimate,
    )


def _judged(tried: Trial, pixels: int, judges: Callable[[Stegos], Judge]) -> float | None:
    """Return a judge's score; None where the table says more: for JPEG files and unknown covers of bits."""
    if tried.load is not None:
        return None
    stegos = judge.CODED if tried.family == _CODED else judge.PHASES
    before, after = judges(stegos).margins(tried.cover_rgb, tried.stego_rgb, _amount(tried, stegos))
    if stegos is judge.CODED and abs(before) > judge.BOUND:
        return None
    return float(judge.weigh(before, after, math.sqrt(pixels / math.prod(table()["cover_size"]))))


def _amount(hidden: HideReport | Trial, stegos: Stegos) -> float:
    """How much is hidden, in the judge's measure."""
    return hidden.spread if stegos is judge.PHASES else hidden.bpp


def _missed(report: HideReport, measured: Mapping[str, Any]) -> float | None:
    """Chance of a miss by logistic curves, whose coefficients are interpolated between amounts.

    None if there is no judge for the stego, or if the cover is so unlike those to which the curves were
    fitted, or so much larger, that they do not apply to it.
    """
    known = {_PHASES: (judge.PHASES, measured), _CODED: (judge.CODED, measured["coded"])}
    if report.family not in known or report.load is not None:
        return None
    if math.prod(report.cover_size) > _KNOWN_SIZES * math.prod(measured["cover_size"]):
        return None
    stegos, curves = known[report.family][0], known[report.family][1]["miss"]
    amount = _amount(report, stegos)
    before, after = judge.load(stegos).margins(report.cover_rgb, report.stego_rgb, amount)
    if abs(before) > judge.BOUND:
        return None
    places = np.log2([curve[stegos.measure] for curve in curves])
    offset, slope = (
        np.interp(np.log2(amount), places, [curve[name] for curve in curves]) for name in ("offset", "slope")
    )
    return float(0.5 + 0.5 * np.tanh((offset + slope * after) / 2))  # the logistic, which never overflows


def _quiet_size(report: HideReport, secret_size: Size, hidden_size: Size) -> Size | None:
    """Size of a cover of this shape at which the error reaches `QUIET_ERROR`: its spread grows, too."""
    sent = count_sent((hidden_size[1], hidden_size[0]), report.planes)
    symbols = sent * math.prod(secret_size) / math.prod(hidden_size)
    if risk_at(report.spread, math.prod(report.cover_size)).error >= QUIET_ERROR:
        return None
    largest = max(row["spread"] for row in table()["rows"])
    for spread in range(report.spread, largest + 1):
        if risk_at(spread, math.ceil(spread * symbols)).error >= QUIET_ERROR:
            width, height = report.cover_size
            scale = math.sqrt(spread * symbols / (width * height))
            return math.ceil(width * scale), math.ceil(height * scale)
    return None
