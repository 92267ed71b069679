"""`stegcli reveal`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stegcli.cli import options
from stegcli.cli.report import Talk

__all__ = ["reveal"]


def reveal(
    stego: Annotated[
        str, typer.Argument(metavar="STEGO", help="File that `stegcli hide` wrote; - is stdin.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="IMAGE", help="File to write (default: <stego stem>.revealed.png)."
        ),
    ] = None,
    size: Annotated[
        Literal["original", "hidden"],
        typer.Option(help="Size of the secret before hiding, or as it was carried."),
    ] = "original",
    passphrase: options.AskPassphrase = False,
    passphrase_file: options.PassphraseFile = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    max_pixels: options.MaxPixels = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Get the picture back that STEGO hides."""
    from stegcli import pipeline
    from stegcli.cli.passphrase import find_passphrase
    from stegcli.pictures import writing

    talk = Talk(as_json, quiet)
    options.check_one_stdin(stego, passphrase_file)
    target = options.output_for(output, stego, "revealed")
    writing.check_writable(target, force, inputs=[stego])  # before a passphrase is asked for
    words = find_passphrase(ask=passphrase, file=passphrase_file, twice=False)
    with talk.progress() as progress:
        report = pipeline.reveal(
            stego,
            target,
            weights=weights,
            device=device,
            passphrase=words,
            size=size,
            force=force,
            max_pixels=options.pixel_limit(max_pixels),
            progress=progress,
        )
    talk.notes(report.notices)
    line = f"{report.revealed}: {report.size[0]}x{report.size[1]}, {report.seconds:.1f} s on {report.device}"
    talk.result(report.as_json(), [line], [str(target)])
