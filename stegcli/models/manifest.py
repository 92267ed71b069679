"""The table of models: a `manifest.toml` beside the files that names each one with its checksum."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from stegcli.errors import ModelError
from stegcli.models.contract import EXTRA_ROLES, FAMILIES, ROLES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DEFAULT_FAMILY", "Manifest", "ModelEntry", "parse_manifest", "render_manifest"]

DEFAULT_FAMILY = "phase"
_SCHEMA = 1
_FLAGS = ("default", "progressive")
_TEXTS = ("description", "hub", "revision")
_KEYS = frozenset(["family", *_FLAGS, *_TEXTS])


@dataclass(frozen=True)
class ModelEntry:
    """One model: its graphs, where they are, and their checksums.

    Attributes:
        id: family-data-version, such as `phase-v1`.
        family: one of `contract.FAMILIES`.
        files: role, from the family's `contract.ROLES` or `EXTRA_ROLES` -> path relative to the manifest's
            folder (or in the Hub repository).
        sha256: role -> 64 hexadecimal digits.
        default: whether it is used when only its family is named.
        progressive: whether it can send only some of its planes, see `planes`.
        description: one line for `stegcli models`.
        hub: Hugging Face Hub repository, "owner/name"; empty if the files lie beside the manifest.
        revision: its commit, 40 hexadecimal digits.
    """

    id: str
    family: str
    files: dict[str, str]
    sha256: dict[str, str]
    default: bool = False
    progressive: bool = False
    description: str = ""
    hub: str = ""
    revision: str = ""

    def __post_init__(self) -> None:
        _require(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", self.id), "its id is not of the form phase-v1")
        _require(self.family in FAMILIES, f"family must be one of {', '.join(FAMILIES)}")
        for role in self.files:
            _require(is_inside(self.files[role]), f"{role} must be a path below the manifest's folder")
            _require(
                re.fullmatch(r"[0-9a-f]{64}", self.sha256[role]),
                f"{role}_sha256 must be 64 hexadecimal digits",
            )
        if self.hub:
            _require(is_repository(self.hub), 'hub must be "owner/name"')
            _require(is_revision(self.revision), "revision must be a commit, 40 hexadecimal digits")

    @property
    def fingerprint(self) -> bytes:
        """First 4 bytes of the SHA-256 of its last graph, by which a stego's header names the model."""
        return bytes.fromhex(self.sha256[ROLES[self.family][-1]][:8])


@dataclass(frozen=True)
class Manifest:
    """All models of a folder, in the order of the file."""

    models: tuple[ModelEntry, ...]

    def __post_init__(self) -> None:
        defaults = [entry.family for entry in self.models if entry.default]
        _require(len(defaults) == len(set(defaults)), "two models of one family are both the default")

    def choose(self, name: str | None, *, progressive: bool = False) -> ModelEntry:
        """Return a model by id, family or None (the default); of a family, a progressive one if requested.

        Raises:
            ModelError: no such model exists; the choices are listed.
        """
        exact = [entry for entry in self.models if entry.id == name]
        family = [entry for entry in self.models if entry.family == (name or DEFAULT_FAMILY)]
        wanted = [entry for entry in family if entry.progressive] if progressive else []
        candidates = exact or wanted or [entry for entry in family if entry.default] or family
        if not candidates and name is None:
            candidates = list(self.models)
        if not candidates:
            known = ", ".join(entry.id for entry in self.models) or "none"
            raise ModelError(f"there is no model {name or DEFAULT_FAMILY!r}", f"Models here: {known}.")
        return candidates[0]

    def by_fingerprint(self, fingerprint: bytes) -> ModelEntry | None:
        """Return the model with these 4 bytes from a stego's header, or None if it is not in this table."""
        return next((entry for entry in self.models if entry.fingerprint == fingerprint), None)


def parse_manifest(text: str, source: str) -> Manifest:
    """Read a manifest.

    Raises:
        ModelError: it is not TOML, has a later schema, a missing or unknown key, or an invalid value.
    """
    try:
        _require(_depth(text) <= _DEEPEST, "it is nested too deeply")
        table = tomllib.loads(text)
        _require(table.get("schema") == _SCHEMA, f"schema must be {_SCHEMA}")
        return Manifest(tuple(_entry(name, values) for name, values in _tables(table.get("models", {}))))
    except RecursionError as error:
        raise ModelError(f"{source} is not a valid manifest: it is nested too deeply", _HINT) from error
    except ValueError as error:
        raise ModelError(f"{source} is not a valid manifest: {error}", _HINT) from error


