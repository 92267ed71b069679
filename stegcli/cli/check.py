"""`stegcli check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stegcli.cli import options
from stegcli.cli.report import Talk

if TYPE_CHECKING:
    from stegcli.detection.forecast import CheckReport
    from stegcli.detection.risk import Risk

__all__ = ["check"]


def check(
    cover: Annotated[str, typer.Argument(metavar="COVER", help="Picture that would carry the secret.")],
    secret: Annotated[str, typer.Argument(metavar="SECRET", help="Picture to hide.")],
    favor: options.Favor = "balanced",
    target: options.Target = None,
    model: options.Model = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    scale_cover: options.ScaleCover = 1.0,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Say what hiding SECRET in COVER would give, and how likely a detector finds it. Writes nothing."""
    from stegcli.detection import forecast
    from stegcli.errors import UsageError
    from stegcli.pipeline import HideSettings

    if "-" in (cover, secret):
        raise UsageError("check reads files only", "Give the names of both pictures.")
    talk = Talk(as_json, quiet)
    pixels = options.pixel_limit(max_pixels)
    settings = HideSettings(model, weights, device, favor, target, scale_cover, pixels)
    with talk.progress() as progress:
        report = forecast.check(cover, secret, settings, progress)
    brief = "unknown" if report.risk is None else f"{report.risk.error:.2f}"
    talk.result(report.as_json(), [*_lines(report), *_jpeg_lines(report)], [brief])


def _lines(report: CheckReport) -> list[str]:
    from stegcli.detection.forecast import QUIET_ERROR

    (width, height), (hidden_width, hidden_height) = report.cover_size, report.hidden_size
    lines = [
        f"{hidden_width}x{hidden_height} secret in {width}x{height} cover, {report.spread} pixels a value",
        f"  stego against cover      PSNR {report.stego_psnr_db:.2f} dB",
        f"  revealed against secret  PSNR {report.revealed_psnr_db:.2f} dB",
    ]
    if report.hidden_size != report.secret_size:
        lines[0] += f", reduced from {report.secret_size[0]}x{report.secret_size[1]}"
    if report.risk is None or report.measured_risk is None:
        return [*lines, f"  detection                {report.model} was not measured: count on it"]
    risk, measured = report.risk, report.measured_risk
    size = "x".join(map(str, report.measured_size))
    missed = "not known: the cover is larger than those that the detector learned from, or unlike them"
    if report.missed is not None:
        missed = f"missed by that detector with a chance of {report.missed:.2f}"
    lines += [
        f"  detection error          {_span(risk)} at this size, estimated; 0 always caught, 0.5 never",
        f"  measured                 {_span(measured)} in covers of {size}; larger ones give more away",
        f"  of this very stego       {missed}",
        f"  detector                 {report.detector}; a better one may do better",
    ]
    if report.quiet_cover_size is not None:
        width, height = report.quiet_cover_size
        lines.append(
            f"  to bring it to {QUIET_ERROR}       take a cover of {width}x{height}, or hide a smaller secret"
        )
    elif risk.error < QUIET_ERROR:
        lines.append(
            f"  to bring it to {QUIET_ERROR}       no larger cover is known to do: hide a smaller secret"
        )
    return lines


def _span(risk: Risk) -> str:
    return f"{risk.error:.2f} ({risk.low:.2f} to {risk.high:.2f})"


def _jpeg_lines(report: CheckReport) -> list[str]:
    if not report.from_jpeg:
        return []
    lines = [
        "  the cover comes from a JPEG, whose block grid may help a detector; --scale-cover 0.75 removes it"
    ]
    lines += [
        f"    measured at {spread} pixel(s) per value: error {as_is:.2f} as it is, {scaled:.2f} scaled"
        for spread, as_is, scaled in report.jpeg_errors
    ]
    return lines
