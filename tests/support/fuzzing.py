"""What an error must be, whatever a reader was given."""

from __future__ import annotations

from stegcli.errors import StegError

__all__ = ["sound"]


def sound(error: StegError) -> None:
    """One of ours on purpose, with something to say on one line."""
    assert error.kind != "bug", error.message
    assert error.message
    assert "\n" not in error.message
