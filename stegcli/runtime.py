"""The one door to ONNX Runtime: nobody else imports it.

Since release 1.29 the import alone writes a device id and a database into the user's cache, looks up a
collector's address and, where the cache cannot be written, warns on the terminal. One variable, read at the
import, keeps it from all three.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

__all__ = ["SILENCE", "foreign_errors", "load_runtime"]

SILENCE = "ORT_DISABLE_TELEMETRY"
"""Environment variable without which a picture that is hidden would be told to a third party's server."""


def load_runtime() -> Any:  # noqa: ANN401
    """The module `onnxruntime`, imported so that it touches no file and no network."""
    os.environ[SILENCE] = "1"
    return import_module("onnxruntime")


def foreign_errors() -> tuple[type[Exception], ...]:
    """Everything that the runtime raises: its own exceptions, which share no base class, and Python's."""
    load_runtime()
    state = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    own = (each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception))
    return (*own, RuntimeError, ValueError, TypeError, UnicodeDecodeError)
