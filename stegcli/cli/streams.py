"""stdin, stdout and stderr, which a program may find closed, full, or without a reader.

stdout holds results, so a result that cannot be printed is an error of its own. stderr holds talk, and no
work fails for want of somebody to talk to.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Final

from stegcli.errors import PrintError, ReaderGoneError, UsageError, one_line

__all__ = ["BinaryStdout", "repair"]

_QUIET_COMMANDS = frozenset({"hide", "reveal", "info", "check", "capacity"})
_held: Final[list[IO[str]]] = []
"""A stream that nobody holds is closed, and with it those that were made from it."""
_closed: Final[set[int]] = set()
"""Descriptors that the process was started without."""


def repair() -> None:
    """Give the process three streams that work, whatever it was started with."""
    _fill_gaps()
    if "--json" in sys.argv and "--debug" not in sys.argv:
        os.environ.setdefault("HF_HUB_VERBOSITY", "critical")  # it reports each retry
    quiet = "--json" in sys.argv and "--debug" not in sys.argv and not _QUIET_COMMANDS.isdisjoint(sys.argv)
    sys.stdout = _Result.over(sys.stdout)
    sys.stderr = _Talk.apart(sys.stderr) if quiet else _Talk.over(sys.stderr)
    if not sys.warnoptions and "--debug" not in sys.argv:
        warnings.simplefilter("ignore")  # libraries warn programmers; our users get notices


def _fill_gaps() -> None:
    """A closed descriptor would be given to the next file that is opened, and what is printed with it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _closed.add(number)
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)  # takes the lowest free number
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            stream: IO[str] = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - see _held
            _held.append(stream)
            setattr(sys, name, stream)


class _Result(io.TextIOWrapper):
    """stdout; any file name can be printed on it."""

    @classmethod
    def over(cls, stream: Any) -> _Result:  # noqa: ANN401 - io.TextIOWrapper, or what a host put there
        return cls(
            stream.buffer,
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=stream.line_buffering,
        )

    def write(self, text: str) -> int:
        with _printed(self.fileno()):
            return super().write(text)

    def flush(self) -> None:
        with _printed(self.fileno()):
            super().flush()


class _Talk(io.TextIOWrapper):
    """stderr; what cannot be written to it is dropped."""

    @classmethod
    def over(cls, stream: Any) -> _Talk:  # noqa: ANN401
        return cls(stream.buffer, encoding=stream.encoding, errors="backslashreplace", line_buffering=True)

    @classmethod
    def apart(cls, stream: Any) -> _Talk:  # noqa: ANN401
        """On a descriptor of its own; what libraries in C write to descriptor 2 goes nowhere."""
        own = os.fdopen(os.dup(stream.fileno()), "wb")
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        return cls(own, encoding=stream.encoding, errors="backslashreplace", line_buffering=True)

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            _silence(self.fileno())
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _silence(self.fileno())


class BinaryStdout:
    """stdout as the file that a picture is written to."""

    def __init__(self) -> None:
        if 1 in _closed:
            raise UsageError("stdout is closed, so nothing can be written to it", "Name a file with -o.")
        if sys.stdout.isatty():
            raise UsageError(
                "a picture would be written to the terminal", "Send it on: -o - > picture.png, or -o - | ..."
            )

    def write(self, content: bytes) -> int:
        """Write all of it, or raise an error."""
        file: IO[bytes] = sys.stdout.buffer
        with _printed(1):
            file.write(content)
            file.flush()
        return len(content)


@contextmanager
def _printed(descriptor: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _silence(descriptor)
        if error.errno in {errno.EPIPE, errno.EINVAL}:  # EINVAL is Windows' word for it
            raise ReaderGoneError from error
        raise PrintError(
            f"the result cannot be printed ({one_line(error)})",
            "Files that the command writes are complete; what it prints is lost.",
        ) from error


def _silence(descriptor: int) -> None:
    """Discard what is still buffered, because Python tries to write it again when it exits."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
