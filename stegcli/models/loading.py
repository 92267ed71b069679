"""The networks of a caller: each is found once, loaded once, and shared by all its jobs."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from stegcli.errors import ModelError
from stegcli.models import store
from stegcli.models.session import HINT, open_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from stegcli.models.session import Network
    from stegcli.models.store import ModelFiles, PathLike

__all__ = ["Loader", "Models"]


class Models:
    """Models from one source, and those of the program, on one device.

    Two objects share nothing: to load a network only once, keep the object.

    Args:
        weights: folder with a manifest, or `hf://owner/repo@revision`; None for the program's own models.
        device: "auto", "cpu" or "cuda"; auto uses CUDA if it works, else the CPU.
    """

    def __init__(self, weights: PathLike | None = None, device: str = "auto") -> None:
        self._weights, self._device = weights, device
        self._networks: dict[str, Network] = {}
        self._found: dict[object, ModelFiles] = {}
        self._lock = threading.Lock()

    def find(self, name: str | None = None, *, progressive: bool = False) -> Loader:
        """Find the model to hide with, as `store.find`."""
        find = partial(store.find, name, self._weights, progressive=progressive)
        return self._once((name, progressive), find)

    def fingerprinted(self, fingerprint: bytes) -> Loader:
        """Find the model that a stego's header names, as `store.find_by_fingerprint`."""
        return self._once(fingerprint, partial(store.find_by_fingerprint, fingerprint, self._weights))

    def bundled(self, name: str) -> Loader:
        """Find a model of the program itself, whatever the source of the others."""
        return self._once(("bundled", name), partial(store.find, name))

    def _once(self, asked: object, find: Callable[[], ModelFiles]) -> Loader:
        """Return what was found the first time, so that no manifest is read again for every picture."""
        if asked not in self._found:
            self._found[asked] = find()
        return Loader(self._found[asked], self)

    def network(self, files: ModelFiles, role: str) -> Network:
        """Return one graph of a model, loaded at the first call.

        Raises:
            ModelError: it is missing, damaged, or not what the manifest says.
            DeviceError: CUDA was requested but is not available.
        """
        key = files.entry.sha256[role]
        with self._lock:
            if key not in self._networks:
                self._networks[key] = open_network(files.read(role), files.entry.files[role], self._device)
        _check_role(self._networks[key], files, role)
        return self._networks[key]


@dataclass(frozen=True)
class Loader:
    """Loads a model's graphs on demand.

    Attributes:
        files: the model.
        models: the object that keeps its networks.
    """

    files: ModelFiles
    models: Models

    def __call__(self, role: str) -> Network:
        """Return one graph."""
        return self.models.network(self.files, role)

    def has(self, role: str) -> bool:
        """Whether the model includes that graph."""
        return role in self.files.entry.files

    @property
    def id(self) -> str:
        """The model's id."""
        return self.files.entry.id

    @property
    def family(self) -> str:
        """The model's family."""
        return self.files.entry.family

    @property
    def fingerprint(self) -> bytes:
        """4 bytes by which a header identifies the model."""
        return self.files.entry.fingerprint


def _check_role(network: Network, files: ModelFiles, role: str) -> None:
    """Raise a ModelError if the graph claims to be something other than the manifest says."""
    promised = (network.contract.family, network.contract.role)
    if promised != (files.entry.family, role):
        raise ModelError(
            f"{files.entry.files[role]} is {' '.join(promised)}, not {files.entry.family} {role}", HINT
        )
