"""What hiding would give, before anything is written: quality by a dry run, the risk of detection by a table.

Several covers are ranked by a judge of their stegos. The table (`risk.json`) was measured by `stegcli
evaluate security` on covers of one size, and again on smaller ones; what a larger cover gives away is
estimated from these. A detector other than the one measured may do better.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stegcli import container, images, judge, luma, pipeline
from stegcli.channel import hill_cost
from stegcli.errors import ImageError, StegError, UsageError
from stegcli.planes import count_sent

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from stegcli.images import Picture
    from stegcli.pipeline import HideSettings
    from stegcli.progress import Progress
    from stegcli.reports import HideReport

    Array = NDArray[np.uint8]
    PathLike = str | os.PathLike[str]

__all__ = [
    "CheckReport",
    "Ranked",
    "Risk",
    "check",
    "covers_in",
    "deflection",
    "exposure",
    "rank_covers",
    "risk_at",
]

RISK_FILE: Final = Path(__file__).with_name("risk.json")
_NORMAL: Final = NormalDist()
_LEAST_ERROR: Final = 1e-3
_KNOWN_SIZES: Final = 2
"""Up to so many times the pixels of the lab's covers the judge says how likely a stego is missed."""
QUIET_ERROR: Final = 0.4
"""Detection error from which a stego counts as hard to tell: the detector is wrong in four of ten."""


