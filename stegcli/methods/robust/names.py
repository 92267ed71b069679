"""What this method is called in headers and by users: all that others need before it is loaded."""

from __future__ import annotations

from typing import Final

__all__ = ["CHANNEL", "DEFAULT", "DEVICE", "FAMILY"]

FAMILY: Final = "robust"
CHANNEL: Final = 19
"""How a head names this way of carrying."""
DEVICE: Final = "cpu"
DEFAULT: Final = "jpeg:75"
"""What is promised by default."""
