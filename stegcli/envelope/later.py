"""The error for a head that opens but was written by a later version of the program."""

from __future__ import annotations

from stegcli.errors import ModelError

__all__ = ["later_version"]


def later_version() -> ModelError:
    """Return the error for an opened head whose format or method this version does not know."""
    return ModelError(
        "the picture was hidden in a way that this stegcli does not know",
        "Upgrade with `pip install --upgrade stegcli`.",
    )
