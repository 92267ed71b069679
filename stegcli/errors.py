"""Everything that can go wrong, as one family of exceptions: each has an exit code, a kind and a hint."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, Final

__all__ = [
    "BatchError",
    "DeviceError",
    "MEANINGS",
    "ChangedError",
    "DiedError",
    "ExitCode",
    "ImageError",
    "MissingExtraError",
    "ModelError",
    "NothingFoundError",
    "OutputError",
    "PartsError",
    "PrintError",
    "ReaderGoneError",
    "StegError",
    "TrainingError",
    "UsageError",
    "one_line",
    "out_of_memory",
]


class ExitCode(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    BUG = 1
    USAGE = 2
    IMAGE = 3
    NOTHING_FOUND = 4
    MODEL = 5
    DEVICE = 6
    EXTRA = 7
    TRAINING = 8
    SYSTEM = 9
    SOME_FAILED = 10
    INTERRUPTED = 130
    READER_GONE = 141


MEANINGS: Final = {
    ExitCode.DONE: "The command did what it was asked to do.",
    ExitCode.BUG: "There is a bug in stegcli.",
    ExitCode.USAGE: "The command line makes no sense, or the output exists already or cannot be written.",
    ExitCode.IMAGE: "A picture cannot be read, or is not suitable for its role.",
    ExitCode.NOTHING_FOUND: "No hidden picture was found, the passphrase is wrong, or the file is damaged.",
    ExitCode.MODEL: "A model is missing, damaged or invalid.",
    ExitCode.DEVICE: "The device is not available, or it failed.",
    ExitCode.EXTRA: "A part of the installation is missing or cannot be loaded.",
    ExitCode.TRAINING: "Training cannot start or continue.",
    ExitCode.SYSTEM: "The system refused: there is not enough memory, or a file or a disk failed.",
    ExitCode.SOME_FAILED: "Some pictures of a batch failed; all the others are done.",
    ExitCode.INTERRUPTED: "The command was interrupted by SIGINT (Ctrl-C), SIGTERM or SIGHUP.",
    ExitCode.READER_GONE: "The reader of the output closed it early, as head does.",
}
"""What each exit code means, for the manuals."""


class StegError(Exception):
    """Base of every error that stegcli raises on purpose.

    Args:
        message: one line that says what is wrong and names the file or option.
        hint: one line that says what to do about it; empty if nothing can be done.
    """

    kind: ClassVar[str] = "bug"
    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the error as it is, whatever arguments its own class takes: it travels between processes."""
        return _rebuilt, (type(self), self.message, self.hint)


def _rebuilt(kind: type[StegError], message: str, hint: str) -> StegError:
    error = kind.__new__(kind, message)
    StegError.__init__(error, message, hint)
    return error


class UsageError(StegError):
    """Options or arguments that make no sense, alone or together."""

    kind = "usage"
    exit_code = ExitCode.USAGE


class OutputError(StegError):
    """The result cannot be written: the file exists, the disk is full, or the format is lossy."""

    kind = "output"
    exit_code = ExitCode.USAGE


class PrintError(OutputError):
    """The work is done, but stdout does not take the result: its disk is full, or it was closed meanwhile."""


class ReaderGoneError(StegError):
    """The reader of stdout went away, as `head` does: print nothing, and exit as programs in a pipe do."""

    kind = "pipe"
    exit_code = ExitCode.READER_GONE

    def __init__(self) -> None:
        super().__init__("")


class ImageError(StegError):
    """A picture cannot be read, or is not suitable for its role."""

    kind = "image"
    exit_code = ExitCode.IMAGE


class NothingFoundError(StegError):
    """No hidden picture could be opened; the reasons are indistinguishable on purpose."""

    kind = "nothing-found"
    exit_code = ExitCode.NOTHING_FOUND

    def __init__(
        self,
        message: str = "no hidden picture found (or the passphrase is wrong)",
        hint: str = "Use the file exactly as `stegcli hide` wrote it: JPEG, resizing, cropping or editing "
        "destroys what it hides. If a passphrase was used to hide it, give the same one.",
    ) -> None:
        super().__init__(message, hint)


class ChangedError(StegError):
    """The header of a stego can be read, but its body cannot: the file was changed after it was written."""

    kind = "changed"
    exit_code = ExitCode.NOTHING_FOUND


class PartsError(StegError):
    """Some parts of a secret across several covers are missing, or they belong to different secrets."""

    kind = "parts"
    exit_code = ExitCode.NOTHING_FOUND


class ModelError(StegError):
    """Weights are missing, damaged or invalid."""

    kind = "model"
    exit_code = ExitCode.MODEL


class DeviceError(StegError):
    """The requested device is not available, or it failed."""

    kind = "device"
    exit_code = ExitCode.DEVICE


class MissingExtraError(StegError):
    """An optional part of the installation is needed, but missing."""

    kind = "extra"
    exit_code = ExitCode.EXTRA


class BatchError(StegError):
    """Some pictures of a batch failed; the others are done."""

    kind = "batch"
    exit_code = ExitCode.SOME_FAILED


class DiedError(StegError):
    """A process that worked on something died, and took that one piece of work with it."""

    kind = "died"
    exit_code = ExitCode.SYSTEM


class TrainingError(StegError):
    """Training cannot start or continue: data, recipe, checkpoint, memory, or a loss that is not a number."""

    kind = "training"
    exit_code = ExitCode.TRAINING


def one_line(error: BaseException) -> str:
    """The message of an exception from another library, on one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def out_of_memory() -> ImageError:
    """The error that a MemoryError becomes: the pictures are too large for this machine."""
    return ImageError(
        "there is not enough memory for pictures of this size",
        "Give smaller pictures (--scale-cover 0.5 shrinks a cover), or close other programs.",
    )
