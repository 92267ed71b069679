"""A secret that is not a picture. In a module of its own, since every method checks for it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FileSecret"]


@dataclass(frozen=True)
class FileSecret:
    """Any file.

    Attributes:
        name: its name without folders; from a payload, always a result of `safe_name`.
        content: its bytes.
    """

    name: str
    content: bytes
