"""From a passphrase to keys: part of the file format.

    passphrase, number of pixels -> Argon2id -> HKDF -> locator (where the header is)
    passphrase, salt             -> Argon2id -> HKDF -> header, keystream and permutation key

The salt is read at the positions that the locator gives, so that a stego cannot be told by its header. What
remains: whoever guesses the passphrase can test each guess for one Argon2id, and the locators of a list of
guesses, computed once, serve for every picture of the same number of pixels; against that helps a long
passphrase. Stegos of one size under one passphrase share their positions, which somebody who has several of
them beside their covers may find. Without a passphrase nothing is hidden from anybody with this program.

A run that hides in thousands of pictures derives one master key for all of them:

    salt = 8 bytes of the run, 8 bytes of the file
    passphrase, bytes of the run -> Argon2id -> HKDF with the bytes of the file -> the same three keys

Every file still has keys of its own, and a guess of the passphrase still costs an Argon2id. Only headers in
parities are written so: their salt is coded with redundancy, so that whoever has the locator of a guess sees
already by one picture whether something is there, and two salts that begin alike tell him no more. A head of
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

_Name = TypeVar("_Name")
_Key = TypeVar("_Key")

PUBLIC_PASSPHRASE: Final = "stegcli public key, version 1"  # noqa: S105 - public on purpose
"""Stands in when there is no passphrase: anybody with this program can then reveal."""

SALT_BYTES: Final = 16
KEY_BYTES: Final = 32
RUN_BYTES: Final = 8
"""First bytes of the salts of one run, where it has a master key of its own."""

_REMEMBERED: Final = 1024
"""Keys that a keyring holds at most of each kind: a run over any number of pictures takes no more memory."""

# RFC 9106, section 4, second recommended option: 64 MiB, three passes, four lanes.
_ARGON2_PASSES: Final = 3
_ARGON2_LANES: Final = 4
_ARGON2_KIB: Final = 64 * 1024

# OpenSSL shares one budget of threads between all derivations: two at a time wait for each other for ever.
_one_derivation = threading.Lock()


def derive(passphrase: str | None, salt: bytes) -> Keys:
    """Argon2id of the NFC-normalised passphrase with the 16-byte salt, then HKDF-SHA256: one key per purpose.

    Normalised, an accented passphrase is the same whichever keyboard or system typed it.

    Raises:
        UsageError: the passphrase is empty or is no text.
    """
    return _three(_argon2(passphrase, salt), b"")


def derive_run(passphrase: str | None, run: bytes) -> bytes:
    """The 32-byte master key of a run from its `RUN_BYTES`.

    Raises:
        UsageError: the passphrase is empty or is no text.
    """
    salt = sha256(b"stegcli/1/run" + run).digest()[:SALT_BYTES]
    return _expand(_argon2(passphrase, salt), b"run")


def derive_in_run(master: bytes, salt: bytes) -> Keys:
    """The keys of one file of a run from its 16-byte salt, whose bytes after `RUN_BYTES` are the file's."""
    return _three(master, b"/" + salt[RUN_BYTES:])


def _three(master: bytes, suffix: bytes) -> Keys:
    return Keys(*(_expand(master, purpose + suffix) for purpose in (b"header", b"keystream", b"permutation")))


def derive_locator(passphrase: str | None, pixel_count: int) -> bytes:
    """The 32-byte key that says where, among `pixel_count` usable pixels, the header's parities are.

    It must be known before the salt can be read, so the number of pixels takes the salt's place.

    Raises:
        UsageError: the passphrase is empty or is no text.
    """
    salt = sha256(b"stegcli/1/locator" + pixel_count.to_bytes(4, "big")).digest()[:SALT_BYTES]
    return _expand(_argon2(passphrase, salt), b"positions")


class Keyring:
    """What one passphrase opens, each key derived once: Argon2id takes a tenth of a second and 64 MiB.

    Args:
        passphrase: None for the public one.
    """

    def __init__(self, passphrase: str | None) -> None:
        self._passphrase = passphrase
        self._locators: OrderedDict[int, bytes] = OrderedDict()
        self._keys: OrderedDict[bytes, Keys] = OrderedDict()
        self._runs: OrderedDict[bytes, bytes] = OrderedDict()

    @property
    def is_public(self) -> bool:
        """Whether anybody with this program has the same keys."""
        return self._passphrase is None

    def locator(self, pixel_count: int) -> bytes:
        """As `derive_locator`."""
        return _remembered(self._locators, pixel_count, lambda: derive_locator(self._passphrase, pixel_count))

    def keys(self, salt: bytes) -> Keys:
        """As `derive`; or as `derive_in_run`, if the salt is one of a run that was begun or met before."""
        if salt[:RUN_BYTES] in self._runs:
            return self.keys_in_run(salt)
        return _remembered(self._keys, salt, lambda: derive(self._passphrase, salt))

    def keys_in_run(self, salt: bytes) -> Keys:
        """As `derive_in_run`; the run's master key is kept, so that `keys` knows its salts from now on."""
        run = salt[:RUN_BYTES]
        return derive_in_run(_remembered(self._runs, run, lambda: derive_run(self._passphrase, run)), salt)

    def begin_run(self, run: bytes) -> None:
        """Take salts that begin with these `RUN_BYTES` for those of a run."""
        self.keys_in_run(run + bytes(SALT_BYTES - RUN_BYTES))

    def forget_run(self, salt: bytes) -> None:
        """The salt was none of a run, or the passphrase is another."""
        self._runs.pop(salt[:RUN_BYTES], None)


def _remembered(known: OrderedDict[_Name, _Key], name: _Name, make: Callable[[], _Key]) -> _Key:
    """What was made for this name; of the others, those that were asked for last stay."""
    if name not in known:
        known[name] = make()
        if len(known) > _REMEMBERED:
            known.popitem(last=False)
    known.move_to_end(name)
    return known[name]


def _argon2(passphrase: str | None, salt: bytes) -> bytes:
    """Passphrase, None for the public one, and 16-byte salt -> 32 bytes."""
    text = PUBLIC_PASSPHRASE.encode() if passphrase is None else _passphrase_bytes(passphrase)
    argon2 = Argon2id(
        salt=salt, length=KEY_BYTES, iterations=_ARGON2_PASSES, lanes=_ARGON2_LANES, memory_cost=_ARGON2_KIB
    )
    with _one_derivation:
        return argon2.derive(text)


def _expand(master: bytes, purpose: bytes) -> bytes:
    """One 32-byte key per purpose out of what Argon2id gave."""
    return HKDFExpand(SHA256(), KEY_BYTES, b"stegcli/1/" + purpose).derive(master)


def check_passphrase(passphrase: str) -> None:
    """Refuse what would keep nothing private.

    Raises:
        UsageError: it is empty, blank, no text, or the one that everybody has.
    """
    _passphrase_bytes(passphrase)


def _passphrase_bytes(passphrase: str) -> bytes:
    if not passphrase:
        raise UsageError("the passphrase is empty", "Give at least one character, or no passphrase at all.")
    if passphrase.isspace():
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
