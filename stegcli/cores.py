"""How many processor cores this process may use."""

from __future__ import annotations

import os

__all__ = ["cores"]


def cores() -> int:
    """Cores by affinity, which in a container are fewer than the machine's, and at most OMP_NUM_THREADS."""
    affinity = getattr(os, "sched_getaffinity", None)
    there = len(affinity(0)) if affinity else (os.cpu_count() or 1)
    wished = os.environ.get("OMP_NUM_THREADS", "")
    return min(there, int(wished)) if wished.isdecimal() and int(wished) else there
