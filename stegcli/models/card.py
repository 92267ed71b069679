"""The card of a repository of weights in the Hub's format: YAML front matter, then Markdown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stegcli._version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stegcli.models.manifest import ModelEntry

__all__ = ["render_card"]

_TAGS = ("steganography", "onnx", "image-steganography")


def render_card(repository: str, entries: Sequence[ModelEntry], texts: Sequence[str], licence: str) -> str:
    """Return the README.md of a repository.

    Args:
        repository: "owner/name".
        entries: the models in it.
        texts: Markdown of the models' own cards, if there are any.
        licence: the Hub's identifier of the licence, such as `mit`.
    """
    head = [
        "---",
        f"license: {json.dumps(licence)}",
        "library_name: stegcli",
        "pipeline_tag: image-to-image",
        "tags:",
        *(f"- {tag}" for tag in (*_TAGS, *sorted({entry.family for entry in entries}))),
        "---",
    ]
    name = repository.partition("/")[2]
    rows = [f"| `{entry.id}` | {entry.family} | {_cell(entry.description)} |" for entry in entries]
    body = [
        f"# {name}",
        "",
        f"Weights for stegcli, pushed by version {__version__}. Every file "
        "is named in `manifest.toml` with its SHA-256, and none that differs is loaded.",
        "",
        "| model | family | |",
        "| --- | --- | --- |",
        *rows,
        "",
        "```console",
        f"$ stegcli models pull hf://{repository}",
        "$ stegcli hide cover.png secret.png --weights hf://OWNER/NAME@REVISION  # as pull names it",
        "```",
    ]
    return "\n".join([*head, "", *body, *(f"\n{text.strip()}" for text in texts)]) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
