"""What this way of hiding is called, in headers and to users: all that others need to know of it at first."""

from __future__ import annotations

from typing import Final

__all__ = ["CHANNEL", "DEFAULT", "DEVICE", "FAMILY"]

FAMILY: Final = "robust"
CHANNEL: Final = 19
"""How a head names this way of carrying."""
DEVICE: Final = "cpu"
DEFAULT: Final = "jpeg:75"
"""What is promised if nobody says what."""
