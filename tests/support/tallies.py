"""A file with what long runs of fuzzing and chaos did: tests count, pytest's reports carry the counts.

With `pytest-xdist`, tests run in other processes; what `tally` records is sent with the report of a test.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stegcli.lab.provenance import commit

__all__ = ["Tallies", "tally"]

_NOTE = "tally"


def tally(request: pytest.FixtureRequest, **counts: int) -> None:
    """Record counts by name for the test that is running."""
    request.node.user_properties.append((_NOTE, counts))


@dataclass
class Tallies:
    """The counts received so far.

    Attributes:
        what: "fuzz" or "chaos".
        command: command that repeats the run.
        path: file to write, or None; `make` sets it in STEGCLI_TALLY.
        commit: commit of the code when the run began.
        rows: name of the test -> its counts.
    """

    what: str
    command: str
    path: str | None = field(default_factory=lambda: os.environ.get("STEGCLI_TALLY"))
    commit: str | None = field(default_factory=commit)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, report: pytest.TestReport) -> None:
        """Take in a report of one stage of a test."""
        row = self.rows.setdefault(report.nodeid.rpartition("::")[2], {"failed": 0, "seconds": 0.0})
        for name, counts in report.user_properties:
            if name == _NOTE:
                row |= counts
        row["failed"] = int(row["failed"] or report.failed)
        row["seconds"] = round(row["seconds"] + report.duration, 2)

    def write(self, session: pytest.Session) -> None:
        """Write the file at the end, in the process that the user started."""
        if not self.path or hasattr(session.config, "workerinput"):
            return
        values = {
            "what": self.what,
            "command": self.command,
            "commit": self.commit,
            "python": platform.python_version(),
            "failures": sum(row["failed"] for row in self.rows.values()),
            "rows": [{"target": name, **row} for name, row in self.rows.items()],
        }
        place = Path(self.path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
