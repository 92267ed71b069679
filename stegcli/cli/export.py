"""`stegcli export`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from stegcli.cli import options
from stegcli.cli.report import Talk
from stegcli.cli.train import require_extra
from stegcli.errors import OutputError, UsageError, one_line

__all__ = ["export"]


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run of `stegcli train`.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Folder for the weights (default: RUN/weights)."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="MODEL_ID", help="Id of the model (default: the run's name and checkpoint)."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace weights that lie there already.")] = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Turn a run's checkpoint into the ONNX files that hide and reveal load, and check them."""
    require_extra("torch", "accelerate", "tensorboard", "onnx")
    if name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
        raise UsageError(
            f"{name} cannot be the id of a model", "Use small letters, digits, dots and dashes: phase-v2."
        )
    folder = out or run / "weights"
    if (folder / "manifest.toml").exists() and not force:
        raise OutputError(
            f"{folder} holds weights already", "Choose another folder, or replace them with --force."
        )
    from stegcli.training.loop.checkpoint import Run
    from stegcli.training.run import export_run

    model_id = name or Run(run).model_id()
    try:
        errors = export_run(run, folder, model_id)
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {one_line(error)}", "Choose another folder with -o."
        ) from error
    parity = ", ".join(f"{role} {error:.1e}" for role, error in errors.items())
    Talk(as_json, quiet).result(
        {"weights": str(folder), "model": model_id, "parity": errors},
        [
            f"{folder}: {model_id}",
            f"  largest difference between torch and onnxruntime: {parity}",
            f"  use it    stegcli hide cover.png secret.png --weights {shlex.quote(str(folder))}",
        ],
        [str(folder)],
    )
