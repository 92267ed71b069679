"""What a long measurement has finished, one JSON line each, so that it can be cut off and go on.

A run that is killed, or whose disk is full, leaves a torn line. Lines that are no rows of this measurement
are passed over, and measured again.
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
    """Rows by key, in memory and, if there is a path, in a file that grows by one line at a time.

    Args:
        path: the file, or None.
        settings: everything that the rows depend on; a file of other settings is refused.
        fresh: forget what the file holds.
        names: what every row must hold.

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
                self._append(b"\n")  # or the next line would be torn, too
            return
        # Nothing, or a first line that was not finished: there is no row to lose.
        if content and not content.startswith(b'{"'):
            raise _foreign(path)
        self._append(json.dumps({"settings": settings}).encode() + b"\n", anew=True)

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> Row | None:
        """The row of a finished piece of work."""
        return self._rows.get(key)

    def add(self, key: str, row: Row) -> Row:
        """Note a finished piece of work; the row as it will be read again.

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
            hint = "What was finished before is kept: mend this, and run the same command again."
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
    """None for what is no JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _foreign(path: Path) -> UsageError:
    return UsageError(
        f"{path} holds another measurement", "Remove it, choose another report, or start over with --fresh."
    )
