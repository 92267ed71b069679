"""What hiding would give, before anything is written: quality by a dry run, the risk of detection by a table.

Several covers are ranked by a judge of their stegos.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stegcli import pipeline
from stegcli.carriers.costs import hill_cost
from stegcli.detection import judge
from stegcli.detection.risk import risk_at, table
from stegcli.errors import ImageError, UsageError
from stegcli.methods.phase.planes import count_sent
from stegcli.models.loading import Models
from stegcli.pictures import luma, metrics, reading
from stegcli.pictures.encoded import read_once

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stegcli.detection.risk import Risk
    from stegcli.models.session import Network
    from stegcli.pipeline import HideSettings
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
"""Up to so many times the pixels of the lab's covers the judge says how likely a stego is missed."""
QUIET_ERROR: Final = 0.4
"""Detection error from which a stego counts as hard to tell: the detector is wrong in four of ten."""


@dataclass(frozen=True)
class CheckReport:
    """The forecast for a cover and a secret.

    Attributes:
        model: id.
        cover_size: (width, height).
        secret_size: as given.
        hidden_size: as it would be carried.
        spread: cover pixels per hidden pixel.
        stego_psnr_db: of a dry run.
        revealed_psnr_db: likewise.
        risk: detection error in covers of this size, estimated; None for a family that the table does not
            know.
        measured_risk: the same in covers of `measured_size`, where it was measured.
        measured_size: (width, height) of those.
        missed: chance that the detector takes this very stego for a cover, by the judge; None like `risk` and
            for covers much larger than, or unlike, those that it knows.
        quiet_cover_size: a cover of this shape that brings the error to `QUIET_ERROR`; None if this
            one does, or if no measured spread does.
        from_jpeg: whether the cover comes from a JPEG and is used unscaled.
        jpeg_errors: (spread, error as it is, error after scaling by 0.75) where that was measured.
        detector: what the table was measured with.
    """

    model: str
    cover_size: tuple[int, int]
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

    def as_json(self) -> dict[str, Any]:
        """All of it; sizes as lists, an infinite PSNR as null."""
        values = asdict(self)
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


@dataclass(frozen=True)
class Ranked:
    """One cover that was tried.

    Attributes:
        cover: its file.
        score: see `judge.score`; infinite if it cannot be used.
        exposure: see `exposure`.
        stego_psnr_db: of a trial.
        spread: cover pixels per hidden pixel.
        problem: why it cannot be used; empty if it can.
    """

    cover: str
    score: float
    exposure: float = math.nan
    stego_psnr_db: float = math.nan
    spread: int = 0
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """Numbers that do not exist are null."""
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
    known = _in_phases(report)
    risk = risk_of(report)
    return CheckReport(
        model=report.model,
        cover_size=report.cover_size,
        secret_size=report.secret_size,
        hidden_size=report.hidden_size,
        spread=report.spread,
        stego_psnr_db=report.stego_psnr_db,
        revealed_psnr_db=report.revealed_psnr_db,
        risk=risk,
        measured_risk=risk_at(report.spread) if known else None,
        measured_size=tuple(measured["cover_size"]),
        missed=_missed(report, measured) if known else None,
        quiet_cover_size=_quiet_size(report, report.secret_size, report.hidden_size) if known else None,
        from_jpeg=report.from_jpeg and settings.scale_cover == 1,
        jpeg_errors=tuple((row["spread"], row["as_is"], row["scaled"]) for row in measured["jpeg"]),
        detector=measured["detector"],
    )


def risk_of(report: HideReport) -> Risk | None:
    """Detection error of what was hidden, in covers of this size, estimated; None if nobody measured it."""
    return risk_at(report.spread, math.prod(report.cover_size)) if _in_phases(report) else None


