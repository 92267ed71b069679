"""The command line: one file per command. `main` is the entry point of the `stegcli` script."""

from __future__ import annotations

import signal
import sys
from types import FrameType

__all__ = ["main"]


def main() -> None:
    """Run the program and leave with its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)  # so that unfinished files are removed then as well
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # any file name can be printed
    try:
        from stegcli.cli.app import app

        app()
    except KeyboardInterrupt:  # before or after the command itself, which answers on its own
        sys.exit(130)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
