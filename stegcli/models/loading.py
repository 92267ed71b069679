"""The networks that a caller owns: found once, loaded once, given to as many jobs as he likes."""

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
    """Models of one place, and of the program, on one device.

    Nothing is shared between two of them: whoever wants a network to be loaded once keeps the object.

    Args:
        weights: folder with a manifest, or `hf://owner/repo@revision`; None for the models of the program.
        device: "auto", "cpu" or "cuda"; auto takes CUDA where it works, else the CPU.
    """

    def __init__(self, weights: PathLike | None = None, device: str = "auto") -> None:
        self._weights, self._device = weights, device
        self._networks: dict[str, Network] = {}
        self._found: dict[object, ModelFiles] = {}
        self._lock = threading.Lock()

    def find(self, name: str | None = None, *, progressive: bool = False) -> Loader:
        """The model to hide with, as `store.find`."""
        find = partial(store.find, name, self._weights, progressive=progressive)
        return self._once((name, progressive), find)

    def fingerprinted(self, fingerprint: bytes) -> Loader:
        """The model that a stego's header names, as `store.find_by_fingerprint`."""
        return self._once(fingerprint, partial(store.find_by_fingerprint, fingerprint, self._weights))

    def bundled(self, name: str) -> Loader:
        """A model of the program itself, wherever the others come from."""
        return self._once(("bundled", name), partial(store.find, name))

    def _once(self, asked: object, find: Callable[[], ModelFiles]) -> Loader:
        """What was found the first time: a manifest is not read anew for every picture."""
        if asked not in self._found:
            self._found[asked] = find()
        return Loader(self._found[asked], self)

    def network(self, files: ModelFiles, role: str) -> Network:
        """One graph of a model, loaded at the first call.

        Raises:
            ModelError: missing, damaged, or not what the manifest says.
            DeviceError: CUDA was asked for and is not there.
        """
        key = files.entry.sha256[role]
        with self._lock:
            if key not in self._networks:
                self._networks[key] = open_network(files.read(role), files.entry.files[role], self._device)
        _check_role(self._networks[key], files, role)
        return self._networks[key]


@dataclass(frozen=True)
class Loader:
    """Gives a model's graphs when they are asked for.

    Attributes:
        files: the model.
        models: who keeps its networks.
    """

    files: ModelFiles
    models: Models

    def __call__(self, role: str) -> Network:
        """One graph."""
        return self.models.network(self.files, role)

    def has(self, role: str) -> bool:
        """Whether the model comes with that graph."""
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
        """4 bytes by which a header names the model."""
        return self.files.entry.fingerprint


def _check_role(network: Network, files: ModelFiles, role: str) -> None:
    """ModelError if the graph says that it is something else than the manifest says."""
    promised = (network.contract.family, network.contract.role)
    if promised != (files.entry.family, role):
        raise ModelError(
            f"{files.entry.files[role]} is {' '.join(promised)}, not {files.entry.family} {role}", HINT
        )
