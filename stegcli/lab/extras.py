"""Late imports of packages that only `stegcli[lab]` installs."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from stegcli.errors import MissingExtraError

__all__ = ["load"]


def load(module: str, purpose: str, extra: str = "lab") -> Any:  # noqa: ANN401 - modules of others
    """Import a module of an extra.

    Raises:
        MissingExtraError: it is not installed; the hint has the pip command.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their deprecation warnings do not concern the user
            return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs {module.partition('.')[0]}, which is not installed",
            f"Install it: pip install 'stegcli[{extra}]'",
        ) from error
