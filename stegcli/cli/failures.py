"""From exceptions to the messages that the user sees: one ordered table."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import typer

from stegcli.cli import signals
from stegcli.cli.report import printable
from stegcli.errors import ExitCode, StegError, one_line

__all__ = ["ErrorStyle", "Failure", "Interrupted", "explain", "if_interrupted", "show"]

# Its home has moved between releases of Typer, but it has always been the base of this public name.
CommandLineError: Any = typer.BadParameter.__bases__[0]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a command that leaves something behind.

    Args:
        hint: what was left behind, and how to continue.
    """

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint


@contextmanager
def if_interrupted(left: Callable[[], str]) -> Iterator[None]:
    """If the work is cut short, ask `left` for a sentence about what remains of it."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) or signals.was_interrupted():
            raise Interrupted(left()) from error
        raise


@dataclass(frozen=True)
class ErrorStyle:
    """How an error is shown: as one JSON object or not, with a traceback or not."""

    as_json: bool = False
    debug: bool = False

    @classmethod
    def of(cls, words: list[str]) -> ErrorStyle:
        """The style that a command line asks for, even one that cannot be parsed."""
        options = words[: words.index("--")] if "--" in words else words
        return cls(as_json="--json" in options, debug="--debug" in options)


@dataclass(frozen=True)
class Failure:
    """What the user is told about an exception.

    Attributes:
        kind: one word for programs.
        message: what happened; empty if there is nothing to say.
        hint: what to do about it.
        exit_code: the exit code of the program.
    """

    kind: str
    message: str
    hint: str
    exit_code: ExitCode


def explain(error: BaseException) -> Failure:
    """Look an exception up in the table; an interrupt takes precedence over whatever it may have caused."""
    if signals.was_interrupted() and not isinstance(error, KeyboardInterrupt):
        return _interrupted(error)
    return next(tell for kind, tell in _TABLE if isinstance(error, kind))(error)


def show(error: BaseException, style: ErrorStyle) -> int:
    """Show the error on stderr, and return the exit code."""
    failure = explain(error)
    if style.debug:
        traceback.print_exception(error)
    if isinstance(error, CommandLineError) and not style.as_json:
        error.show()  # with the usage of the command
    elif failure.message:
        sys.stderr.write(_text(failure, style) + "\n")
    return int(failure.exit_code)


def _text(failure: Failure, style: ErrorStyle) -> str:
    if style.as_json:
        told = {"kind": failure.kind, "message": failure.message, "hint": failure.hint}
        return json.dumps({"error": told})
    lines = [f"error: {failure.message}", *([f"  {failure.hint}"] if failure.hint else [])]
    return "\n".join(map(printable, lines))


def _interrupted(error: BaseException) -> Failure:
    hint = error.hint if isinstance(error, Interrupted) else "No output was written."
    return Failure("interrupted", "interrupted", hint, ExitCode.INTERRUPTED)


def _own(error: StegError) -> Failure:
    return Failure(error.kind, error.message, error.hint, error.exit_code)


def _usage(error: Any) -> Failure:  # noqa: ANN401 - see CommandLineError
    return Failure("usage", error.format_message(), "Try the command with --help.", ExitCode.USAGE)


def _memory(_error: BaseException) -> Failure:
    hint = "Use smaller pictures, close other programs, or raise the limit that was set on the process."
    return Failure("memory", "there is not enough memory", hint, ExitCode.SYSTEM)


def _installation(error: ImportError) -> Failure:
    hint = "Install stegcli again in a fresh environment. If memory is short, free some first."
    first: BaseException = error
    while isinstance(first.__cause__, ImportError):  # a library's long advice hides the loader's one line
        first = first.__cause__
    message = f"a part of stegcli cannot be loaded: {one_line(first)}"
    return Failure("installation", message, hint, ExitCode.EXTRA)


def _threads(error: RuntimeError) -> Failure:
    """Python has no class of its own for want of memory for a thread."""
    return _memory(error) if str(error) == "can't start new thread" else _bug(error)


def _system(error: OSError) -> Failure:
    where = f"{error.filename}: " if error.filename else ""
    hint = "Check the disk, the permissions and the limits of the system; --debug shows where it happened."
    return Failure("system", f"{where}the system refused ({one_line(error)})", hint, ExitCode.SYSTEM)


def _bug(error: BaseException) -> Failure:
    message = f"a bug in stegcli: {type(error).__name__}: {error}"
    return Failure("bug", message, "Report it with the output of --debug.", ExitCode.BUG)


_TABLE: Final[tuple[tuple[Any, Callable[[Any], Failure]], ...]] = (
    (KeyboardInterrupt, _interrupted),
    (StegError, _own),
    (CommandLineError, _usage),
    (MemoryError, _memory),
    (ImportError, _installation),
    (OSError, _system),
    (RuntimeError, _threads),
    (BaseException, _bug),
)
