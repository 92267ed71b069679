"""Copy folders of weights from the Hub, push them to it, and verify them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stegcli.errors import ModelError, StegError, UsageError
from stegcli.models import hub, store
from stegcli.models.card import render_card
from stegcli.models.manifest import is_repository, render_manifest
from stegcli.models.session import open_network

if TYPE_CHECKING:
    from stegcli.models.store import ModelFiles, PathLike

__all__ = ["Checked", "push_folder", "verified", "whole"]

_CARD = "README.md"
_MODEL_CARD = "card.md"
_CARD_BYTES = 1 << 20


@dataclass(frozen=True)
class Checked:
    """Result of checking one graph.

    Attributes:
        model: id of the model.
        role: role of the graph.
        problem: what is wrong with it; empty if its SHA-256 matches the manifest and it loads.
    """

    model: str
    role: str
    problem: str


def verified(weights: PathLike | None) -> list[Checked]:
    """Compare every graph of a folder or repository with its SHA-256, and load it.

    Raises:
        ModelError: there is no valid manifest.
    """
    return [Checked(files.entry.id, role, _problem(files, role)) for files, role in _graphs(weights)]


def whole(weights: PathLike) -> dict[str, bytes]:
    """Return a folder or repository as files, path -> content, with its manifest; every SHA-256 is checked.

    Raises:
        ModelError: a file cannot be fetched, or differs from the manifest.
    """
    found = {files.entry.files[role]: files.read(role) for files, role in _graphs(weights)}
    entries = [replace(files.entry, hub="", revision="") for files in store.catalog(weights)]
    return {store.MANIFEST: render_manifest(entries).encode(), **found}


def push_folder(folder: Path, repository: str, *, licence: str, private: bool) -> str:
    """Push a folder of weights with a card, read it back, and return its pinned address.

    Args:
        folder: folder with a manifest.
        repository: "owner/name", which is created if necessary.
        licence: the Hub's identifier of the licence, such as `mit`.
        private: whether a newly created repository is private.

    Raises:
        UsageError: a repository cannot have that name.
        ModelError: a graph differs from the manifest or does not load, or the Hub refuses.
    """
    if not is_repository(repository):
        raise UsageError(f"{repository} cannot be the name of a repository", "Write owner/name.")
    bad = [each for each in verified(folder) if each.problem]
    if bad:
        raise ModelError(f"{bad[0].model} cannot be pushed: {bad[0].problem}", "Export it again.")
    files = whole(folder)
    entries = [found.entry for found in store.catalog(folder)]
    texts = [text for entry in entries if (text := _text(folder / entry.id / _MODEL_CARD))]
    files[_CARD] = render_card(repository, entries, texts, licence).encode()
    message = f"Add {', '.join(entry.id for entry in entries)}"
    address = f"{hub.SCHEME}{repository}@{hub.push(repository, files, message, private=private)}"
    whole(address)
    return address


def _graphs(weights: PathLike | None) -> list[tuple[ModelFiles, str]]:
    return [(files, role) for files in store.catalog(weights) for role in files.entry.files]


def _problem(files: ModelFiles, role: str) -> str:
    try:
        network = open_network(files.read(role), files.entry.files[role], "cpu")
    except StegError as error:
        return error.message
    promised = (network.contract.family, network.contract.role)
    return "" if promised == (files.entry.family, role) else f"it is {' '.join(promised)}"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_CARD_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
