"""Where a passphrase comes from: the terminal, a file, or the environment; never the command line."""

from __future__ import annotations

import getpass
import os
import sys
import warnings
from pathlib import Path

from stegcli.errors import UsageError

__all__ = ["ENVIRONMENT", "find_passphrase"]

ENVIRONMENT = "STEGCLI_PASSPHRASE"
STDIN = "-"


def find_passphrase(*, ask: bool, file: str | None, twice: bool) -> str | None:
    """The passphrase from the one source that is given, or None without any.

    Args:
        ask: prompt for it on the terminal.
        file: take the first line of this file; "-" is stdin.
        twice: ask a second time and compare.

    Raises:
        UsageError: two sources at once, an empty or unreadable passphrase, no terminal to ask on.
    """
    given = {
        "--passphrase": ask,
        "--passphrase-file": file is not None,
        ENVIRONMENT: ENVIRONMENT in os.environ,
    }
    named = [name for name, is_given in given.items() if is_given]
    if len(named) > 1:
        raise UsageError(f"two passphrases: from {' and '.join(named)}", "Keep one of them.")
    if not named:
        return None
    passphrase = _ask(twice) if ask else _read(file) if file is not None else os.environ[ENVIRONMENT]
    if not passphrase:
        raise UsageError(
            f"the passphrase from {named[0]} is empty", "Leave the option out to hide without one."
        )
    return passphrase


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
        except (getpass.GetPassWarning, EOFError, OSError) as error:
            hint = f"Use --passphrase-file FILE, or set {ENVIRONMENT}."
            raise UsageError("there is no terminal to ask for the passphrase on", hint) from error


def _read(file: str) -> str:
    """First line, without its end; a byte-order mark is an editor's, not the user's."""
    try:
        content = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"{file}: cannot be read ({error.strerror})", "Give a file that holds the passphrase."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 text", "Save the passphrase as UTF-8 text.") from error
    return text.split("\n", 1)[0].removesuffix("\r")
