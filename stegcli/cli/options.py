"""Options that several commands share, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = [
    "AskPassphrase",
    "AsJson",
    "Debug",
    "Device",
    "Favor",
    "Force",
    "MaxPixels",
    "Model",
    "PassphraseFile",
    "Quiet",
    "ScaleCover",
    "Target",
    "Weights",
]

AskPassphrase = Annotated[
    bool,
    typer.Option(
        "--passphrase", help="Ask for a passphrase (or set STEGCLI_PASSPHRASE).", show_default=False
    ),
]
PassphraseFile = Annotated[
    str | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="Take the passphrase from the first line of FILE; - is stdin.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Folder of models, or hf://owner/repo@revision.", show_default=False),
]
Favor = Annotated[
    Literal["cover", "balanced", "secret"], typer.Option(help="Which of the two pictures to spare.")
]
Model = Annotated[str | None, typer.Option(metavar="ID", help="Model to hide with; see `stegcli models`.")]
ScaleCover = Annotated[
    float,
    typer.Option(metavar="FACTOR", help="Shrink the cover first; removes the block grid of a JPEG."),
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the networks run.")]
Target = Annotated[
    float | None,
    typer.Option(
        min=10,
        max=60,
        metavar="DB",
        help="PSNR that the revealed picture needs: send no more than that takes, for a better stego.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")]
MaxPixels = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Refuse pictures of more pixels (default 89478485).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object (errors too, on stderr).")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only the result: the name of the written file.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")]


def output_for(given: Path | None, source: str, ending: str) -> Path:
    """The file to write: the one asked for, or `<stem of source>.<ending>.png` in the current folder."""
    from stegcli.errors import UsageError

    if given is not None:
        return given
    if source == "-":
        raise UsageError("a picture from stdin gives no name to the result", "Name the output with -o.")
    return Path(f"{Path(source).stem}.{ending}.png")


def pixel_limit(given: int | None) -> int:
    """The limit asked for, or the default one."""
    from stegcli.pictures.reading import DEFAULT_MAX_PIXELS

    return DEFAULT_MAX_PIXELS if given is None else given


def check_one_stdin(*names: str | None) -> None:
    """Only one thing can be read from stdin."""
    from stegcli.errors import UsageError

    if sum(name == "-" for name in names) > 1:
        raise UsageError("only one input can be - (stdin)", "Give the others as files.")
