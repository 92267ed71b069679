"""Settings of the C library's memory for the command line; users of the library have their own."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import Final

__all__ = ["share"]

_M_ARENA_MAX: Final = -8
"""Parameter of mallopt(3) in the GNU C library."""


def share() -> None:
    """Let all threads allocate memory from a single arena.

    Networks run in threads of their own, and each thread would keep the memory it has freed: 12 MiB when a
    megapixel is revealed.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
