"""Ways of hiding, one file per family of models: arrays in, arrays out. The table of them is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from stegcli import container
from stegcli.errors import ModelError
from stegcli.methods import isgan, phase

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray

    from stegcli.keys import Keyring
    from stegcli.methods.envelope import HideOutcome, Received
    from stegcli.progress import Progress
    from stegcli.session import Loader, Network

    Array = NDArray[np.uint8]

__all__ = ["METHODS", "Method", "for_channel", "for_family"]


class Hide(Protocol):
    """See `phase.hide`."""

    def __call__(
        self,
        cover_rgb: Array,
        alpha: Array | None,
        secret_gray: Array,
        load: Loader,
        fingerprint: bytes,
        keyring: Keyring,
        *,
        favor: str = ...,
        target: float | None = ...,
        salt: bytes | None = ...,
        progress: Progress | None = ...,
    ) -> HideOutcome: ...


class Reveal(Protocol):
    """See `phase.reveal`."""

    def __call__(self, received: Received, decoder: Network, progress: Progress | None = ...) -> Array: ...


@dataclass(frozen=True)
class Method:
    """One way of hiding.

    Attributes:
        family: of the models that it runs, as their contracts name it.
        channels: how the headers of its stegos name it.
        hide: cover, secret, encoder -> stego.
        reveal: opened stego, decoder -> picture.
        has_key: whether a passphrase keeps the picture itself private, not only the header.
    """

    family: str
    channels: Collection[int]
    hide: Hide
    reveal: Reveal
    has_key: bool


METHODS = (
    Method("phase", container.SHARES, phase.hide, phase.reveal, has_key=True),
    Method("isgan", (container.ISGAN,), isgan.hide, isgan.reveal, has_key=False),
)


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
