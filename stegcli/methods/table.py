"""The methods, the ways to open a stego, and which method handles which name: literal tables.

Modules that take long to load, and that most stegos do not need, are imported by the entry that needs them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from stegcli.envelope.later import later_version
from stegcli.envelope.opening import open_evident_parities, open_parities, open_parities_of_run
from stegcli.errors import ModelError, NothingFoundError
from stegcli.methods.coded.method import CodedMethod
from stegcli.methods.isgan import IsganMethod
from stegcli.methods.phase.method import PhaseMethod
from stegcli.methods.robust.method import RobustMethod

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from stegcli.envelope.keys import Keyring
    from stegcli.envelope.opening import Opened
    from stegcli.methods.base import Method
    from stegcli.models.loading import Loader, Models
    from stegcli.progress import Progress

    Array = NDArray[np.uint8]
    Opener = Callable[[Array, Array | None, Keyring], Opened]
    Way = Callable[[], Opened]

__all__ = [
    "METHODS",
    "OPENERS",
    "has_ceiling",
    "chosen",
    "for_channel",
    "for_family",
    "open_stego",
    "writes_jpeg",
]

METHODS: Final[tuple[Method, ...]] = (PhaseMethod(), IsganMethod(), CodedMethod(), RobustMethod())


def _open_samples(stego_rgb: Array, alpha: Array | None, keyring: Keyring) -> Opened:
    from stegcli.envelope.bits import open_samples

    return open_samples(stego_rgb, alpha, keyring)


def _open_coefficients(jpeg: bytes, max_pixels: int, keyring: Keyring) -> Opened:
    from stegcli.envelope.bits import open_coefficients

    return open_coefficients(jpeg, max_pixels, keyring)


def _open_sturdy(stego_rgb: Array, keyring: Keyring, jpeg: bytes | None) -> Opened:
    from stegcli.envelope.sturdy_opening import luma_of, open_sturdy

    return open_sturdy(luma_of(stego_rgb, jpeg), keyring)


def _open_shifted(stego_rgb: Array, keyring: Keyring, jpeg: bytes | None) -> Opened:
    from stegcli.envelope.sturdy_opening import luma_of, open_sturdy_shifted

    return open_sturdy_shifted(luma_of(stego_rgb, jpeg), keyring)


def _open_searched(
    stego_rgb: Array, keyring: Keyring, jpeg: bytes | None, progress: Progress | None
) -> Opened:
    from stegcli.envelope.sturdy_opening import luma_of
    from stegcli.envelope.sturdy_search import open_sturdy_searched

    return open_sturdy_searched(luma_of(stego_rgb, jpeg), keyring, progress)


OPENERS: Final[tuple[Opener, ...]] = (
    open_evident_parities,
    _open_samples,
    open_parities,
    open_parities_of_run,
)
"""Ways to open pixels, in order of cost: only damaged parities are left for the last two."""


def open_stego(
    stego_rgb: Array,
    alpha: Array | None,
    keyring: Keyring,
    jpeg: bytes | None = None,
    search: bool = False,
    progress: Progress | None = None,
) -> tuple[Method, Opened]:
    """Open a stego in the first way that works. Needs no model.

    Args:
        stego_rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8 or None.
        keyring: the keys that belong to the passphrase.
        jpeg: the file that it was decoded from, if that is a JPEG; its coefficients are tried first.
        search: also try other sizes, turned and mirrored, if nothing else finds anything.
        progress: called during that search.

    Raises:
        NothingFoundError: nothing is hidden, the passphrase is wrong, or too much was destroyed.
        ChangedError: something is hidden, but too much of it was destroyed.
        ModelError: it was hidden in a way that this version does not know.
    """
    ways = _ways(stego_rgb, alpha, keyring, jpeg)
    if search:
        ways.append(partial(_open_searched, stego_rgb, keyring, jpeg, progress))
    for way in ways:
        try:
            opened = way()
            method = for_channel(opened.header.channel)
            method.facts(opened)  # a header that claims what the stego cannot hold is none
        except NothingFoundError:
            continue
        return method, opened
    raise NothingFoundError


def _ways(stego_rgb: Array, alpha: Array | None, keyring: Keyring, jpeg: bytes | None) -> list[Way]:
    """All ways, in order of cost and likelihood: a stego that survived a service is most often a JPEG."""
    ways: list[Way] = [partial(opener, stego_rgb, alpha, keyring) for opener in OPENERS]
    as_it_is = partial(_open_sturdy, stego_rgb, keyring, jpeg)
    shifted = partial(_open_shifted, stego_rgb, keyring, jpeg)
    if jpeg is None:
        return [*ways, as_it_is, shifted]
    return [as_it_is, partial(_open_coefficients, jpeg, stego_rgb.size, keyring), *ways, shifted]


def writes_jpeg(name: str | None) -> bool:
    """Whether the named method can also hide in the coefficients of JPEG files."""
    return any(method.family == name and method.has_jpeg for method in METHODS)


def has_ceiling(name: str | None) -> bool:
    """Whether the named method can respect a limit on the risk of detection."""
    return any(method.family == name and method.has_ceiling for method in METHODS)


def chosen(name: str | None, models: Models, *, progressive: bool = False) -> tuple[Method, Loader | None]:
    """The method that is named by its family or by one of its models, and that model.

    Args:
        name: id or family; None for the default.
        models: the caller's.
        progressive: whether the model must be able to send only some of its planes.

    Raises:
        ModelError: no such model exists.
    """
    for method in METHODS:
        if method.family == name and not method.has_models:
            return method, None
    model = models.find(name, progressive=progressive)
    return for_family(model.family), model


def for_family(family: str) -> Method:
    """The method that runs models of this family.

    Raises:
        ModelError: no method does.
    """
    for method in METHODS:
        if method.family == family:
            return method
    raise ModelError(
        f"nothing can be hidden with models of family {family}",
        f"Choose a model of {' or '.join(method.family for method in METHODS)}: see `stegcli models`.",
    )


def for_channel(channel: int) -> Method:
    """The method that a stego's header names.

    Raises:
        ModelError: this version has no such method.
    """
    for method in METHODS:
        if channel in method.channels:
            return method
    raise later_version()
