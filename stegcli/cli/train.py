"""`stegcli train`."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stegcli.cli import options
from stegcli.cli.failures import if_interrupted
from stegcli.cli.report import Talk
from stegcli.errors import ExitCode, MissingExtraError, OutputError, UsageError, one_line

if TYPE_CHECKING:
    from stegcli.training.loop.fit import Outcome
    from stegcli.training.paper.systems import RunHider
    from stegcli.training.run import Recipe, TrainOptions

__all__ = ["open_run", "open_steganalyzer", "require_extra", "train"]

Model = Literal["isgan", "isgan-basic", "rehman", "baluja", "phase"]
DEFAULT_MODEL = "isgan"
ROWS_OF_TABLES = ("rehman", "baluja")
"""Trained only for comparison, and not exported, since nothing can be hidden with them."""


def train(
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SET",
            help="Pictures: lfw, voc2012, imagenet or folder:PATH, separated by commas or repeated "
            "(default: those of the recipe).",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        Model | None,
        typer.Option(help="Networks to train (default: isgan, the paper's).", show_default=False),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder that holds the data sets, packed or unpacked.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Settings of the training (default: the model's).")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Train for N passes over the pictures.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="Train for N steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, metavar="N", help="Pictures per step.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N", help="Seed for all random numbers.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="RUN", help="Folder for the run (default: runs/<recipe>)."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Continue a run where it stopped.")
    ] = None,
    initial: Annotated[
        str | None,
        typer.Option(
            "--init",
            metavar="RUN|WEIGHTS|ID",
            help="Start from the networks of another run, a folder of weights, or a model by its id.",
        ),
    ] = None,
    device: options.Device = "auto",
    minutes: Annotated[
        float | None, typer.Option(min=0.0, metavar="N", help="Pause after N minutes; --resume continues.")
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the networks: a slower start, but faster steps.")
    ] = False,
    pages: Annotated[
        bool, typer.Option("--pages/--no-pages", help="Train the phase model on drawn pages, too.")
    ] = True,
    fonts: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Folder of fonts for the pages; can be repeated.")
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Train networks on pictures; Ctrl-C saves a checkpoint to resume.

    With --json no progress is shown; add --verbose to follow it on stderr.
    """
    _check_together(resume, out=out, model=model, dataset=dataset, init=initial)
    if steps is not None and epochs is not None:
        raise UsageError("--steps and --epochs both say how long to train", "Keep one of them.")
    require_extra("torch", "accelerate", "tensorboard")
    from stegcli.training import choices, run
    from stegcli.training.config import override

    talk = Talk(as_json, quiet, verbose) if _is_first_process() else Talk(quiet=True)
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
    with if_interrupted(lambda: _kept(folder)):
        outcome, seconds = _run(chosen, folder, settings, talk, resumed=resume is not None)
    if not _is_first_process():
        return
    talk.result(
        _values(folder, chosen, outcome, seconds), _lines(folder, chosen, outcome, settings), [str(folder)]
    )
    if outcome.interrupted:
        raise typer.Exit(int(ExitCode.INTERRUPTED))


def _kept(folder: Path) -> str:
    """What a run leaves if it is interrupted outside its loop, which handles interrupts itself."""
    if (folder / "checkpoint.pt").exists():
        return f"The last checkpoint is kept: stegcli train --resume {shlex.quote(str(folder))}"
    return "No checkpoint was written yet."


def _is_first_process() -> bool:
    """Whether this is the one of several processes that prints."""
    return os.environ.get("RANK", "0") == "0"


def require_extra(*modules: str) -> None:
    """Raise a MissingExtraError unless these modules are installed; none of them is imported."""
    from importlib.util import find_spec

    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"training needs {', '.join(missing)}", "Install it with: pip install 'stegcli[train]'"
        )


def open_run(folder: Path, device: str) -> RunHider:
    """The networks of a run, for `evaluate` to measure.

    Raises:
        MissingExtraError: there is no torch.
        TrainingError: it is no run of networks that are measured without export; `phase` has to be exported.
        DeviceError: CUDA was asked for and is not there.
    """
    require_extra("torch", "accelerate")
    from stegcli.training.paper.systems import RunHider
    from stegcli.training.run import make_accelerator

    return RunHider(folder, make_accelerator(device).device)


def open_steganalyzer() -> Any:  # noqa: ANN401 - `presets.Steganalyzer`; training is not typed from here
    """The paper's steganalyzer, for `evaluate security`; MissingExtraError if torch is not installed."""
    require_extra("torch")
    from stegcli.training.detectors.paper import accuracy

    return accuracy


def _check_together(resume: Path | None, **others: object) -> None:
    """A run keeps its folder, model and data."""
    given = [name for name, value in others.items() if value]
    if resume is not None and given:
        raise UsageError(
            f"--resume and --{given[0]} exclude each other",
            "A run continues in its own folder, with its own data.",
        )


def _names(dataset: list[str]) -> list[str]:
    names = [name.strip() for part in dataset for name in part.split(",")]
    if not all(names):
        raise UsageError("--dataset has an empty name", "Write it as --dataset lfw,folder:PATH.")
    return list(dict.fromkeys(names))


def _free_folder(name: str) -> Path:
    """runs/NAME, or the first of runs/NAME-2, runs/NAME-3 ... that does not exist."""
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
    """Make the folder, and remove it again if nothing was written to it."""
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
        yield f"  resume    stegcli train --resume {name}{_places(settings)}"
    if recipe.model not in ROWS_OF_TABLES:
        yield f"  use it    stegcli export {name} -o weights-{Path(folder).name}"


def _places(settings: TrainOptions) -> str:
    """The options that say where the pictures are: a run does not remember them."""
    root = [] if settings.data_root is None else ["--data-root", str(settings.data_root)]
    fonts = [part for folder in settings.fonts for part in ("--fonts", str(folder))]
    return "".join(f" {shlex.quote(part)}" for part in root + fonts)