_HINT = "Get the manifest from the source of the weights."
_DEEPEST: Final = 32
_ASIDE: Final = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|#[^\n]*")
"""Strings and comments, whose dots divide nothing."""
_BETWEEN_KEYS: Final = re.compile(r"[^\w\s.-]+")


def _depth(text: str) -> int:
    """Return the number of dots in the longest dotted key: the time that it takes grows with their square."""
    return max(part.count(".") for part in _BETWEEN_KEYS.split(_ASIDE.sub("", text)))


def render_manifest(models: Iterable[ModelEntry]) -> str:
    """Render a manifest that `parse_manifest` reads as the same models."""
    return "\n".join([f"schema = {_SCHEMA}\n", *(_section(entry) for entry in models)])


def is_inside(path: str) -> bool:
    """Whether a relative path with forward slashes stays inside its folder on every system."""
    parts = path.split("/")
    return bool(path) and all(re.fullmatch(r"[\w.-]+", part) and part not in (".", "..") for part in parts)


def is_repository(text: str) -> bool:
    """Whether this is a valid name of a repository on the Hub."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", text) is not None


def is_revision(text: str) -> bool:
    """Whether this pins a commit, since a branch or tag may move."""
    return re.fullmatch(r"[0-9a-f]{40}", text) is not None


def _tables(models: object) -> Iterable[tuple[str, dict[str, Any]]]:
    """Return the tables below `models` by name."""
    tables: dict[str, Any] = models if isinstance(models, dict) else {"": models}
    are_tables = all(isinstance(each, dict) for each in tables.values())
    _require(are_tables, "models must be tables like [models.phase-v1]")
    return tables.items()


def _entry(name: str, values: dict[str, Any]) -> ModelEntry:
    family: Any = values.get("family")
    _require_all(name, str, {"family": family}, "given as text")
    extra = [role for role in EXTRA_ROLES.get(family, ()) if role in values]
    roles = (*ROLES.get(family, ("encoder", "decoder")), *extra)
    file_keys = (*roles, *(f"{role}_sha256" for role in roles))
    unknown = sorted(values.keys() - _KEYS.union(file_keys))
    _require(not unknown, f"models.{name}: unknown key {', '.join(unknown)}")
    needed = {key: values.get(key) for key in file_keys}
    _require_all(name, str, {key: values.get(key, "") for key in _TEXTS} | needed, "given as text")
    _require_all(name, bool, {key: values.get(key, False) for key in _FLAGS}, "true or false")
    try:
        return ModelEntry(
            id=name,
            family=values["family"],
            files={role: values[role] for role in roles},
            sha256={role: values[f"{role}_sha256"] for role in roles},
            **{key: values[key] for key in (*_FLAGS, *_TEXTS) if key in values},
        )
    except ValueError as error:
        raise ValueError(f"models.{name}: {error}") from error


def _require_all(name: str, kind: type, values: dict[str, Any], what: str) -> None:
    wrong = [key for key, value in values.items() if not isinstance(value, kind)]
    _require(not wrong, f"models.{name}: {', '.join(wrong)} must be {what}")


def _section(entry: ModelEntry) -> str:
    """Render one table of a manifest, without default values."""
    lines = [f"[models.{_quoted(entry.id)}]", f"family = {_quoted(entry.family)}"]
    lines += [f"{flag} = true" for flag in _FLAGS if getattr(entry, flag)]
    for role, path in entry.files.items():
        lines += [f"{role} = {_quoted(path)}", f"{role}_sha256 = {_quoted(entry.sha256[role])}"]
    texts = {name: getattr(entry, name) for name in _TEXTS}
    lines += [f"{name} = {_quoted(text)}" for name, text in texts.items() if text]
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    """Return a basic TOML string: like JSON's, but TOML forbids lone surrogates and an unescaped DEL."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")


def _require(holds: object, message: str) -> None:
    if not holds:
        raise ValueError(message)
