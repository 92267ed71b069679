"""Programs that tests start draw the same salts in every run, as `salts.py` has it in the tests' own process.

Python imports this by its name where PYTHONPATH leads here. The `random` and `secrets` modules keep the
system's bytes, so that drafts of files have names of their own.
"""

import hashlib
import os
import random
import secrets

__all__ = ["random", "secrets"]


def urandom(size: int) -> bytes:
    """These bytes and no others: two processes that share the work need not draw in any order."""
    return hashlib.shake_256(b"a salt for every program").digest(size)


os.urandom = urandom
