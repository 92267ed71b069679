"""The command line: one file per command. `main` is the entry point of the `stegcli` script.

Nothing but the standard library is imported before signals are taken: Ctrl-C is answered in the first
milliseconds, too.
"""

from __future__ import annotations

import sys

from stegcli.cli import signals

__all__ = ["main"]


def main() -> None:
    """Run the program and leave with its exit code."""
    signals.take()
    from stegcli.cli import memory, streams

    streams.repair()
    memory.share()
    from stegcli.cli.app import program

    try:
        program(sys.argv[1:])()
    finally:
        signals.release()
