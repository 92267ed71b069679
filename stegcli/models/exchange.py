"""Folders of weights and the Hub: copied here whole, pushed there whole, and looked through."""

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
    """One graph that was looked at.

    Attributes:
        model: id.
        role: of the graph.
        problem: what is wrong with it; empty if its SHA-256 is the manifest's and it loads.
    """

    model: str
    role: str
    problem: str


def verified(weights: PathLike | None) -> list[Checked]:
    """Read every graph of one place against its SHA-256, and load it.

    Raises:
        ModelError: there is no good manifest.
    """
    return [Checked(files.entry.id, role, _problem(files, role)) for files, role in _graphs(weights)]


def whole(weights: PathLike) -> dict[str, bytes]:
    """A place as files: path -> content, its manifest among them; every graph has the manifest's SHA-256.

    Raises:
        ModelError: one cannot be fetched, or is not what the manifest says.
    """
    found = {files.entry.files[role]: files.read(role) for files, role in _graphs(weights)}
    entries = [replace(files.entry, hub="", revision="") for files in store.catalog(weights)]
    return {store.MANIFEST: render_manifest(entries).encode(), **found}


def push_folder(folder: Path, repository: str, *, licence: str, private: bool) -> str:
    """Push a folder of weights with a card, read it back, and give its pinned address.

    Args:
        folder: with a manifest.
        repository: "owner/name", which is made if need be.
        licence: the Hub's name of it, as `mit`.
        private: whether a repository that is made is the owner's alone.

    Raises:
        UsageError: the repository has no such name.
        ModelError: a graph is not what the manifest says or does not load, or the Hub refuses.
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
