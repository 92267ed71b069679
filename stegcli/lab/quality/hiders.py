"""Everything that can hide a picture, behind one interface: the program's models and the baselines.

A hider returns a stego and a function to read it. Baselines are only for measurement: they have no header,
know the secret's size, and derive their keys from a seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stegcli._version import __version__
from stegcli.codecs.file_secret import FileSecret
from stegcli.envelope.head import Head
from stegcli.envelope.keys import SALT_BYTES, Keyring
from stegcli.errors import ChangedError, NothingFoundError, UsageError
from stegcli.methods import table
from stegcli.methods.base import Cover, Job, Wishes
from stegcli.models import store
from stegcli.models.loading import Models
from stegcli.pictures import reading

__all__ = ["Hidden", "Hider", "ModelHider", "distinct", "identities", "random_numbers", "seed_bytes"]

Array = NDArray[np.uint8]
Reveal = Callable[[Array], Array | None]


@dataclass(frozen=True)
class Hidden:
    """A stego in memory.

    Attributes:
        stego_rgb: (H, W, 3) uint8.
        reveal: stego pixels, perhaps damaged -> (h, w) uint8 in the secret's size, or None if nothing opens.
        spread: cover pixels per hidden pixel, or 0 where that has no meaning.
        written_bits: bits of the file that was written; 0 if the picture is not written as a file.
        simulated: whether the stego simulates an ideal coder, and so cannot be read.
    """

    stego_rgb: Array
    reveal: Reveal
    spread: int = 0
    written_bits: int = 0
    simulated: bool = False


class Hider(Protocol):
    """One row of the tables."""

    @property
    def name(self) -> str:
        """Name on the command line."""

    @property
    def identity(self) -> str:
        """What makes two runs comparable: a checksum, or a description of the settings."""

    def hide(self, cover_rgb: Array, secret_gray: Array, seed: str, stego_psnr_db: float | None) -> Hidden:
        """Hide a secret.

        Args:
            cover_rgb: (H, W, 3) uint8.
            secret_gray: (h, w) uint8.
            seed: determines everything random.
            stego_psnr_db: PSNR of the model it is compared with, for hiders that can choose theirs.
        """


@dataclass(frozen=True)
class _Renamed:
    """A hider under another name.

    Attributes:
        hider: the hider.
        name: its name in the tables.
    """

    hider: Hider
    name: str

    @property
    def identity(self) -> str:
        """Identity of the hider."""
        return self.hider.identity

    def hide(self, cover_rgb: Array, secret_gray: Array, seed: str, stego_psnr_db: float | None) -> Hidden:
        """Hide as the hider does."""
        return self.hider.hide(cover_rgb, secret_gray, seed, stego_psnr_db)


def distinct(hiders: Sequence[Hider]) -> list[Hider]:
    """Return the hiders with unique names and no duplicates, since names identify the rows of a table.

    Two trainings may have given their models the same id; then part of a checksum is added.
    """
    identities_of: dict[str, list[str]] = {}
    for hider in hiders:
        identities_of.setdefault(hider.name, []).append(hider.identity)
    named: dict[str, Hider] = {}
    for hider in hiders:
        name = hider.name
        if len(set(identities_of[name])) > 1:
            name += f" ({hashlib.sha256(hider.identity.encode()).hexdigest()[:_DIGITS]})"
        named.setdefault(name, hider if name == hider.name else _Renamed(hider, name))
    return list(named.values())


_DIGITS = 6


def identities(hiders: Sequence[Hider]) -> dict[str, str]:
    """Return the identity of every hider by name, for the record.

    Raises:
        UsageError: two have the same name, so that their rows would be merged.
    """
    found = {hider.name: hider.identity for hider in hiders}
    if len(found) < len(hiders):
        names = sorted(hider.name for hider in hiders)
        twice = sorted({name for name in names if names.count(name) > 1})
        raise UsageError(f"two models are called {', '.join(twice)}", "Give each model an id of its own.")
    return found


def seed_bytes(seed: str, purpose: str, count: int = 32) -> bytes:
    """Derive at most 32 bytes from the seed."""
    return hashlib.sha256(f"{purpose}/{seed}".encode()).digest()[:count]


def random_numbers(seed: str, purpose: str) -> np.random.Generator:
    """Return a generator derived from the seed; for measurement only, never for keys."""
    return np.random.default_rng(int.from_bytes(seed_bytes(seed, purpose, 16), "big"))


def _decibels(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a number of dB", "Write ID@DB, such as phase@40.") from None


class ModelHider:
    """A model of the program, run as `hide` and `reveal` run it.

    Args:
        model: id, family or folder of weights; "ID@DB" sets a target for the revealed pictures in dB.
        weights: folder or Hub address in which an id is sought; None for the program's own models.
        favor: as for `stegcli hide`.
        device: as for `stegcli hide`.
    """

    def __init__(self, model: str, weights: str | None, favor: str, device: str) -> None:
        name, _, target = model.partition("@")
        self._target = _decibels(target) if target else None
        is_folder = store.is_folder_of_weights(name)
        self._models = Models(name if is_folder else weights, device)
        wanted = None if is_folder else name
        self._method, self._model = table.chosen(wanted, self._models, progressive=self._target is not None)
        self._favor = "balanced" if self._method.family == "isgan" else favor
        self._keyring = Keyring(None)
        self._asked = model, weights, favor, device

    def __reduce__(self) -> tuple[object, ...]:
        """Travel to another process as what was asked for: there it loads networks of its own."""
        return type(self), self._asked

    @property
    def name(self) -> str:
        """The model's id, whatever name was given, and the target."""
        name = self._method.family if self._model is None else self._model.id
        return name + ("" if self._target is None else f"@{self._target:g}")

    @property
    def identity(self) -> str:
        """Checksums of its graphs, or the program's version if it has none."""
        if self._model is None:
            return f"{self._method.family} of stegcli {__version__}"
        return " ".join(f"{role} {digest}" for role, digest in sorted(self._model.files.entry.sha256.items()))

    def hide(self, cover_rgb: Array, secret_gray: Array, seed: str, stego_psnr_db: float | None) -> Hidden:
        """Hide with the public key; the salt is derived from the seed."""
        del stego_psnr_db  # a model has no choice
        made = self._method.hide(
            Job(
                Cover(cover_rgb),
                secret_gray,
                self._models,
                self._model,
                self._keyring,
                Wishes(self._favor, self._target),
                seed_bytes(seed, "salt", SALT_BYTES),
            )
        )
        bits = 8 * made.header.body_bytes if isinstance(made.header, Head) else 0
        return Hidden(made.rgb, partial(self._reveal, secret_gray.shape), made.facts.spread, bits)

    def _reveal(self, shape: tuple[int, int], stego_rgb: Array) -> Array | None:
        try:
            method, opened = table.open_stego(stego_rgb, None, self._keyring)
        except NothingFoundError:
            return None
        try:
            content = method.reveal(opened, self._models).content
        except ChangedError:
            return None
        if isinstance(content, FileSecret):
            return None
        return reading.resize(content, shape)
