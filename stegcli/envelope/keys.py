"""Derivation of keys from a passphrase: part of the file format.

    passphrase, number of pixels -> Argon2id -> HKDF -> locator (where the header is)
    passphrase, salt             -> Argon2id -> HKDF -> header, keystream and permutation key

The salt is read at positions that the locator determines, so that its header does not identify a stego. Two
weaknesses remain. An attacker can test each guess of the passphrase at the price of one Argon2id, and the
locators for a list of guesses, computed once, serve for every picture with the same number of pixels; a long
passphrase helps against that. And stegos of one size under one passphrase share their positions, which
somebody who has several of them with their covers may find. Without a passphrase, nothing is hidden from
anybody with this program.

A run that hides in thousands of pictures derives one master key for all of them:

    salt = 8 bytes of the run, 8 bytes of the file
    passphrase, bytes of the run -> Argon2id -> HKDF with the bytes of the file -> the same three keys

Every file still has its own keys, and a guess of the passphrase still costs one Argon2id. Only headers in
parities use this: their salt is coded with redundancy, so that anybody with the locator of a guess can see
from a single picture whether there is a header, and two salts that begin alike reveal no more. A head of
format 2 shows nothing of the kind, and must not begin to.
"""

from __future__ import annotations

import threading
import unicodedata
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from stegcli.carriers.streams import Keys
from stegcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

_Name = TypeVar("_Name")
_Key = TypeVar("_Key")

PUBLIC_PASSPHRASE: Final = "stegcli public key, version 1"  # noqa: S105 - public on purpose
"""Used when no passphrase is given: anybody with this program can then reveal."""

_UNSEEN: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
"""Unicode's categories of characters without a shape: spaces, ends of lines, controls, zero-width joiners."""

SALT_BYTES: Final = 16
KEY_BYTES: Final = 32
RUN_BYTES: Final = 8
"""Number of first bytes that the salts of one run share, if it has a master key."""

_REMEMBERED: Final = 1024
"""Largest number of keys of each kind in a keyring, so that a long run's memory is bounded."""

# RFC 9106, section 4, second recommended option: 64 MiB, three passes, four lanes.
_ARGON2_PASSES: Final = 3
_ARGON2_LANES: Final = 4
_ARGON2_KIB: Final = 64 * 1024

# OpenSSL shares one budget of threads between all derivations: two at a time can wait for each other forever.
_one_derivation = threading.Lock()


def derive(passphrase: str | None, salt: bytes) -> Keys:
    """Derive keys with Argon2id from the NFC-normalised passphrase and a 16-byte salt, then HKDF-SHA256.

    Normalisation makes an accented passphrase the same whichever keyboard or system typed it.

    Raises:
        UsageError: the passphrase is empty or not text.
    """
    return _three(_argon2(passphrase, salt), b"")


def derive_run(passphrase: str | None, run: bytes) -> bytes:
    """Derive the 32-byte master key of a run from its `RUN_BYTES`.

    Raises:
        UsageError: the passphrase is empty or not text.
    """
    salt = sha256(b"stegcli/1/run" + run).digest()[:SALT_BYTES]
    return _expand(_argon2(passphrase, salt), b"run")


def derive_in_run(master: bytes, salt: bytes) -> Keys:
    """Derive a file's keys in a run from its 16-byte salt; the bytes after `RUN_BYTES` are the file's."""
    return _three(master, b"/" + salt[RUN_BYTES:])


def _three(master: bytes, suffix: bytes) -> Keys:
    return Keys(*(_expand(master, purpose + suffix) for purpose in (b"header", b"keystream", b"permutation")))


def derive_locator(passphrase: str | None, pixel_count: int) -> bytes:
    """Derive the 32-byte key that locates the header's parities among `pixel_count` usable pixels.

    It must be known before the salt can be read, so that the number of pixels takes the salt's place.

    Raises:
        UsageError: the passphrase is empty or not text.
    """
    salt = sha256(b"stegcli/1/locator" + pixel_count.to_bytes(4, "big")).digest()[:SALT_BYTES]
    return _expand(_argon2(passphrase, salt), b"positions")


