"""From a passphrase to keys: part of the file format.

    passphrase, number of pixels -> Argon2id -> HKDF -> locator (where the header is)
    passphrase, salt             -> Argon2id -> HKDF -> header, keystream and permutation key

The salt is read at the positions that the locator gives, so that a stego cannot be told by its header. What
remains: whoever guesses the passphrase can test each guess for one Argon2id, and the locators of a list of
guesses, computed once, serve for every picture of the same number of pixels; against that helps a long
passphrase. Stegos of one size under one passphrase share their positions, which somebody who has several of
them beside their covers may find. Without a passphrase nothing is hidden from anybody with this program.
"""

from __future__ import annotations

import threading
import unicodedata
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from stegcli.carriers.streams import Keys
from stegcli.errors import UsageError

PUBLIC_PASSPHRASE: Final = "stegcli public key, version 1"  # noqa: S105 - public on purpose
"""Stands in when there is no passphrase: anybody with this program can then reveal."""

SALT_BYTES: Final = 16
KEY_BYTES: Final = 32

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
    master = _argon2(passphrase, salt)
    header, keystream, permutation = (
        _expand(master, purpose) for purpose in (b"header", b"keystream", b"permutation")
    )
    return Keys(header, keystream, permutation)


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
        self._locators: dict[int, bytes] = {}
        self._keys: dict[bytes, Keys] = {}

    @property
    def is_public(self) -> bool:
        """Whether anybody with this program has the same keys."""
        return self._passphrase is None

    def locator(self, pixel_count: int) -> bytes:
        """As `derive_locator`."""
        if pixel_count not in self._locators:
            self._locators[pixel_count] = derive_locator(self._passphrase, pixel_count)
        return self._locators[pixel_count]

    def keys(self, salt: bytes) -> Keys:
        """As `derive`."""
        if salt not in self._keys:
            self._keys[salt] = derive(self._passphrase, salt)
        return self._keys[salt]


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
            "this passphrase is public: it stands in when there is none",
            "Choose another one, or leave it out: anybody with stegcli can then reveal.",
        )
    return text
