"""Find model files and verify that they are what the manifest says.

The search order is: the folder or Hub repository given by the user; the models that come with the
program; the Hugging Face cache of this machine; the Hugging Face Hub. The network is used only for a model
whose manifest entry names a Hub repository and whose files are not on this machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from stegcli.errors import ModelError, UsageError, one_line
from stegcli.models import hub
from stegcli.models.files import read_regular
from stegcli.models.graphs import MAX_BYTES
from stegcli.models.manifest import Manifest, ModelEntry, is_revision, parse_manifest

if TYPE_CHECKING:
    import os

    PathLike = str | os.PathLike[str]

__all__ = ["ModelFiles", "catalog", "find", "find_by_fingerprint", "is_folder_of_weights", "pinned"]

MANIFEST = "manifest.toml"
_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True)
class ModelFiles:
    """A model, and the folder in which its files are sought."""

    entry: ModelEntry
    folder: Path

    def read(self, role: str) -> bytes:
        """Read one graph and check its SHA-256.

        Args:
            role: one of the entry's files.

        Raises:
            ModelError: it is missing, unreadable, cannot be fetched, or differs from the manifest.
        """
        path = self._locate(role)
        try:
            content = read_regular(path, MAX_BYTES)
        except OSError as error:
            raise ModelError(
                f"cannot read the {role} of {self.entry.id}: {path} ({one_line(error)})",
                "Install stegcli again, or give the folder of the weights with --weights.",
            ) from error
        if hashlib.sha256(content).hexdigest() != self.entry.sha256[role]:
            raise ModelError(
                f"{path} is damaged or not the {role} of {self.entry.id}: its SHA-256 is not the manifest's",
                "Install stegcli again, or copy the weights again.",
            )
        return content

    def is_local(self) -> bool:
        """Whether its graphs are in the folder, so that no network is needed."""
        return all((self.folder / name).is_file() for name in self.entry.files.values())

    def _locate(self, role: str) -> Path:
        path = self.folder / self.entry.files[role]
        if self.entry.hub and not path.is_file():
            return hub.fetch(self.entry.hub, self.entry.revision, self.entry.files[role])
        return path


def find(
    name: str | None = None, weights: PathLike | None = None, *, progressive: bool = False
) -> ModelFiles:
    """Find a model to hide with.

    Args:
        name: id or family; None for the default.
        weights: folder with a manifest, or `hf://owner/repo@revision`; None for the program's own models.
        progressive: whether the model must be able to send only some of its planes.

    Raises:
        ModelError: no such model exists.
    """
    manifest, folder = _open(weights)
    return ModelFiles(manifest.choose(name, progressive=progressive), folder)


def find_by_fingerprint(fingerprint: bytes, weights: PathLike | None = None) -> ModelFiles:
    """Find the model that a stego's header names, first in the given weights, then in the program's own.

    Args:
        fingerprint: first 4 bytes of the decoder's SHA-256.
        weights: as for `find`.

    Raises:
        ModelError: it is in neither.
    """
    for place in (weights, None) if weights is not None else (None,):
        manifest, folder = _open(place)
        entry = manifest.by_fingerprint(fingerprint)
        if entry is not None:
            return ModelFiles(entry, folder)
    raise ModelError(
        f"the picture was hidden with model {fingerprint.hex()}, which is not installed",
        "Give the folder with the weights that it was hidden with: --weights DIR; or upgrade stegcli.",
    )


def pinned(address: str) -> str:
    """Return a Hub address with a commit: if it names none, the one to which the main branch points now.

    Raises:
        UsageError: it is not an address on the Hub.
        ModelError: the Hub cannot be reached.
    """
    repository, at, _ = address.removeprefix(hub.SCHEME).partition("@")
    if not address.startswith(hub.SCHEME) or repository.count("/") != 1:
        raise UsageError(f"{address}: not an address on the Hub", "Write hf://owner/repo@REVISION.")
    return address if at else f"{address}@{hub.latest(repository)}"


def is_folder_of_weights(name: str) -> bool:
    """Whether a name that could also be a model's id is a folder with a manifest."""
    return (Path(name) / MANIFEST).is_file()


def catalog(weights: PathLike | None = None) -> tuple[ModelFiles, ...]:
    """List all models of a folder or repository, in the manifest's order."""
    manifest, folder = _open(weights)
    return tuple(ModelFiles(entry, folder) for entry in manifest.models)


def _open(weights: PathLike | None) -> tuple[Manifest, Path]:
    if weights is None:
        return _open_folder(_bundled_folder())
    if str(weights).startswith(hub.SCHEME):
        return _open_hub(str(weights))
    return _open_folder(Path(weights))


def _open_folder(folder: Path) -> tuple[Manifest, Path]:
    path = folder / MANIFEST
    try:
        text = read_regular(path, _MANIFEST_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:  # the latter: not UTF-8, or a name that contains a zero byte
        raise ModelError(
            f"cannot read {path} ({one_line(error)})",
            f"Give a folder that holds {MANIFEST}, such as `stegcli export` writes.",
        ) from error
    return parse_manifest(text, str(path)), folder


def _open_hub(address: str) -> tuple[Manifest, Path]:
    repository, _, revision = address.removeprefix(hub.SCHEME).partition("@")
    if repository.count("/") != 1 or not is_revision(revision):
        raise UsageError(
            f"{address} does not pin a commit",
            "Write hf://owner/repo@REVISION with all 40 digits: what a branch points to can change.",
        )
    manifest, folder = _open_folder(hub.fetch(repository, revision, MANIFEST).parent)
    return Manifest(tuple(_in_hub(entry, repository, revision) for entry in manifest.models)), folder


def _in_hub(entry: ModelEntry, repository: str, revision: str) -> ModelEntry:
    return entry if entry.hub else replace(entry, hub=repository, revision=revision)


def _bundled_folder() -> Path:
    try:
        return Path(import_module("stegcli.weights").__path__[0])
    except ModuleNotFoundError as error:
        raise ModelError(
            "the models that come with the program are not installed",
            "Install it with `pip install .`, or give --weights DIR.",
        ) from error