class Keyring:
    """The keys of one passphrase, each derived only once: Argon2id takes a tenth of a second and 64 MiB.

    Args:
        passphrase: None for the public one.
    """

    def __init__(self, passphrase: str | None) -> None:
        self._passphrase = passphrase
        self._locators: OrderedDict[int, bytes] = OrderedDict()
        self._keys: OrderedDict[bytes, Keys] = OrderedDict()
        self._runs: OrderedDict[bytes, bytes] = OrderedDict()
        self._places: tuple[int, Places] | None = None

    @property
    def is_public(self) -> bool:
        """Whether anybody with this program has the same keys."""
        return self._passphrase is None

    def locator(self, pixel_count: int) -> bytes:
        """Return the result of `derive_locator`."""
        return _remembered(self._locators, pixel_count, lambda: derive_locator(self._passphrase, pixel_count))

    def places(self, pixel_count: int, draw: Callable[[int, bytes], Places]) -> Places:
        """What `draw` makes of a number of pixels and its locator; kept for more pictures of that size.

        Args:
            pixel_count: usable pixels.
            draw: `header.draw_places`.
        """
        kept = self._places
        if kept is None or kept[0] != pixel_count:
            kept = pixel_count, draw(pixel_count, self.locator(pixel_count))
            kept[1].setflags(write=False)
            self._places = kept
        return kept[1]

    def keys(self, salt: bytes) -> Keys:
        """Return the result of `derive`, or of `derive_in_run` if the salt belongs to a known run."""
        if salt[:RUN_BYTES] in self._runs:
            return self.keys_in_run(salt)
        return _remembered(self._keys, salt, lambda: derive(self._passphrase, salt))

    def keys_in_run(self, salt: bytes) -> Keys:
        """Return the result of `derive_in_run`; from now on, `keys` recognises the run's salts."""
        run = salt[:RUN_BYTES]
        return derive_in_run(_remembered(self._runs, run, lambda: derive_run(self._passphrase, run)), salt)

    def begin_run(self, run: bytes) -> None:
        """Treat salts that begin with these `RUN_BYTES` as those of a run."""
        self.keys_in_run(run + bytes(SALT_BYTES - RUN_BYTES))

    def forget_run(self, salt: bytes) -> None:
        """Forget a run, because the salt did not belong to one or the passphrase is another."""
        self._runs.pop(salt[:RUN_BYTES], None)


def _remembered(known: OrderedDict[_Name, _Key], name: _Name, make: Callable[[], _Key]) -> _Key:
    """Return the cached value for a name, or make it; the least recently used values are dropped."""
    if name not in known:
        known[name] = make()
        if len(known) > _REMEMBERED:
            known.popitem(last=False)
    known.move_to_end(name)
    return known[name]


def _argon2(passphrase: str | None, salt: bytes) -> bytes:
    """Passphrase (None for the public one) and 16-byte salt -> 32 bytes."""
    text = PUBLIC_PASSPHRASE.encode() if passphrase is None else _passphrase_bytes(passphrase)
    argon2 = Argon2id(
        salt=salt, length=KEY_BYTES, iterations=_ARGON2_PASSES, lanes=_ARGON2_LANES, memory_cost=_ARGON2_KIB
    )
    with _one_derivation:
        return argon2.derive(text)


def _expand(master: bytes, purpose: bytes) -> bytes:
    """Derive one 32-byte key per purpose from the output of Argon2id."""
    return HKDFExpand(SHA256(), KEY_BYTES, b"stegcli/1/" + purpose).derive(master)


def check_passphrase(passphrase: str) -> None:
    """Refuse a passphrase that would keep nothing private.

    Raises:
        UsageError: it is empty, blank, not text, or the public one.
    """
    _passphrase_bytes(passphrase)


def _passphrase_bytes(passphrase: str) -> bytes:
    if not passphrase:
        raise UsageError("the passphrase is empty", "Give at least one character, or no passphrase at all.")
    if _UNSEEN.issuperset(map(unicodedata.category, passphrase)) and "\0" not in passphrase:
        raise UsageError("the passphrase is blank", "Give at least one character that can be seen.")
    if "\0" in passphrase:
        raise UsageError("the passphrase holds a zero byte", "Save it as UTF-8 text, not as UTF-16.")
    try:
        text = unicodedata.normalize("NFC", passphrase).encode("utf-8")
    except UnicodeEncodeError:
        # Undecodable bytes of a command line arrive as lone surrogates, and differ from system to system.
        raise UsageError("the passphrase is not valid text", "Type it in UTF-8.") from None
    if text == PUBLIC_PASSPHRASE.encode():
        raise UsageError(
            "this passphrase is public: it is used when none is given",
            "Choose another one, or give none: then anybody with stegcli can reveal the secret.",
        )
    return text
