"""Writes a file with what chaos did: see `tallies`."""

from __future__ import annotations

import os

import pytest
import tallies

FOUND = tallies.Tallies("chaos", f"make chaos KILLS={os.environ.get('STEGCLI_CHAOS', 0)}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if "tests/chaos/" in report.nodeid:
        FOUND.take(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    FOUND.write(session)
