"""Keys that Argon2id has derived, in files that the tests' processes and the programs they start share.

A key costs a fifth of a second and 64 MiB; under the tests' fixed salts the same ones are asked for in every
program. What is remembered was derived at its full cost, by the program's own code.
"""

import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path

FOLDER = "STEGCLI_TESTS_KNOW_KEYS"
"""Variable of the environment that names the folder; without it nothing is remembered."""


def remembering(derive):
    """The same function of passphrase and salt, which looks into the folder first."""

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
