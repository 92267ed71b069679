"""`stegcli capacity`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stegcli.cli import options
from stegcli.cli.report import Talk

if TYPE_CHECKING:
    from stegcli.detection.capacity import CapacityReport, Fit

__all__ = ["capacity"]

_HEADINGS = ("method", "takes", "errs", "gray", "36 dB", "40 dB", "46 dB", "file")


def capacity(
    cover: Annotated[str, typer.Argument(metavar="COVER", help="Picture that would carry; - is stdin.")],
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Say how much fits into COVER, at which quality and which risk.

    Pictures are assumed to have the shape of the cover. The number of coded bits that a picture takes is that
    of an ordinary photograph: pages, drawings and codes take far fewer.
    """
    from stegcli.detection.capacity import capacity as measured
    from stegcli.pictures.encoded import read_once

    talk = Talk(as_json, quiet, verbose)
    limit = options.pixel_limit(max_pixels)
    report = measured(read_once(cover, limit), limit)
    talk.result(report.as_json(), _lines(report), _brief(report))


def _lines(report: CapacityReport) -> list[str]:
    rows = [_HEADINGS, *(_cells(fit) for fit in report.fits)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    width, height = report.cover_size
    measured = "x".join(map(str, report.measured_size))
    return [
        f"What fits into a cover of {width}x{height}",
        "",
        *table,
        "",
        "errs   how often a detector errs: 0 always finds it, 0.5 never; ? was not measured, so expect to be",
        f"       found; ~ estimated from covers of {measured} (root of the size); a better one errs less",
        "gray   largest gray picture: of phase and isgan as they reveal it, of coded a photograph at 40 dB",
        "dB     largest colour photograph that comes back at that PSNR: --favor cover, balanced, secret",
        "file   bytes of a file that is compressed already",
        f"       The detector of phase: {report.detector};",
        f"       of coded: {report.coded_detector}.",
    ]


def _brief(report: CapacityReport) -> list[str]:
    return [f"{max(fit.file_bytes or 0 for fit in report.fits)}"]


def _cells(fit: Fit) -> tuple[str, ...]:
    colours = fit.colour_sizes.values() if fit.colour_sizes else (None,) * 3
    return (
        fit.method,
        fit.extent,
        "?" if fit.error is None else f"{'~' if fit.is_estimate else ''}{fit.error:.2f}",
        _size(fit.gray_size),
        *map(_size, colours),
        "-" if fit.file_bytes is None else f"{fit.file_bytes:,}",
    )


def _size(size: tuple[int, int] | None) -> str:
    return "-" if size is None else f"{size[0]}x{size[1]}"
