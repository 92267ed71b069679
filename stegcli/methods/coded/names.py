"""How users, headers and reports name this family; known without loading it."""

from __future__ import annotations

from typing import Final

__all__ = ["COEFFICIENTS", "DEVICE", "FAMILY", "PIXELS"]

FAMILY: Final = "coded"
DEVICE: Final = "cpu"
PIXELS, COEFFICIENTS = 16, 17
"""Channels of a head: what carries the bits."""
