"""A secret that is no picture. By itself, for every way of hiding asks whether it was given one."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FileSecret"]


@dataclass(frozen=True)
class FileSecret:
    """Any file.

    Attributes:
        name: as its owner calls it, without folders; from a payload always one that `safe_name` made.
        content: its bytes.
    """

    name: str
    content: bytes
