"""Fuzzing with counts: how many cases each target gets, how many ran, and what an error must be."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Verbosity, given, settings
from hypothesis import strategies as st

from stegcli.errors import StegError

__all__ = ["EXAMPLES", "SEEN", "fuzz", "sound"]

EXAMPLES = int(os.environ.get("STEGCLI_FUZZ", "15"))
"""Cases of a target that costs next to nothing; `make fuzz` sets it, ordinary runs take a few."""
FEWEST = 5
"""Cases of the most expensive target."""
SEEN: Counter[str] = Counter()
"""Cases that ran in this process, by the name of the test."""

_PROFILE = settings(
    deadline=None,
    verbosity=Verbosity.normal,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
    ],
)


def fuzz(
    *strategies: st.SearchStrategy[Any], share: float = 1.0
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test on many cases, which are drawn for its last parameters; a decorator.

    Args:
        strategies: one for each of these parameters.
        share: share of EXAMPLES that the test gets. Targets that reveal whole pictures take a thousand times
            as long as those that read a header.
    """

    def around(test: Callable[..., None]) -> Callable[..., None]:
        @settings(_PROFILE, max_examples=max(FEWEST, round(EXAMPLES * share)))
        @given(*strategies)
        @functools.wraps(test)
        def counted(*arguments: Any, **named: Any) -> None:
            SEEN[test.__name__] += 1
            test(*arguments, **named)

        return counted

    return around


def sound(error: StegError) -> None:
    """Check that an error is a deliberate one of the program's, with a message of one line."""
    assert error.kind != "bug", error.message
    assert error.message
    assert "\n" not in error.message
