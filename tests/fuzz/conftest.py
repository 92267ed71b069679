"""How long fuzzing lasts (`make fuzz` sets STEGCLI_FUZZ), quick keys, and a file with what it did."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import coded_cases
import pytest
import robust_cases
import tallies
from fuzzing import EXAMPLES, SEEN

from stegcli.envelope import keys

FOUND = tallies.Tallies("fuzz", f"make fuzz EXAMPLES={EXAMPLES}")


@pytest.fixture(autouse=True)
def each_key_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Argon2id takes a fifth of a second per key and is not what is fuzzed: SHA-256 replaces it.

    This overrides the fixture that remembers keys in all other tests: here nearly every salt is a new one.
    """
    _forget()
    monkeypatch.setattr(keys, "_argon2", lambda words, salt: sha256(repr(words).encode() + salt).digest())
    yield
    _forget()


def _forget() -> None:
    """Keep keys apart from those that other tests of this process derive in the slow way."""
    for cases in (coded_cases, robust_cases):
        cases.keyring.cache_clear()


@pytest.fixture(autouse=True)
def _counted(request: pytest.FixtureRequest) -> Iterator[None]:
    before = SEEN[request.node.name]
    yield
    tallies.tally(request, cases=SEEN[request.node.name] - before)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if "tests/fuzz/" in report.nodeid:
        FOUND.take(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    FOUND.write(session)
