"""Hide a grayscale picture inside a colour picture, and get it back.

The public names (`hide`, `reveal`, `StegError`) are loaded on first use: `import stegcli` costs nothing.
"""

from __future__ import annotations

from stegcli._version import __version__

TYPE_CHECKING = False  # the program answers Ctrl-C once this module is read: it imports next to nothing
if TYPE_CHECKING:
    from stegcli.errors import StegError
    from stegcli.pipeline import hide, reveal

__all__ = ["StegError", "__version__", "hide", "reveal"]

_HOMES = {"StegError": "stegcli.errors", "hide": "stegcli.pipeline", "reveal": "stegcli.pipeline"}


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
