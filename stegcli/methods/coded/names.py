"""Names of this family for users, headers and reports, available without importing it."""

from __future__ import annotations

from typing import Final

__all__ = ["COEFFICIENTS", "DEVICE", "FAMILY", "PART_PIXELS", "PIXELS"]

FAMILY: Final = "coded"
DEVICE: Final = "cpu"
PIXELS, COEFFICIENTS = 16, 17
"""Channels of a head: what carries the bits."""
PART_PIXELS: Final = 18
"""A part, in pixels, of a secret spread over several covers; head and codec are those of the whole."""
