"""Keys that Argon2id has derived, in files that the tests' processes and the programs they start share.

A key costs a fifth of a second and 64 MiB; under the tests' fixed salts every program asks for the same ones.
Each remembered key was derived at its full cost by the program's own code.
"""

import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path

FOLDER = "STEGCLI_TESTS_KNOW_KEYS"
"""Environment variable with the name of the folder; without it nothing is remembered."""


def remembering(derive):
    """Wrap a function of passphrase and salt so that it looks into the folder first."""

    def argon2(passphrase, salt):
        if FOLDER not in os.environ:
            return derive(passphrase, salt)
        name = hashlib.sha256(repr((passphrase, salt)).encode()).hexdigest()
        path = Path(os.environ[FOLDER], name)
        with suppress(OSError):
            return path.read_bytes()
        key = derive(passphrase, salt)
        with suppress(OSError):  # a program whose disk is full by order
            draft = path.with_name(f"{name}.{os.getpid()}.{threading.get_ident()}")
            draft.write_bytes(key)
            draft.replace(path)
        return key

    return argon2
