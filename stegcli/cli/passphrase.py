"""Where a passphrase comes from: the terminal, a file, or the environment; never the command line.

Of a file, the first line counts, without its line end; a byte-order mark is an editor's, and spaces are the
user's. Whatever goes wrong, no error quotes the passphrase or a part of it.
"""

from __future__ import annotations

import getpass
import os
import sys
import warnings
from pathlib import Path
from typing import IO, Final

from stegcli.errors import UsageError

__all__ = ["ENVIRONMENT", "find_passphrase"]

ENVIRONMENT = "STEGCLI_PASSPHRASE"
STDIN = "-"

_MAX_BYTES: Final = 4096
"""Nobody types more than this; a device or a picture given by mistake may hold any amount."""


def find_passphrase(*, ask: bool, file: str | None, twice: bool) -> str | None:
    """The passphrase from the one source that is given, or None if there is none.

    Args:
        ask: prompt for it on the terminal.
        file: take the first line of this file; "-" is stdin.
        twice: ask a second time and compare.

    Raises:
        UsageError: two sources at once, a passphrase that is none, or no terminal to ask on.
    """
    given = {
        "--passphrase": ask,
        "--passphrase-file": file is not None,
        ENVIRONMENT: ENVIRONMENT in os.environ,
    }
    named = [name for name, is_given in given.items() if is_given]
    if len(named) > 1:
        raise UsageError(f"there are two passphrases, from {' and '.join(named)}", "Keep one of them.")
    if not named:
        return None
    passphrase = _ask(twice) if ask else _read(file) if file is not None else os.environ[ENVIRONMENT]
    _check(passphrase, named[0])
    return passphrase


def _check(passphrase: str, source: str) -> None:
    if not passphrase:
        raise UsageError(f"the passphrase from {source} is empty", "Leave the option out to use none.")
    from stegcli.envelope.keys import check_passphrase

    check_passphrase(passphrase)


def _ask(twice: bool) -> str:
    first = _prompt("Passphrase: ")
    if twice and first and _prompt("The same again: ") != first:
        raise UsageError("the two passphrases differ", "Try again.")
    return first


def _prompt(text: str) -> str:
    with warnings.catch_warnings():
        # getpass would rather echo than fail; a passphrase must not be seen.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(text)
        except UnicodeDecodeError:  # from None: the error holds what was typed
            hint = "Set the terminal to the encoding of its locale, which is best UTF-8."
            raise UsageError("the terminal sent bytes that are not text", hint) from None
        except (getpass.GetPassWarning, EOFError, OSError) as error:
            hint = f"Use --passphrase-file FILE, or set {ENVIRONMENT}."
            raise UsageError("there is no terminal on which to ask for the passphrase", hint) from error


def _read(file: str) -> str:
    """The first line of a file or of stdin."""
    try:
        if file == STDIN:
            line = _first_line(sys.stdin.buffer, file)
        else:
            with Path(file).open("rb") as opened:
                line = _first_line(opened, file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name is not valid"
        raise UsageError(
            f"{file}: cannot be read ({reason})", "Give a file that holds the passphrase."
        ) from None
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{file}: not UTF-8 text", "Save the passphrase as UTF-8 text.") from None


def _first_line(opened: IO[bytes], name: str) -> bytes:
    line = opened.readline(_MAX_BYTES + 2)
    bare = line.removesuffix(b"\n").removesuffix(b"\r")
    if len(bare) > _MAX_BYTES:
        raise UsageError(
            f"{name}: its first line has more than {_MAX_BYTES:,} bytes",
            "Give a file that holds a passphrase.",
        )
    return bare
