"""Make the names of files that arrive with a secret safe before anything uses them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["MAX_NAME_BYTES", "safe_name"]

MAX_NAME_BYTES: Final = 255
"""Limit in UTF-8 that Linux, macOS and Windows share."""

_NAMELESS: Final = "secret"
_SEPARATORS: Final = re.compile(r"[/\\]")
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]')
"""Forbidden by Windows, where the colon also names an alternate stream of a file."""
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control characters, writing direction ("gpj.exe" shown as "exe.jpg"), lone surrogates, line separators."""
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?")
_LONGEST_SUFFIX: Final = 16


def safe_name(name: str) -> str:
    """Turn a name that may be hostile into one for a file in the current folder, and nowhere else.

    Folders are removed; invisible characters are dropped; what any system forbids becomes "_", and so does a
    leading dot or dash, which would hide the file or look like an option. The result is never empty and has
    at most `MAX_NAME_BYTES` bytes of UTF-8, with the suffix kept. A safe name is only normalised to NFC.
    """
    last = _SEPARATORS.split(name)[-1]
    visible = "".join(letter for letter in last if unicodedata.category(letter) not in _INVISIBLE)
    plain = _trimmed(_FORBIDDEN.sub("_", unicodedata.normalize("NFC", visible)))
    if plain[:1] in {".", "-"}:
        plain = "_" + plain[1:]
    if _RESERVED.fullmatch(plain):
        plain = "_" + plain
    return _trimmed(_shortened(plain)) or _NAMELESS


def _trimmed(name: str) -> str:
    """Remove dots and spaces at the end, which Windows ignores, so that two names could mean one file."""
    name = name.strip()
    while name.endswith((".", " ")) or name != name.strip():
        name = name.rstrip(".").strip()
    return name


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode()) > _LONGEST_SUFFIX:
        stem, dot, suffix = name, "", ""
    room = MAX_NAME_BYTES - len((dot + suffix).encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + suffix
