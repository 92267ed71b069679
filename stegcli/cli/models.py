"""`stegcli models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stegcli.cli import options
from stegcli.cli.report import Talk

if TYPE_CHECKING:
    from stegcli.models.store import ModelFiles

__all__ = ["models"]


def models(
    weights: options.Weights = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """List the models that are installed, or those in --weights."""
    from stegcli.models import store

    talk = Talk(as_json, quiet, verbose)
    found = store.catalog(weights)
    values = {"models": [_values(files) for files in found]}
    lines = [_line(files) for files in found] or ["no models"]
    talk.result(values, lines, [files.entry.id for files in found])


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
