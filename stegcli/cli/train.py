"""`stegcli train`."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stegcli.cli import options
from stegcli.cli.report import Talk
from stegcli.errors import ExitCode, MissingExtraError, OutputError, UsageError, one_line

if TYPE_CHECKING:
    from stegcli.training.fit import Outcome
    from stegcli.training.run import Recipe, TrainOptions

__all__ = ["require_extra", "train"]

Model = Literal["isgan", "isgan-basic", "rehman", "baluja", "phase"]
DEFAULT_MODEL = "isgan"
ROWS_OF_TABLES = ("rehman", "baluja")
"""Trained to be compared with; no export, since nothing can be hidden with them."""


def train(
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SET",
            help="lfw, voc2012, imagenet or folder:PATH; several with commas or by repeating it "
            "(default: those of the recipe).",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        Model | None,
        typer.Option(help="What to train (default: isgan, the paper's networks).", show_default=False),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the data sets lie as archives or folders.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Settings of the training (default: by model).")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Length in passes over the pictures.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="Length in steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, metavar="N", help="Pictures per step.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N", help="Of all random numbers.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="RUN", help="Folder for the run (default: runs/<recipe>)."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run where it stopped.")
    ] = None,
    initial: Annotated[
        str | None,
        typer.Option(
            "--init",
            metavar="RUN|WEIGHTS|ID",
            help="Begin with the networks of another run, of a folder of weights, or of a model in the box.",
        ),
    ] = None,
    device: options.Device = "auto",
    minutes: Annotated[
        float | None, typer.Option(min=0.0, metavar="N", help="Pause after N minutes, to be resumed.")
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the networks first: slower start, faster steps.")
    ] = False,
    pages: Annotated[
        bool, typer.Option("--pages/--no-pages", help="Train phase on drawn pages, too.")
    ] = True,
    fonts: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Fonts for the pages; can be repeated.")
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train networks on pictures; Ctrl-C stops with a checkpoint that can be resumed and exported."""
    _check_together(resume, out=out, model=model, dataset=dataset, init=initial)
    if steps is not None and epochs is not None:
        raise UsageError("--steps and --epochs both say how long to train", "Keep one of them.")
    require_extra("torch", "accelerate", "tensorboard")
    from stegcli.training import choices, processes, run
    from stegcli.training.config import override

    if (count := processes.wanted()) > 1:
        raise typer.Exit(processes.start(count, sys.argv[1:]))
    talk = Talk(as_json, quiet or not _is_first_process())
    settings = run.TrainOptions(
        data_root=data_root,
        fonts=tuple(fonts or ()),
        device=device,
        compiled=compiled,
        minutes=minutes,
        initial=initial,
    )
    if resume is not None and recipe is None:
        chosen = run.recipe_of(resume)
    else:
        cuda = run.make_accelerator(device).device.type == "cuda"
        chosen = choices.choose_recipe(model, recipe, DEFAULT_MODEL, cuda=cuda)
    if dataset:
        chosen = choices.with_data(chosen, _names(dataset), pages=pages)
    chosen = override(chosen, batch_size=batch_size, seed=seed)
    if epochs is not None:
        steps = choices.steps_of_epochs(chosen, epochs, data_root)
    if steps is not None:
        chosen = choices.with_steps(chosen, steps)
    folder = resume or out or _free_folder(chosen.name)
    talk.notes([f"{chosen.model} by recipe {chosen.name}, {chosen.steps} steps, into {folder}"])
    outcome, seconds = _run(chosen, folder, settings, talk, resumed=resume is not None)
    if not _is_first_process():
        return
    talk.result(
        _values(folder, chosen, outcome, seconds), _lines(folder, chosen, outcome, settings), [str(folder)]
    )
    if outcome.interrupted:
        raise typer.Exit(int(ExitCode.INTERRUPTED))


def _is_first_process() -> bool:
    """Under `accelerate launch` one of the processes speaks."""
    return os.environ.get("RANK", "0") == "0"


def require_extra(*modules: str) -> None:
    """MissingExtraError unless these modules are installed; none of them is imported."""
    from importlib.util import find_spec

    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"training needs {', '.join(missing)}", "Install it with: pip install 'stegcli[train]'"
        )


def _check_together(resume: Path | None, **others: object) -> None:
    """A run keeps its folder, model and data."""
    given = [name for name, value in others.items() if value]
    if resume is not None and given:
        raise UsageError(
            f"--resume and --{given[0]} exclude each other",
            "A run goes on in its own folder, with its own data.",
        )


def _names(dataset: list[str]) -> list[str]:
    names = [name.strip() for part in dataset for name in part.split(",")]
    if not all(names):
        raise UsageError("--dataset has an empty name", "Write it as --dataset lfw,folder:PATH.")
    return list(dict.fromkeys(names))


def _free_folder(name: str) -> Path:
    """runs/NAME, or the first of runs/NAME-2, runs/NAME-3 ... that is not there."""
    folder, number = Path("runs") / name, 1
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{name}-{number}"
    return folder


def _run(
    recipe: Recipe, folder: Path, settings: TrainOptions, talk: Talk, *, resumed: bool
) -> tuple[Outcome, float]:
    from stegcli.cli.training_report import reporting
    from stegcli.training import run

    begun = time.monotonic()
    with _leaving_no_empty(folder), reporting(talk, settings.minutes) as reporter:
        outcome = (
            run.resume(folder, settings, reporter, recipe)
            if resumed
            else run.start(recipe, folder, settings, reporter)
        )
    return outcome, time.monotonic() - begun


@contextmanager
def _leaving_no_empty(folder: Path) -> Iterator[None]:
    """Make the folder, and remove it again if nothing came into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {one_line(error)}", "Choose another folder with --out."
        ) from error
    try:
        yield
    finally:
        if _is_first_process() and not any(folder.iterdir()):
            folder.rmdir()


def _values(folder: Path, recipe: Recipe, outcome: Outcome, seconds: float) -> dict[str, Any]:
    return {
        "run": str(folder),
        "model": recipe.model,
        "recipe": recipe.name,
        "step": outcome.step,
        "steps": recipe.steps,
        "finished": outcome.finished,
        "interrupted": outcome.interrupted,
        "figures": dict(outcome.figures),
        "seconds": round(seconds, 1),
    }


def _lines(folder: Path, recipe: Recipe, outcome: Outcome, settings: TrainOptions) -> Iterator[str]:
    from stegcli.cli.training_report import figures_text

    how = "interrupted" if outcome.interrupted else "finished" if outcome.finished else "paused"
    yield f"{folder}: {recipe.model} {how} after {outcome.step} of {recipe.steps} steps"
    if outcome.figures and not outcome.interrupted:
        yield f"  held out  {figures_text(outcome.figures)}"
    name = shlex.quote(str(folder))
    if not outcome.finished:
        yield f"  go on     stegcli train --resume {name}{_places(settings)}"
    if recipe.model not in ROWS_OF_TABLES:
        yield f"  use it    stegcli export {name} -o weights-{Path(folder).name}"


def _places(settings: TrainOptions) -> str:
    """The options that say where the pictures are: a run does not remember them."""
    root = [] if settings.data_root is None else ["--data-root", str(settings.data_root)]
    fonts = [part for folder in settings.fonts for part in ("--fonts", str(folder))]
    return "".join(f" {shlex.quote(part)}" for part in root + fonts)
