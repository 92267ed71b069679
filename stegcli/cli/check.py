"""`stegcli check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stegcli.cli import options
from stegcli.cli.report import Talk

if TYPE_CHECKING:
    from stegcli.detection.examine import CarriesReport, CoverReport
    from stegcli.detection.forecast import CheckReport
    from stegcli.detection.risk import Risk
    from stegcli.methods.base import JpegLoad
    from stegcli.settings import HideSettings

__all__ = ["check"]


def check(
    cover: Annotated[
        str,
        typer.Argument(metavar="COVER", help="Picture that would carry the secret, or a stego; - is stdin."),
    ],
    secret: Annotated[
        str | None, typer.Argument(metavar="SECRET", help="Picture to hide; - is stdin.")
    ] = None,
    favor: options.Favor = "balanced",
    target: options.Target = None,
    passphrase: options.AskPassphrase = False,
    passphrase_file: options.PassphraseFile = None,
    model: options.Model = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    scale_cover: options.ScaleCover = 1.0,
    risk: options.RiskWish = None,
    force_jpeg_cover: options.ForceJpegCover = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Forecast the quality and the risk of detection; write nothing.

    Given only COVER, check says how much it carries if it is a stego, and how likely that is to be detected
    (give its passphrase, if it has one). If nothing is found in it, check says how much the picture could
    carry as a cover for --model coded.
    """
    from stegcli.cli.passphrase import find_passphrase
    from stegcli.detection import forecast
    from stegcli.pictures.encoded import read_once

    options.check_one_stdin(cover, secret, passphrase_file)
    talk = Talk(as_json, quiet, verbose)
    settings = options.hide_settings(
        model,
        weights,
        device,
        favor=favor,
        target=target,
        scale_cover=scale_cover,
        max_pixels=max_pixels,
        risk=risk,
        force_jpeg_cover=force_jpeg_cover,
    )
    if secret is None:
        words = find_passphrase(ask=passphrase, file=passphrase_file, twice=False)
        _examine(cover, settings, words, talk)
        return
    with talk.progress() as progress:
        report = forecast.check(
            read_once(cover, settings.max_pixels), read_once(secret, settings.max_pixels), settings, progress
        )
    brief = "unknown" if report.risk is None else f"{report.risk.error:.2f}"
    talk.result(report.as_json(), [*_lines(report), *_jpeg_lines(report)], [brief])


def _examine(picture: str, settings: HideSettings, passphrase: str | None, talk: Talk) -> None:
    """Print what a single picture shows."""
    from stegcli.detection.examine import CarriesReport, examine
    from stegcli.pictures.encoded import read_once

    report = examine(read_once(picture, settings.max_pixels), settings, passphrase)
    name = "stdin" if picture == options.STREAM else picture
    if isinstance(report, CarriesReport):
        lines = _stego_lines(name, report)
        brief = "unknown" if report.risk is None else f"{report.risk.error:.2f}"
    else:
        talk.notes(report.notices)
        lines, brief = _cover_lines(name, report), str(report.capacity[0][1])
    talk.result(report.as_json(), lines, [brief])


def _stego_lines(name: str, report: CarriesReport) -> list[str]:
    risk = (
        "unknown: such stegos were not measured" if report.risk is None else f"{_span(report.risk)} estimated"
    )
    return [
        f"{name}: {report.size[0]}x{report.size[1]}, hides something by {report.model}",
        f"  it carries               {_rate(report.bpp, report.load)}",
        f"  detection error          {risk}; 0 is always caught, 0.5 never",
    ]


def _cover_lines(name: str, report: CoverReport) -> list[str]:
    where = "in the JPEG's coefficients" if report.in_jpeg else "in its pixels"
    return [
        f"{name}: {report.size[0]}x{report.size[1]}, nothing found; as a cover for --model coded, {where}:",
        *(f"  detection error {error:.2f}     {size:,} bytes of secret" for error, size in report.capacity),
    ]


def _rate(bpp: float, load: JpegLoad | None) -> str:
    return f"{bpp:.3g} bits per pixel" if load is None else f"{load.rate:.3f} bits per AC coefficient"


def _lines(report: CheckReport) -> list[str]:
    from stegcli.detection.forecast import QUIET_ERROR

    (width, height), (hidden_width, hidden_height) = report.cover_size, report.hidden_size
    lines = [
        f"{hidden_width}x{hidden_height} secret in {width}x{height} cover, "
        + (
            f"{report.spread} {'pixel' if report.spread == 1 else 'pixels'} per value"
            if report.in_phases
            else _rate(report.bpp, report.load)
        ),
        f"  stego against cover      PSNR {report.stego_psnr_db:.2f} dB",
        f"  revealed against secret  PSNR {report.revealed_psnr_db:.2f} dB",
    ]
    if report.hidden_size != report.secret_size:
        lines[0] += f", reduced from {report.secret_size[0]}x{report.secret_size[1]}"
    if report.risk is None or report.measured_risk is None:
        return [
            *lines,
            f"  detection                unknown: {report.model} was not measured, so expect to be detected",
        ]
    risk, measured = report.risk, report.measured_risk
    size = "x".join(map(str, report.measured_size))
    missed = "unknown: the detector learned from smaller or different covers"
    if report.missed is not None:
        missed = f"escapes a detector by colour features with a probability of {report.missed:.2f}"
    lines += [
        f"  detection error          {_span(risk)} estimated at this size; 0 is always caught, 0.5 never",
        f"  measured                 {_span(measured)} in covers of {size}; larger covers give more away",
        *([f"  this very stego          {missed}"] if report.load is None else []),
        f"  detector                 {report.detector}; a better detector may do better",
    ]
    quieter = f"  to reach an error of {QUIET_ERROR}  "
    if report.quiet_cover_size is not None:
        width, height = report.quiet_cover_size
        lines.append(f"{quieter}take a cover of {width}x{height}, or hide a smaller secret")
    elif risk.error < QUIET_ERROR:
        lines.append(f"{quieter}hide a smaller secret: no larger cover is known to be enough")
    return lines


def _span(risk: Risk) -> str:
    return f"{risk.error:.2f} ({risk.low:.2f} to {risk.high:.2f})"


def _jpeg_lines(report: CheckReport) -> list[str]:
    if not report.from_jpeg:
        return []
    lines = [
        "  the cover is a JPEG, whose block grid may help a detector; --scale-cover 0.75 removes the grid"
    ]
    lines += [
        f"    detection error at {spread} pixel(s) per value: {as_is:.2f} as it is, {scaled:.2f} scaled"
        for spread, as_is, scaled in report.jpeg_errors
    ]
    return lines
