"""What the user sees: results on stdout, talk and progress on stderr, plain text where there is no terminal.

The only module that imports rich, and only for a progress bar on a terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stegcli.errors import StegError

__all__ = ["ErrorStyle", "Talk", "show_bug", "show_error", "show_interrupted", "show_usage_error"]

Progress = Callable[[str, float], None]

_STAGES = {
    "load": "reading",
    "encode": "encoding the secret",
    "write": "writing it into the cover",
    "save": "saving",
    "decode": "revealing",
    "measure": "measuring",
    "features": "looking at covers and stegos",
    "train": "training detectors",
}


@dataclass(frozen=True)
class ErrorStyle:
    """How an error is shown: as one JSON object, with a traceback."""

    as_json: bool = False
    debug: bool = False


@dataclass(frozen=True)
class Talk:
    """How a command that works speaks."""

    as_json: bool = False
    quiet: bool = False

    def result(self, values: object, lines: Iterable[str], brief: Iterable[str]) -> None:
        """Print the result on stdout: as JSON, as lines for people, or, when quiet, in brief."""
        if self.as_json:
            print(json.dumps(values))
        else:
            for line in brief if self.quiet else lines:
                print(printable(line))
        sys.stdout.flush()

    def notes(self, texts: Iterable[str]) -> None:
        """Tell what the user may not expect, on stderr."""
        if not self.quiet:
            for text in texts:
                print(printable(f"note: {text}"), file=sys.stderr)

    @contextmanager
    def progress(self) -> Iterator[Progress | None]:
        """A progress bar on stderr if that is a terminal; it is gone when the work is done."""
        if self.quiet or not sys.stderr.isatty():
            yield None
            return
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description:<26}"), BarColumn(), TimeElapsedColumn())
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=1.0)
            yield lambda stage, share: bar.update(
                task, description=_STAGES.get(stage, stage), completed=share
            )


def printable(text: str) -> str:
    """Text on one line: control characters, which a file name may hold, are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def show_error(error: StegError, style: ErrorStyle) -> None:
    """Tell what went wrong and the cure, on stderr."""
    if style.debug:
        _show_traceback(error)
    _show(error.kind, error.message, error.hint, as_json=style.as_json)


def show_usage_error(message: str) -> None:
    """A command line that could not be parsed, as JSON; without `--json` Typer shows it with the usage."""
    _show("usage", message, "Try the command with --help.", as_json=True)


def show_interrupted(style: ErrorStyle) -> None:
    """Ctrl-C."""
    _show("interrupted", "interrupted", "Nothing was left behind.", as_json=style.as_json)


def show_bug(error: Exception, style: ErrorStyle, trace: str) -> None:
    """An exception that nobody expected."""
    if style.debug:
        sys.stderr.write(trace)
    message = f"{type(error).__name__}: {error}"
    _show(
        "bug", f"a bug in stegcli: {message}", "Report it with the output of --debug.", as_json=style.as_json
    )


def _show_traceback(error: Exception) -> None:
    import traceback

    traceback.print_exception(error)


def _show(kind: str, message: str, hint: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error": {"kind": kind, "message": message, "hint": hint}}), file=sys.stderr)
        return
    print(printable(f"error: {message}"), file=sys.stderr)
    if hint:
        print(printable(f"  {hint}"), file=sys.stderr)
