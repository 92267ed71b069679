"""`stegcli info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stegcli.cli import options
from stegcli.cli.report import Talk
from stegcli.progress import tell

if TYPE_CHECKING:
    from stegcli.pipeline import InfoReport

__all__ = ["info"]


def info(
    stego: Annotated[
        str, typer.Argument(metavar="STEGO", help="File that `stegcli hide` wrote; - is stdin.")
    ],
    passphrase: options.AskPassphrase = False,
    passphrase_file: options.PassphraseFile = None,
    weights: options.Weights = None,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Describe what STEGO hides, without revealing it."""
    from stegcli import pipeline
    from stegcli.cli.passphrase import find_passphrase
    from stegcli.pictures.encoded import read_once

    talk = Talk(as_json, quiet, verbose)
    options.check_one_stdin(stego, passphrase_file)
    words = find_passphrase(ask=passphrase, file=passphrase_file, twice=False)
    limit = options.pixel_limit(max_pixels)
    with talk.progress() as progress:
        tell(progress, "load")
        report = pipeline.info(read_once(stego, limit), weights=weights, passphrase=words, max_pixels=limit)
    talk.result(report.as_json(), _lines(report), [report.model])


def _secret(report: InfoReport) -> str:
    if report.secret_size is None or report.hidden_size is None:
        return f"{report.secret_bytes:,} bytes"
    (width, height), (hidden_width, hidden_height) = report.secret_size, report.hidden_size
    return f"{width}x{height}, carried as {hidden_width}x{hidden_height}"


def _lines(report: InfoReport) -> list[str]:
    model = (
        report.model
        if report.model_here
        else f"{report.model} (not installed: give its folder with --weights)"
    )
    name = "stdin" if report.stego == options.STREAM else report.stego
    return [
        f"{name}: {report.size[0]}x{report.size[1]}, hides a {'picture' if report.secret_size else 'file'}",
        f"  model        {model}",
        f"  secret       {_secret(report)}",
        f"  capacity     {report.bpp:.2f} bits per pixel, {report.spread} pixel(s) per value",
        f"  damage       {report.damage:.1%} of the pixels changed since it was written",
        f"  passphrase   {'yes' if report.keyed else 'none; anybody with stegcli can reveal the secret'}",
    ]
