"""How the program uses the C library's memory; a library's host has ways of its own."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import Final

__all__ = ["share"]

_M_ARENA_MAX: Final = -8
"""Of mallopt(3), in the GNU C library."""


def share() -> None:
    """Let all threads take memory from one place.

    Networks run in threads of their own, and each thread would keep what it was given back to itself: 12 MiB
    of what revealing a megapixel takes.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
