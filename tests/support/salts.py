"""Salts in a fixed order, in place of the system's random bytes."""

from __future__ import annotations

import hashlib
import itertools

from stegcli import several
from stegcli.methods import isgan
from stegcli.methods.coded import jpeg, pixels
from stegcli.methods.phase import method as phase
from stegcli.methods.robust import fitting
from stegcli.methods.robust import method as robust

SALTED = (phase, isgan, pixels, jpeg, robust, fitting, several)
"""Modules that draw salts, or bytes for trials, through the name `urandom`."""


class Draws:
    """Salts in an order that is the same in every run: those of a test, and those of shared fixtures."""

    def __init__(self) -> None:
        self.begin("fixture")

    def begin(self, owner: str) -> None:
        """Start again with the first salt of this owner."""
        self._state = owner, itertools.count()

    def __call__(self, size: int) -> bytes:
        owner, numbers = self._state
        return hashlib.shake_256(f"{owner} {next(numbers)}".encode()).digest(size)
