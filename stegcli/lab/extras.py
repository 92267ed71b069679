"""Late imports of what only `stegcli[lab]` brings."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from stegcli.errors import MissingExtraError

__all__ = ["load"]


def load(module: str, purpose: str, extra: str = "lab") -> Any:  # noqa: ANN401 - modules of others
    """Import a module of an extra.

    Raises:
        MissingExtraError: it is not installed; says the pip line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their deprecations are not this program's to show
            return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs {module.partition('.')[0]}, which is not installed",
            f"Install it: pip install 'stegcli[{extra}]'",
        ) from error
