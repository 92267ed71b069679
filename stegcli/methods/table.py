"""The methods, the ways into a stego, and who answers for what: literal tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stegcli.envelope.opening import open_parities
from stegcli.errors import ModelError, NothingFoundError
from stegcli.methods.isgan import IsganMethod
from stegcli.methods.phase.method import PhaseMethod

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from stegcli.envelope.keys import Keyring
    from stegcli.envelope.opening import Opened
    from stegcli.methods.base import Method

    Array = NDArray[np.uint8]
    Opener = Callable[[Array, Array | None, Keyring], Opened]

__all__ = ["METHODS", "OPENERS", "for_channel", "for_family", "open_stego"]

METHODS: Final[tuple[Method, ...]] = (PhaseMethod(), IsganMethod())

OPENERS: Final[tuple[Opener, ...]] = (open_parities,)
"""Tried in order of cost."""


def open_stego(stego_rgb: Array, alpha: Array | None, keyring: Keyring) -> tuple[Method, Opened]:
    """Open a stego by the first way that leads into it. Needs no model.

    Args:
        stego_rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8 or None.
        keyring: the passphrase's keys.

    Raises:
        NothingFoundError: nothing is hidden, the passphrase is wrong, or too much was destroyed.
        ModelError: it was hidden in a way that this version does not know.
    """
    for opener in OPENERS:
        try:
            opened = opener(stego_rgb, alpha, keyring)
        except NothingFoundError:
            continue
        return for_channel(opened.header.channel), opened
    raise NothingFoundError


def for_family(family: str) -> Method:
    """The method that runs models of this family.

    Raises:
        ModelError: there is none.
    """
    for method in METHODS:
        if method.family == family:
            return method
    raise ModelError(
        f"nothing can be hidden with models of family {family}",
        f"Take a model of {' or '.join(method.family for method in METHODS)}: see `stegcli models`.",
    )


def for_channel(channel: int) -> Method:
    """The method that a stego's header names.

    Raises:
        ModelError: there is none.
    """
    for method in METHODS:
        if channel in method.channels:
            return method
    raise ModelError("the picture was hidden in a way that this stegcli does not know", "Upgrade stegcli.")
