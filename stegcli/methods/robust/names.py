"""Names of this method in headers and for users: all that is needed before it is imported."""

from __future__ import annotations

from typing import Final

__all__ = ["CHANNEL", "DEFAULT", "DEVICE", "FAMILY"]

FAMILY: Final = "robust"
CHANNEL: Final = 19
"""Number by which a head names this channel."""
DEVICE: Final = "cpu"
DEFAULT: Final = "jpeg:75"
"""The default promise."""
