"""What one process does with one entry: the same bytes in whichever process."""

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
        entry: what to do.
        replace: whether a file of that name may be replaced.
        salt: 16 bytes for a stego; None lets the method draw them.
    """

    entry: Entry
    replace: bool = False
    salt: bytes | None = None


@dataclass(frozen=True)
class Finished:
    """What became of a task.

    Attributes:
        task: what was asked for.
        file: written, its name without a folder; empty if it failed.
        sha256: of the file.
        values: what is told of it; of a failure its kind, message and hint.
    """

    task: Task
    file: str
    sha256: str
    values: dict[str, Any]


class Work(Protocol):
    """What a process is started for; travels to it whole."""

    @property
    def folder(self) -> Path:
        """To write to."""

    @property
    def how(self) -> str:
        """What tells results of other options apart, as 64 hexadecimal digits; nothing of the passphrase."""

    def check_kept(self, file: str) -> None:
        """UsageError if a result of an earlier run is under another passphrase."""

    def tools(self) -> Tools:
        """What all tasks of the process share."""

    def do(self, tools: Tools, task: Task) -> Finished:
        """One task."""


@dataclass(frozen=True)
class Hiding:
    """Hiding of pairs.

    Attributes:
        folder: to write to.
        settings: how.
        passphrase: None lets anybody reveal.
        run: first bytes of all salts, if they share them.
    """

    folder: Path
    settings: HideSettings
    passphrase: str | None = field(repr=False)
    run: bytes | None = None

    @property
    def how(self) -> str:
        """Of settings, and whether there is a passphrase."""
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
                "Give that one to go on, or another folder with --out.",
            ) from error

    def tools(self) -> Tools:
        """Networks and keys, the run's among them."""
        settings = self.settings
        tools = _tools(settings.weights, settings.device, self.passphrase)
        if self.run is not None:
            tools.keyring.begin_run(self.run)
        _, model = chosen_for(settings, tools.models)
        if model is not None:
            for role in ROLES[model.family]:
                model(role)  # what is wrong with networks or device is no picture's fault
        return tools

    def do(self, tools: Tools, task: Task) -> Finished:
        """Hide, and prove that it reveals."""
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
    """Revealing of stegos.

    Attributes:
        folder: to write to.
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
        """Of the size, and whether there is a passphrase."""
        return _digest("reveal", self.size, self.passphrase is not None)

    def check_kept(self, file: str) -> None:
        """What was revealed stays true, whatever the passphrase."""

    def tools(self) -> Tools:
        """Networks and keys."""
        return _tools(self.weights, self.device, self.passphrase)

    def do(self, tools: Tools, task: Task) -> Finished:
        """Reveal a picture, or a file under the stego's name and its own."""
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
    """Kind, message and hint of what stopped one task."""
    if isinstance(error, MemoryError):
        error = out_of_memory()
    if isinstance(error, StegError):
        return {"kind": error.kind, "message": error.message, "hint": error.hint}
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        hint = "Check the disk, the rights and the limits of the system."
        return {"kind": "system", "message": f"{where}the system refused ({one_line(error)})", "hint": hint}
    message = f"a bug in stegcli: {type(error).__name__}: {one_line(error)}"
    return {"kind": "bug", "message": message, "hint": "Report it with the picture, if you can."}


def chosen_for(settings: HideSettings, models: Models) -> tuple[Method, Loader | None]:
    """Method and model that hide; as `table.chosen`."""
    from stegcli.methods import table

    return table.chosen(settings.model, models, progressive=settings.target is not None)


def _tools(weights: Any, device: str, passphrase: str | None) -> Tools:  # noqa: ANN401 - a str or a PathLike
    from stegcli.envelope.keys import Keyring
    from stegcli.models.loading import Models
    from stegcli.pipeline import Tools

    return Tools(Models(weights, device), Keyring(passphrase))