@dataclass(frozen=True)
class Risk:
    """Detection error at one spread in covers of one size: 0 is always caught, 0.5 never.

    Attributes:
        error: P_E, interpolated between the spreads that were measured, and estimated at sizes that were not.
        low: lower end of its 95 % interval, the cautious reading.
        high: upper end.
    """

    error: float
    low: float
    high: float


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
        stego_psnr_db: of a dry run.
        revealed_psnr_db: likewise.
        spread: cover pixels per hidden pixel.
        problem: why it cannot be used; empty if it can.
    """

    cover: str
    score: float
    exposure: float = math.nan
    stego_psnr_db: float = math.nan
    revealed_psnr_db: float = math.nan
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
    """Hide in memory, and look up the risk; arguments as for `pipeline.hide`."""
    report = pipeline.hide(cover, secret, progress=progress, **vars(settings))
    picture = _cover(cover, settings)
    table = _table()
    known = _in_phases(report)
    risk = risk_at(report.spread, math.prod(report.cover_size)) if known else None
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
        measured_size=tuple(table["cover_size"]),
        missed=_missed(picture.rgb, report, table) if known else None,
        quiet_cover_size=_quiet_size(report) if known else None,
        from_jpeg=picture.from_jpeg and settings.scale_cover == 1,
        jpeg_errors=tuple((row["spread"], row["as_is"], row["scaled"]) for row in table["jpeg"]),
        detector=table["detector"],
    )


def rank_covers(
    covers: Sequence[PathLike],
    secret: PathLike,
    settings: HideSettings,
    progress: Progress | None = None,
) -> list[Ranked]:
    """Try each cover in memory, best hidden first; those that cannot be used come last, with the reason.

    The rank is that of `judge.score`. Arguments as for `pipeline.hide`, except that `covers` are several.

    Raises:
        ImageError: none of them can be used, or the secret cannot.
    """
    images.load_secret(secret, max_pixels=settings.max_pixels)  # or each cover would be blamed for it
    found = []
    for number, cover in enumerate(covers):
        found.append(_try(cover, secret, settings))
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
    costs = hill_cost(luma.luma_milli(cover_rgb).astype(np.float32) / np.float32(luma.MILLI))
    steps = np.square(stego_rgb.astype(np.int16) - cover_rgb.astype(np.int16)).sum(axis=-1)
    return float((costs * steps).sum() / math.sqrt(costs.size))


def risk_at(spread: int, pixels: int | None = None) -> Risk:
    """Detection error at a spread in covers of so many pixels; None for those that it was measured in.

    At the same spread a larger cover holds more to be detected: by the square root law (Ker, Pevny, Kodovsky
    and Fridrich 2008) the deflection of what carries the picture grows with the root of the size. That of the
    header falls with it, since there is one for a million pixels.
    """
    table = _table()
    measured = _between(table["rows"], spread)
    if pixels is None:
        return measured
    lab_pixels = math.prod(table["cover_size"])
    root = math.sqrt(pixels / lab_pixels)
    headers = container.parity_count(pixels) / container.parity_count(lab_pixels)
    bare = _between(table["bare"], spread)
    header = max(0.0, deflection(measured.error) - deflection(bare.error)) * headers / root
    return Risk(*(_error(deflection(each) * root + header) for each in (bare.error, bare.low, bare.high)))


def _between(rows: Sequence[Mapping[str, float]], spread: int) -> Risk:
    """Straight lines between the measured spreads, on a logarithmic axis; flat beyond both ends."""
    rows = sorted(rows, key=lambda row: row["spread"])
    places = [math.log2(row["spread"]) for row in rows]
    return Risk(
        *(
            float(np.interp(math.log2(spread), places, [row[name] for row in rows]))
            for name in ("error", "low", "high")
        )
    )


def deflection(error: float) -> float:
    """A detector's P_E -> by how many deviations it tells covers and stegos apart, both taken for normal.

    Finite at an error of 0, which says no more than that some hundred pairs had none.
    """
    return -2 * _NORMAL.inv_cdf(min(max(error, _LEAST_ERROR), 1 - _LEAST_ERROR))


def _error(apart: float) -> float:
    return min(_NORMAL.cdf(-apart / 2), 0.5)


_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})


def _cover(path: PathLike, settings: HideSettings) -> Picture:
    return images.load_cover(path, max_pixels=settings.max_pixels, scale=settings.scale_cover)


def _try(cover: PathLike, secret: PathLike, settings: HideSettings) -> Ranked:
    try:
        picture = _cover(cover, settings)
        report = pipeline.hide(cover, secret, **vars(settings))
    except ImageError as error:
        return Ranked(str(cover), math.inf, problem=error.message)
    return Ranked(
        str(cover),
        judge.score(picture.rgb, report.stego_rgb, report.spread),
        exposure(picture.rgb, report.stego_rgb),
        report.stego_psnr_db,
        report.revealed_psnr_db,
        report.spread,
    )


def _missed(cover_rgb: Array, report: HideReport, table: Mapping[str, Any]) -> float | None:
    """Logistic curves by spread, their coefficients read off between these as the risk's errors are.

    None where the cover itself is so unlike those that the curves were fitted to, or so much larger, that
    they say nothing of it.
    """
    curves = table["miss"]
    if math.prod(report.cover_size) > _KNOWN_SIZES * math.prod(table["cover_size"]):
        return None
    before, after = judge.margins(cover_rgb, report.stego_rgb, report.spread)
    if abs(before) > judge.BOUND:
        return None
    places = np.log2([curve["spread"] for curve in curves])
    offset, slope = (
        np.interp(np.log2(report.spread), places, [curve[name] for curve in curves])
        for name in ("offset", "slope")
    )
    return float(0.5 + 0.5 * np.tanh((offset + slope * after) / 2))  # the logistic, which never overflows


def _quiet_size(report: HideReport) -> tuple[int, int] | None:
    """The cover's shape grown until the error reaches `QUIET_ERROR`: its spread grows, and what it holds."""
    sent = count_sent((report.hidden_size[1], report.hidden_size[0]), report.planes)
    symbols = sent * math.prod(report.secret_size) / math.prod(report.hidden_size)
    if risk_at(report.spread, math.prod(report.cover_size)).error >= QUIET_ERROR:
        return None
    largest = max(row["spread"] for row in _table()["rows"])
    for spread in range(report.spread, largest + 1):
        if risk_at(spread, math.ceil(spread * symbols)).error >= QUIET_ERROR:
            width, height = report.cover_size
            scale = math.sqrt(spread * symbols / (width * height))
            return math.ceil(width * scale), math.ceil(height * scale)
    return None


def _in_phases(report: HideReport) -> bool:
    """Whether the channel that the table was measured on was used."""
    return report.has_key


def _table() -> dict[str, Any]:
    try:
        table: dict[str, Any] = json.loads(RISK_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StegError(f"{RISK_FILE} cannot be read: {error}", "Install stegcli again.") from error
    return table
