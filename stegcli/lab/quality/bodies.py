"""How many bytes a secret takes: the program's own encodings, each made once for all that are compared."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stegcli.codecs import choice
from stegcli.codecs.base import Encoded, Target, Wishes

__all__ = ["smallest"]

U8 = NDArray[np.uint8]

_KEPT = 16
"""Encodings: those of one cover's secret at a few spreads."""


def smallest(gray: U8, goal: Target) -> Encoded:
    """(h, w) uint8 -> the fewest bytes that reveal it as well, as `choice.encode` finds them.

    A slow encoder takes most of a second, and what is compared on one cover hides the same secret.
    """
    return _smallest(gray.tobytes(), gray.shape, goal)


@lru_cache(maxsize=_KEPT)
def _smallest(content: bytes, shape: tuple[int, int], goal: Target) -> Encoded:
    return choice.encode(np.frombuffer(content, dtype=np.uint8).reshape(shape), Wishes(goal))
