"""`stegcli reveal`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stegcli.cli import options
from stegcli.cli.failures import if_interrupted
from stegcli.cli.report import Talk

__all__ = ["reveal"]


def reveal(
    stego: Annotated[
        str,
        typer.Argument(
            metavar="STEGO",
            help="File that `stegcli hide` wrote, or the folder of `hide --covers`; - is stdin.",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="File to write, - for stdout (default: <stego stem>.revealed.png, or the file's name).",
        ),
    ] = None,
    size: Annotated[
        Literal["original", "hidden"],
        typer.Option(help="Size of the secret before it was hidden, or the size that was hidden."),
    ] = "original",
    search: Annotated[
        bool,
        typer.Option(
            "--search",
            help="Also search a picture that was resized, turned or mirrored for what --survive hid.",
        ),
    ] = False,
    passphrase: options.AskPassphrase = False,
    passphrase_file: options.PassphraseFile = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    max_pixels: options.MaxPixels = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Reveal what STEGO, or a folder of stegos, hides.

    A hidden file is written to the current folder under its old name. With -o - a picture goes to stdout as a
    PNG, and a file as it is; the report goes to stderr.
    """
    from stegcli import pipeline
    from stegcli.cli.passphrase import find_passphrase
    from stegcli.pictures.encoded import read_once

    talk = Talk(as_json, quiet, verbose, aside=output == options.STREAM)
    options.check_one_stdin(stego, passphrase_file)
    folder = Path(stego) if Path(stego).is_dir() else None
    picture = options.output_for(output, stego if folder is None else folder.resolve().name, "revealed.png")
    out = options.checked_reveal(output, picture, force, [stego])  # before a passphrase is asked for
    words = find_passphrase(ask=passphrase, file=passphrase_file, twice=False)
    limit = options.pixel_limit(max_pixels)
    with if_interrupted(options.whether_written(picture)), talk.progress() as progress:
        if folder is None:
            report = pipeline.reveal(
                read_once(stego, limit),
                out,
                weights=weights,
                device=device,
                passphrase=words,
                size=size,
                force=force,
                max_pixels=limit,
                search=search,
                progress=progress,
            )
        else:
            from stegcli import several

            report = several.reveal_from(
                folder, out, passphrase=words, size=size, force=force, max_pixels=limit, progress=progress
            )
    talk.notes(report.notices)
    name = "stdout" if talk.aside else report.revealed or ""
    what = f"{report.size[0]}x{report.size[1]}" if report.size else f"{report.secret_bytes:,} bytes"
    line = f"{name}: {what}, {report.seconds:.1f} s on {report.device}"
    values = {**report.as_json(), "notices": list(report.notices)}
    talk.result(values, [line], [] if talk.aside else [name])
