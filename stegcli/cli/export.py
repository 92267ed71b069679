"""`stegcli export`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from stegcli.cli import options
from stegcli.cli.failures import if_interrupted
from stegcli.cli.report import Talk
from stegcli.cli.train import require_extra
from stegcli.errors import OutputError, UsageError, one_line

__all__ = ["export"]


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="DIR", help="Folder to write the weights to (default: RUN/weights)."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="MODEL_ID", help="Id of the model (default: from the run's name)."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing weights.")] = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Export a training run as weights that hide and reveal can load."""
    require_extra("torch", "accelerate", "tensorboard", "onnx")
    if name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
        raise UsageError(
            f"{name} cannot be the id of a model",
            "Use lower-case letters, digits, dots and dashes: phase-v2.",
        )
    folder = out or run / "weights"
    if (folder / "manifest.toml").exists() and not force:
        raise OutputError(
            f"{folder} holds weights already", "Choose another folder, or replace them with --force."
        )
    from stegcli.training.loop.checkpoint import Run
    from stegcli.training.run import export_run

    model_id = name or Run(run).model_id()
    talk = Talk(as_json, quiet, verbose)
    try:
        with if_interrupted(lambda: _kept(folder)):
            errors = export_run(run, folder, model_id)
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {one_line(error)}", "Choose another folder with -o."
        ) from error
    parity = ", ".join(f"{role} {error:.1e}" for role, error in errors.items())
    talk.result(
        {"weights": str(folder), "model": model_id, "parity": errors},
        [
            f"{folder}: {model_id}",
            f"  largest difference between torch and onnxruntime: {parity}",
            f"  use it    stegcli hide cover.png secret.png --weights {shlex.quote(str(folder))}",
        ],
        [str(folder)],
    )


def _kept(folder: Path) -> str:
    if folder.is_dir() and any(folder.iterdir()):
        return f"{folder} may hold incomplete weights: run the same command again with --force."
    return "No weights were written."
