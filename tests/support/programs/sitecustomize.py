"""Programs that tests start draw the same salts in every run, as `salts.py` does in the tests' own process.

Python imports this module by its name if PYTHONPATH contains this folder. The modules `random` and `secrets`
keep the system's bytes, so that drafts of files have different names. Keys that another program has derived
are not derived again: see `known_keys.py`.
"""

import hashlib
import os
import random
import secrets
import sys

__all__ = ["random", "secrets"]

_KEYS = "stegcli.envelope.keys"


def urandom(size: int) -> bytes:
    """Always these bytes: two processes that share the work need not draw in any order."""
    return hashlib.shake_256(b"a salt for every program").digest(size)


class _Remembering:
    """Finds the module of keys as Python would, once it is imported, and gives it a memory."""

    def find_spec(self, name, path=None, target=None):
        if name != _KEYS:
            return None
        from importlib.util import find_spec

        from known_keys import remembering

        sys.meta_path.remove(self)
        spec = find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            module._argon2 = remembering(module._argon2)

        spec.loader.exec_module = exec_module
        return spec


os.urandom = urandom
sys.meta_path.insert(0, _Remembering())
