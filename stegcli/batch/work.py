"""The work of one process on one entry; the result has the same bytes in any process."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stegcli.batch.journal import digest_of
from stegcli.errors import NothingFoundError, StegError, UsageError, one_line, out_of_memory
from stegcli.models.contract import ROLES

if TYPE_CHECKING:
    from stegcli.batch.entries import Entry
    from stegcli.methods.base import Method
    from stegcli.models.loading import Loader, Models
    from stegcli.pipeline import HideSettings, Tools

__all__ = ["Finished", "Hiding", "Revealing", "Task", "Work", "chosen_for", "problem_of"]


@dataclass(frozen=True)
class Task:
    """One entry, as it is sent to a process.

    Attributes:
        entry: the entry.
        replace: whether a file that has the result's name may be replaced.
        salt: 16 bytes for a stego; None lets the method draw them.
    """

    entry: Entry
    replace: bool = False
    salt: bytes | None = None


@dataclass(frozen=True)
class Finished:
    """Result of a task.

    Attributes:
        task: the task.
        file: name of the file written, without a folder; empty if the task failed.
        sha256: SHA-256 of the file.
        values: figures of the result, or kind, message and hint of a failure.
    """

    task: Task
    file: str
    sha256: str
    values: dict[str, Any]


class Work(Protocol):
    """What a process is started with; it is sent there as a whole."""

    @property
    def folder(self) -> Path:
        """Folder to write to."""

    @property
    def how(self) -> str:
        """Digest of the options, 64 hexadecimal digits; of the passphrase only whether there is one."""

    def check_kept(self, file: str) -> None:
        """Raise a UsageError if the result of an earlier run is under another passphrase."""

    def tools(self) -> Tools:
        """Return what all tasks of a process share."""

    def do(self, tools: Tools, task: Task) -> Finished:
        """Do one task."""


@dataclass(frozen=True)
class Hiding:
    """Hides pairs.

    Attributes:
        folder: folder to write to.
        settings: settings of hiding.
        passphrase: None lets anybody reveal.
        run: first bytes of all salts, if they share them.
    """

    folder: Path
    settings: HideSettings
    passphrase: str | None = field(repr=False)
    run: bytes | None = None

    @property
    def how(self) -> str:
        """Digest of the settings, and of whether there is a passphrase."""
        return _digest("hide", self.settings, self.passphrase is not None)

    def check_kept(self, file: str) -> None:
        """See `Work.check_kept`."""
        from stegcli import pipeline

        settings = self.settings
        try:
            pipeline.info(
                self.folder / file,
                weights=settings.weights,
                passphrase=self.passphrase,
                max_pixels=settings.max_pixels,
            )
        except NothingFoundError as error:
            raise UsageError(
                f"{self.folder / file}: was hidden under another passphrase",
                "Give that passphrase to continue, or another folder with --out.",
            ) from error

    def tools(self) -> Tools:
        """Return networks and keys, including that of the run."""
        settings = self.settings
        tools = _tools(settings.weights, settings.device, self.passphrase)
        if self.run is not None:
            tools.keyring.begin_run(self.run)
        _, model = chosen_for(settings, tools.models)
        if model is not None:
            for role in ROLES[model.family]:
                model(role)  # errors of networks or device concern no picture in particular
        return tools

    def do(self, tools: Tools, task: Task) -> Finished:
        """Hide, and verify that the stego reveals."""
        from stegcli import pipeline

        cover, secret = task.entry.inputs
        out = self.folder / task.entry.name
        report = pipeline.hide_with(
            tools, cover, secret, out, self.settings, force=task.replace, salt=task.salt
        )
        values = {**report.as_json(), "notices": list(report.notices)}
        return Finished(task, out.name, digest_of(out) or "", values)


@dataclass(frozen=True)
class Revealing:
    """Reveals from stegos.

    Attributes:
        folder: folder to write to.
        weights: as for `pipeline.reveal`.
        device: likewise.
        passphrase: likewise.
        size: likewise.
        max_pixels: likewise.
    """

    folder: Path
    weights: str | None
    device: str
    passphrase: str | None = field(repr=False)
    size: str
    max_pixels: int

    @property
    def how(self) -> str:
        """Digest of the size, and of whether there is a passphrase."""
        return _digest("reveal", self.size, self.passphrase is not None)

    def check_kept(self, file: str) -> None:
        """Do nothing: a revealed secret is right whatever the passphrase is."""

    def tools(self) -> Tools:
        """Return networks and keys."""
        return _tools(self.weights, self.device, self.passphrase)

    def do(self, tools: Tools, task: Task) -> Finished:
        """Reveal a picture, or a file, which is named after the stego and its own name."""
        from stegcli import pipeline

        entry = task.entry

        def named(file: str | None) -> Path:
            return self.folder / (entry.name if file is None else f"{entry.stem}.{file}")

        report = pipeline.reveal_with(
            tools, entry.inputs[0], named, size=self.size, force=task.replace, max_pixels=self.max_pixels
        )
        out = Path(report.revealed or "")
        values = {**report.as_json(), "notices": list(report.notices)}
        return Finished(task, out.name, digest_of(out) or "", values)


def _digest(*parts: object) -> str:
    return sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()


def problem_of(error: BaseException) -> dict[str, str]:
    """Return kind, message and hint of an error that stopped a task."""
    if isinstance(error, MemoryError):
        error = out_of_memory()
    if isinstance(error, StegError):
        return {"kind": error.kind, "message": error.message, "hint": error.hint}
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        hint = "Check the disk, the permissions and the limits of the system."
        return {"kind": "system", "message": f"{where}the system refused ({one_line(error)})", "hint": hint}
    message = f"a bug in stegcli: {type(error).__name__}: {one_line(error)}"
    return {"kind": "bug", "message": message, "hint": "Report it with the picture, if you can."}


def chosen_for(settings: HideSettings, models: Models) -> tuple[Method, Loader | None]:
    """Return the method and the model that hide; see `table.chosen`."""
    from stegcli.methods import table

    return table.chosen(settings.model, models, progressive=settings.target is not None)


def _tools(weights: Any, device: str, passphrase: str | None) -> Tools:  # noqa: ANN401 - a str or a PathLike
    from stegcli.envelope.keys import Keyring
    from stegcli.models.loading import Models
    from stegcli.pipeline import Tools

    return Tools(Models(weights, device), Keyring(passphrase))
