"""What a long measurement has finished, one JSON line each, so that it can be cut off and go on."""

from __future__ import annotations

import json
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

    Raises:
        UsageError: the file belongs to another measurement.
    """

    def __init__(self, path: Path | None, settings: Row, *, fresh: bool = False) -> None:
        self._path, self._rows = path, dict[str, Row]()
        if path is None:
            return
        if path.exists() and not fresh:
            self._load(path, settings)
            return
        try:
            path.write_text(json.dumps({"settings": settings}) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be written ({one_line(error)})", "Choose another name."
            ) from error

    def get(self, key: str) -> Row | None:
        """The row of a finished piece of work."""
        return self._rows.get(key)

    def add(self, key: str, row: Row) -> Row:
        """Note a finished piece of work; the row as it will be read again."""
        line = json.dumps({"key": key, "row": row})
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        self._rows[key] = json.loads(line)["row"]
        return self._rows[key]

    def _load(self, path: Path, settings: Row) -> None:
        first, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
        try:
            known = json.loads(first)["settings"]
        except (ValueError, KeyError, TypeError):
            known = None
        if known != json.loads(json.dumps(settings)):
            raise UsageError(
                f"{path} holds another measurement", "Remove it, or name another report to start anew."
            )
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:  # the line that was being written when the last run was cut off
                continue
            self._rows[entry["key"]] = entry["row"]
