"""The finished rows of a long measurement, one JSON line each, so that it can be interrupted and resumed.

A run that is killed, or whose disk is full, leaves an incomplete line. Lines that are not rows of this
measurement are ignored, and measured again.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from stegcli.errors import OutputError, UsageError, one_line

__all__ = ["Journal"]

Row = dict[str, Any]


class Journal:
    """Rows by key, in memory and, if a path is given, in a file that grows by one line at a time.

    Args:
        path: the file, or None.
        settings: everything on which the rows depend; a file with other settings is refused.
        fresh: discard what the file holds.
        names: names that every row must have.

    Raises:
        UsageError: the file belongs to another measurement.
        OutputError: it cannot be read or written.
    """

    def __init__(
        self, path: Path | None, settings: Row, *, fresh: bool = False, names: Collection[str] = ()
    ) -> None:
        self._path, self._names, self._rows = path, frozenset(names), dict[str, Row]()
        if path is None:
            return
        content = b"" if fresh else self._read(path)
        if b"\n" in content:
            self._load(path, content, settings)
            if not content.endswith(b"\n"):
                self._append(b"\n")  # otherwise the next line would be damaged, too
            return
        # Empty, or an incomplete first line: there is no row to lose.
        if content and not content.startswith(b'{"'):
            raise _foreign(path)
        self._append(json.dumps({"settings": settings}).encode() + b"\n", anew=True)

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> Row | None:
        """Return the row of a finished piece of work."""
        return self._rows.get(key)

    def add(self, key: str, row: Row) -> Row:
        """Record a finished piece of work; return the row as it will be read again.

        Raises:
            OutputError: it cannot be written.
        """
        line = json.dumps({"key": key, "row": row})
        self._append(line.encode() + b"\n")
        self._rows[key] = json.loads(line)["row"]
        return self._rows[key]

    def _append(self, content: bytes, *, anew: bool = False) -> None:
        if self._path is None:
            return
        try:
            with self._path.open("wb" if anew else "ab") as file:
                file.write(content)
        except OSError as error:
            hint = "What was finished before is kept: fix this, and run the same command again."
            raise OutputError(f"{self._path}: cannot be written ({one_line(error)})", hint) from error

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be read ({one_line(error)})", "Remove it, or choose another report."
            ) from error

    def _load(self, path: Path, content: bytes, settings: Row) -> None:
        first, *lines = content.split(b"\n")
        known = _parsed(first)
        if not isinstance(known, dict) or known.get("settings") != json.loads(json.dumps(settings)):
            raise _foreign(path)
        for line in lines:
            entry = _parsed(line)
            if isinstance(entry, dict) and isinstance(entry.get("key"), str):
                row = entry.get("row")
                if isinstance(row, dict) and self._names <= row.keys():
                    self._rows[entry["key"]] = row


def _parsed(line: bytes) -> object:
    """Parse a line; None if it is not JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _foreign(path: Path) -> UsageError:
    return UsageError(
        f"{path} holds another measurement", "Remove it, choose another report, or start over with --fresh."
    )
