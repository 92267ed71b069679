"""How long fuzzing looks: `make fuzz` sets STEGCLI_FUZZ, ordinary runs take a few examples of everything."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from stegcli.envelope import keys

EXAMPLES = int(os.environ.get("STEGCLI_FUZZ", "15"))
_SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
    ],
)


@pytest.fixture(autouse=True, scope="module")
def _quick_keys() -> Iterator[None]:
    """Argon2id takes a fifth of a second a key and is not what is fuzzed: SHA-256 stands in for it."""
    patch = pytest.MonkeyPatch()
    patch.setattr(keys, "_argon2", lambda words, salt: hashlib.sha256(repr(words).encode() + salt).digest())
    yield
    patch.undo()
