"""`stegcli models`, with `list`, `pull`, `push` and `verify` below it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stegcli.cli import options
from stegcli.cli.report import Talk
from stegcli.errors import ModelError, UsageError

if TYPE_CHECKING:
    from stegcli.models.store import ModelFiles

__all__ = ["app"]

app = typer.Typer(
    invoke_without_command=True,
    help="List the models here; pull, push and verify weights.",
    epilog="Example: stegcli models pull hf://owner/repo",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def models(
    context: typer.Context,
    weights: options.Weights = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """List the models here, or those in --weights; pull, push and verify weights."""
    if context.invoked_subcommand is None:
        _list(weights, Talk(as_json, quiet, verbose))


@app.command("list")
def list_models(
    weights: options.Weights = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """List the models that are installed, or those in --weights."""
    _list(weights, Talk(as_json, quiet, verbose))


@app.command()
def pull(
    address: Annotated[
        str,
        typer.Argument(
            metavar="hf://OWNER/REPO[@REVISION]",
            help="Repository on the Hugging Face Hub; without a commit, the newest one, which is then named.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Copy the weights to this folder, to use anywhere."),
    ] = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Download weights, so that hiding and revealing need no network.

    A download that was interrupted continues where it stopped. Every file is checked against the SHA-256 in
    the repository's manifest.
    """
    from stegcli.models import exchange, store

    talk = Talk(as_json, quiet, verbose)
    place = store.pinned(address)
    files = exchange.whole(place)
    if out is not None:
        _copy(files, out, force)
    found = [found.entry.id for found in store.catalog(place)]
    use = place if out is None else str(out)
    values = {"weights": use, "pinned": place, "models": found, "bytes": sum(map(len, files.values()))}
    lines = [f"{place}: {', '.join(found)}", f"  use it    stegcli hide cover.png secret.png --weights {use}"]
    talk.result(values, lines, [use])


@app.command()
def push(
    source: Annotated[
        Path, typer.Argument(metavar="DIR|RUN", help="Folder of weights, or of a training run to export.")
    ],
    repository: Annotated[
        str, typer.Argument(metavar="OWNER/REPO", help="Repository on the Hub; made if it is not there.")
    ],
    name: Annotated[
        str | None, typer.Option(metavar="MODEL_ID", help="Id of a run's model (default: from its name).")
    ] = None,
    licence: Annotated[str, typer.Option("--licence", metavar="ID", help="Licence to state.")] = "mit",
    private: Annotated[bool, typer.Option("--private", help="Let nobody else see a new repository.")] = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Push weights to the Hugging Face Hub, with a card, as one commit.

    Log in with the Hub's own tools: `hf auth login`, or HF_TOKEN. The pushed files are read back, and their
    pinned address is printed.
    """
    from stegcli.models import exchange, store

    talk = Talk(as_json, quiet, verbose)
    with tempfile.TemporaryDirectory() as draft:
        folder = source if store.is_folder_of_weights(str(source)) else _exported(source, Path(draft), name)
        place = exchange.push_folder(folder, repository, licence=licence, private=private)
    talk.result({"pinned": place}, [f"{place}", f"  use it    stegcli hide ... --weights {place}"], [place])


@app.command()
def verify(
    weights: options.Weights = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Check every file against its SHA-256, and load it.

    This verifies the models that are installed, or those in --weights.
    """
    from stegcli.models import exchange

    talk = Talk(as_json, quiet, verbose)
    checked = exchange.verified(weights)
    bad = [each for each in checked if each.problem]
    values = {"checked": [vars(each) for each in checked], "ok": not bad}
    lines = [f"{each.model} {each.role}: {each.problem or 'as it should be'}" for each in checked]
    talk.result(values, lines, [each.model for each in bad])
    if bad:
        raise ModelError(
            f"{len(bad)} of {len(checked)} files are not as they should be",
            "Fetch them again: install stegcli again, or copy the weights again.",
        )


def _list(weights: str | None, talk: Talk) -> None:
    from stegcli.models import store

    found = store.catalog(weights)
    values = {"models": [_values(files) for files in found]}
    lines = [_line(files) for files in found] or ["no models"]
    talk.result(values, lines, [files.entry.id for files in found])


def _exported(run: Path, folder: Path, name: str | None) -> Path:
    """The weights of a training run."""
    from stegcli.cli.train import require_extra

    if not run.is_dir():
        raise UsageError(f"{run}: not a folder", "Give a folder of weights, or of a training run.")
    require_extra("torch", "accelerate", "tensorboard", "onnx")
    from stegcli.training.loop.checkpoint import Run
    from stegcli.training.run import export_run

    export_run(run, folder, name or Run(run).model_id())
    return folder


def _copy(files: dict[str, bytes], folder: Path, force: bool) -> None:
    """Write all files, the manifest last: a folder without one is not a folder of weights."""
    from stegcli.models.store import MANIFEST
    from stegcli.pictures.drafts import explained, refuse_existing
    from stegcli.pictures.writing import save_bytes

    refuse_existing(folder / MANIFEST, force)
    for name in sorted(files, key=lambda each: each == MANIFEST):
        with explained(folder / name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        save_bytes(folder / name, files[name], force=True)


def _values(files: ModelFiles) -> dict[str, Any]:
    entry = files.entry
    return {
        "id": entry.id,
        "family": entry.family,
        "default": entry.default,
        "local": files.is_local(),
        "hub": entry.hub or None,
        "description": entry.description,
    }


def _line(files: ModelFiles) -> str:
    entry = files.entry
    place = (
        "installed"
        if files.is_local()
        else f"at hf://{entry.hub}, downloaded when first used"
        if entry.hub
        else "missing"
    )
    default = f", default of {entry.family}" if entry.default else ""
    return f"{entry.id}  {place}{default}  {entry.description}".rstrip()
