"""`stegcli check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stegcli.cli import options
from stegcli.cli.report import Talk

if TYPE_CHECKING:
    from stegcli.forecast import CheckReport

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
    from stegcli import forecast
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
    from stegcli.forecast import QUIET_ERROR

    (width, height), (hidden_width, hidden_height) = report.cover_size, report.hidden_size
    lines = [
        f"{hidden_width}x{hidden_height} secret in {width}x{height} cover, {report.spread} pixels a value",
        f"  stego against cover      PSNR {report.stego_psnr_db:.2f} dB",
        f"  revealed against secret  PSNR {report.revealed_psnr_db:.2f} dB",
    ]
    if report.hidden_size != report.secret_size:
        lines[0] += f", reduced from {report.secret_size[0]}x{report.secret_size[1]}"
    if report.risk is None:
        return [*lines, f"  detection                {report.model} was not measured: count on it"]
    risk = report.risk
    lines.append(
        f"  detection error          {risk.error:.2f} (95 % interval {risk.low:.2f} to {risk.high:.2f}; "
        "0 always caught, 0.5 never)"
    )
    if report.missed is None:
        lines.append(
            "  of this very stego       not known: the cover is unlike those that the detector learned from"
        )
    else:
        lines.append(
            f"  of this very stego       missed by that detector with a chance of {report.missed:.2f}"
        )
    lines.append(f"  measured with            {report.detector}; a better detector may do better")
    if risk.error < QUIET_ERROR and report.quiet_cover_size is None:
        lines.append("  to bring it to 0.4       no cover size that was measured is enough")
    elif report.quiet_cover_size is not None:
        wanted = report.quiet_cover_size
        lines.append(
            f"  a cover of {wanted[0]}x{wanted[1]} would bring the error to 0.4, or a smaller secret"
        )
    return lines


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
