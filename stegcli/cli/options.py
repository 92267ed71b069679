"""Options that several commands share, each declared once, and the settings they become."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stegcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stegcli.methods.base import Ceiling
    from stegcli.pictures.encoded import Sink
    from stegcli.pipeline import HideSettings, Naming

__all__ = [
    "Address",
    "AskPassphrase",
    "AsJson",
    "Debug",
    "Device",
    "Engine",
    "Favor",
    "Force",
    "ForceJpegCover",
    "MaxPixels",
    "Model",
    "PassphraseFile",
    "Quiet",
    "RiskWish",
    "ScaleCover",
    "Target",
    "Verbose",
    "Weights",
    "Workers",
    "check_one_stdin",
    "checked_output",
    "checked_stego",
    "hide_settings",
    "output_for",
    "pixel_limit",
    "stego_ending",
    "whether_written",
]

STREAM = "-"
"""Stands for stdin or stdout where a file is expected."""

AskPassphrase = Annotated[
    bool,
    typer.Option("--passphrase", help="Ask for a passphrase (or set STEGCLI_PASSPHRASE)."),
]
PassphraseFile = Annotated[
    str | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="Read the passphrase from the first line of FILE; - reads stdin.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Folder of models, or hf://owner/repo@revision.", show_default=False),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, max=256, metavar="N", help="Processes, or actors, to work with (default: one for each core)."
    ),
]
Engine = Annotated[
    Literal["processes", "ray"],
    typer.Option(help="Who does the work: processes of this machine, or actors of Ray."),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Ray cluster to work on (default: that of RAY_ADDRESS, else a Ray of this machine's own).",
        show_default=False,
    ),
]
Favor = Annotated[
    Literal["cover", "balanced", "secret"],
    typer.Option(help="Which picture to favor when both cannot be perfect."),
]
Model = Annotated[str | None, typer.Option(metavar="ID", help="Model to use; `stegcli models` lists them.")]
ScaleCover = Annotated[
    float,
    typer.Option(
        metavar="FACTOR", help="Shrink the cover first, which removes the traces that JPEG leaves in it."
    ),
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to run the networks.")]
Target = Annotated[
    float | None,
    typer.Option(
        min=10,
        max=60,
        metavar="DB",
        help="PSNR that is good enough for the revealed picture; whatever is left over goes into "
        "a better stego.",
        show_default=False,
    ),
]
ForceJpegCover = Annotated[
    bool,
    typer.Option(
        "--force-jpeg-cover",
        help="With --model coded, hide in the pixels of a decoded JPEG, where a detector finds changes.",
    ),
]
RiskWish = Annotated[
    float | None,
    typer.Option(
        "--risk",
        metavar="E",
        help="With --model coded, give the secret the best quality that keeps a detector's estimated "
        "error at E or above (at 0.5 it can only guess).",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]
MaxPixels = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Refuse pictures with more pixels (default: 89478485).")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object; errors are JSON on stderr, too.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print only the result, in brief.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Report how long each stage takes.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")]


def hide_settings(
    model: str | None,
    weights: str | None,
    device: str,
    *,
    favor: str,
    target: float | None,
    scale_cover: float,
    max_pixels: int | None,
    keep_metadata: bool = False,
    floor: float | None = None,
    gray: bool = False,
    as_file: bool = False,
    force_jpeg_cover: bool = False,
    risk: float | None = None,
    survive: str | None = None,
    whole: bool = False,
) -> HideSettings:
    """The options of `hide` and `check` in the form that the pipeline takes."""
    from stegcli.pipeline import HideSettings

    return HideSettings(
        model,
        weights,
        device,
        favor,
        target,
        scale_cover,
        pixel_limit(max_pixels),
        keep_metadata,
        floor,
        gray,
        as_file,
        force_jpeg_cover,
        None if risk is None else _bound(risk, model),
        survive,
        sampled=not whole,
    )


def _bound(risk: float, model: str | None) -> Ceiling:
    from stegcli.detection.risk import Bound
    from stegcli.methods import table

    if not table.has_ceiling(model):
        raise UsageError("--risk is for coded bits", "Add --model coded, or leave --risk out.")
    return Bound(risk)


def output_for(given: str | None, source: str, ending: str) -> str:
    """The file to write: the one asked for, or `<stem of source>.<ending>` in the current folder."""
    if given is not None:
        return given
    if source == STREAM:
        raise UsageError("a picture from stdin has no file name", "Name the output with -o.")
    return f"{Path(source).stem}.{ending}"


def stego_ending(model: str | None, cover: str) -> str:
    """What a stego is called after its cover: a JPEG stays one where the method can hide in it."""
    from stegcli.methods import table
    from stegcli.pictures.files import is_jpeg

    return "stego.jpg" if table.writes_jpeg(model) and is_jpeg(cover) else "stego.png"


def checked_stego(name: str, model: str | None, force: bool, inputs: list[str]) -> str | Sink:
    """As `checked_output`, for the kinds of file that a method writes."""
    from stegcli.methods import files

    if name == STREAM:
        return checked_output(name, force, inputs)
    files.check_output(model, name, force, inputs)
    return name


def checked_output(name: str, force: bool, inputs: list[str]) -> str | Sink:
    """The file or stdout, as the pipeline takes it; an error now if it could not be written later."""
    if name == STREAM:
        from stegcli.cli.streams import BinaryStdout

        return BinaryStdout()
    from stegcli.pictures import writing

    writing.check_writable(name, force, inputs=inputs)
    return name


def checked_reveal(given: str | None, picture: str, force: bool, inputs: list[str]) -> str | Sink | Naming:
    """Where to write what is revealed: as asked for, or by a name that suits what it turns out to be."""
    if given == STREAM:
        return checked_output(given, force, inputs)
    if given is not None:
        from stegcli.pictures.drafts import check_place

        check_place(given, force, inputs)
        return given
    checked_output(picture, force, inputs)
    return lambda file_name: picture if file_name is None else file_name


def whether_written(name: str) -> Callable[[], str]:
    """Look at a file now, and again later, to say what an interrupt has left of it."""
    before = _identity(name)

    def told() -> str:
        now = _identity(name)
        if now is None or now == before:
            return f"{name} was not written." if before is None else f"{name} was not changed."
        return f"{name} was complete by then and is kept."

    return told


def _identity(name: str) -> tuple[int, int, int] | None:
    try:
        found = Path(name).lstat()
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def pixel_limit(given: int | None) -> int:
    """The limit asked for, or the default one."""
    from stegcli.pictures.reading import DEFAULT_MAX_PIXELS

    return DEFAULT_MAX_PIXELS if given is None else given


def check_one_stdin(*names: str | None) -> None:
    """Refuse a command line that reads more than one input from stdin."""
    if sum(name == STREAM for name in names) > 1:
        raise UsageError("only one input can be - (stdin)", "Give the others as files.")