def rank_covers(
    covers: Sequence[PathLike],
    secret: PathLike,
    settings: HideSettings,
    progress: Progress | None = None,
) -> list[Ranked]:
    """Try each cover in memory, best hidden first; those that cannot be used come last, with the reason.

    The rank is that of `judge.score`. Arguments as for `pipeline.hide_as`, except that `covers` are several.

    Raises:
        ImageError: none of them can be used, or the secret cannot.
    """
    secret = read_once(secret, settings.max_pixels)
    reading.load_secret(secret, max_pixels=settings.max_pixels)  # or each cover would be blamed for it
    found = []
    network, models = judge.load(), Models(settings.weights, settings.device)
    for number, cover in enumerate(covers):
        found.append(_try(cover, secret, settings, models, network))
        if progress is not None:
            progress("measure", (number + 1) / len(covers))
    found.sort(key=lambda ranked: (ranked.score, ranked.cover))
    if not found or found[0].problem:
        problem = found[0].problem if found else "there are none"
        raise ImageError(f"none of {len(found)} covers can be used: {problem}", "Give other covers.")
    return found


def covers_in(folder: Path, max_covers: int = 100) -> list[Path]:
    """Pictures of a folder, by name.

    Raises:
        UsageError: it is no folder, or holds no picture or too many.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: not a folder", "Give a folder that holds pictures.")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    if not 1 <= len(found) <= max_covers:
        raise UsageError(f"{folder} holds {len(found)} pictures", f"Give a folder with 1 to {max_covers}.")
    return found


def exposure(cover_rgb: Array, stego_rgb: Array) -> float:
    """How far a stego sticks out of its cover: 0 or more, no unit.

    Squared steps weighed by HILL's costs, which are high where a detector sees them, over the square root of
    the number of pixels: what can be detected grows with the changes and falls with the root of the size
    (Ker, Pevny, Kodovsky and Fridrich, "The square root law of steganographic capacity", 2008).
    """
    costs = hill_cost(luma.luma_levels(cover_rgb))
    steps = np.square(stego_rgb.astype(np.int16) - cover_rgb.astype(np.int16)).sum(axis=-1)
    return float((costs * steps).sum() / math.sqrt(costs.size))


_SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)


def _try(
    cover: PathLike, secret: PathLike, settings: HideSettings, models: Models, network: Network
) -> Ranked:
    try:
        cover_rgb, stego_rgb, spread = pipeline.trial(cover, secret, settings, models)
    except ImageError as error:
        return Ranked(str(cover), math.inf, problem=error.message)
    return Ranked(
        str(cover),
        judge.score(cover_rgb, stego_rgb, spread, network),
        exposure(cover_rgb, stego_rgb),
        metrics.psnr(cover_rgb, stego_rgb),
        spread,
    )


def _missed(report: HideReport, measured: Mapping[str, Any]) -> float | None:
    """Logistic curves by spread, their coefficients read off between these as the risk's errors are.

    None where the cover itself is so unlike those that the curves were fitted to, or so much larger, that
    they say nothing of it.
    """
    curves = measured["miss"]
    if math.prod(report.cover_size) > _KNOWN_SIZES * math.prod(measured["cover_size"]):
        return None
    before, after = judge.margins(report.cover_rgb, report.stego_rgb, report.spread, judge.load())
    if abs(before) > judge.BOUND:
        return None
    places = np.log2([curve["spread"] for curve in curves])
    offset, slope = (
        np.interp(np.log2(report.spread), places, [curve[name] for curve in curves])
        for name in ("offset", "slope")
    )
    return float(0.5 + 0.5 * np.tanh((offset + slope * after) / 2))  # the logistic, which never overflows


def _quiet_size(report: HideReport, secret_size: Size, hidden_size: Size) -> Size | None:
    """The cover's shape grown until the error reaches `QUIET_ERROR`: its spread grows, and what it holds."""
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


def _in_phases(report: HideReport) -> bool:
    """Whether the channel that the table was measured on was used."""
    return report.family == "phase"
