"""The one door to ONNX Runtime: nobody else imports it.

Since release 1.29 the import alone writes a device id and a database into the user's cache, looks up a
collector's address and, where the cache cannot be written, warns on the terminal. One variable, read at the
import, keeps it from all three.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from stegcli.cores import cores

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MEMORY_BYTES",
    "SILENCE",
    "foreign_errors",
    "give_back_memory",
    "limits_constants",
    "load_runtime",
    "run_options",
    "session_options",
]

SILENCE: Final = "ORT_DISABLE_TELEMETRY"
"""Environment variable without which a picture that is hidden would be told to a third party's server."""

MEMORY_BYTES: Final = 2 << 30
"""That one graph may use while it runs on a CPU: thrice what the largest of ours takes."""

_FOLDED_BYTES: Final = 64 << 20
"""Largest constant that is worked out while a graph is loaded, where no limit of memory holds."""


def load_runtime() -> Any:  # noqa: ANN401
    """The module `onnxruntime`, imported so that it touches no file and no network."""
    os.environ[SILENCE] = "1"
    return import_module("onnxruntime")


def limits_constants() -> bool:
    """Whether the runtime knows the limit of what it works out while it loads a graph."""
    major, minor = load_runtime().__version__.split(".")[:2]
    return (int(major), int(minor)) >= _FIRST_WITH_LIMIT


_FIRST_WITH_LIMIT: Final = (1, 28)


def session_options(*, limited: bool) -> Any:  # noqa: ANN401
    """The runtime's options of a session.

    Args:
        limited: whether the graph runs in `MEMORY_BYTES` or fails; on a CPU only.
    """
    ort = load_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = cores()
    options.enable_mem_pattern = False  # plans one block for all tensors, twice what is alive at a time
    # Threads that wait by spinning take a fifth of all the time that hiding a small picture costs, from key
    # derivation and whatever else runs here.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # errors come back as exceptions; the terminal is the caller's
    options.add_session_config_entry(
        "optimization.constant_folding_max_output_size_in_bytes", str(_FOLDED_BYTES)
    )
    if limited:
        _limit_memory(ort)
        options.add_session_config_entry("session.use_env_allocators", "1")
    return options


def run_options(*, keep_memory: bool) -> Any:  # noqa: ANN401
    """The runtime's options of one run, which hold its `terminate` flag.

    Args:
        keep_memory: whether the working memory is left for the next run, which then touches no fresh pages.
    """
    options = load_runtime().RunOptions()
    if not keep_memory:  # encoder and decoder live in one process
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def foreign_errors() -> tuple[type[Exception], ...]:
    """Everything that the runtime raises: its own exceptions, which share no base class, and Python's."""
    load_runtime()
    state = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    own = (each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception))
    # CUDA that does not start; text that is no UTF-8, a ValueError; values that are no arrays.
    return (*own, RuntimeError, ValueError, TypeError, MemoryError)


def give_back_memory() -> None:
    """Let the C library give back what was freed: up to 64 MiB that the runtime's large blocks cannot use."""
    _trim()(0)


@functools.cache
def _trim() -> Callable[[int], object]:
    """The GNU C library's `malloc_trim`; elsewhere nothing is to be done."""
    found: Callable[[int], object] | None = None
    if sys.platform == "linux":
        found = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return (lambda _kept: None) if found is None else found


def _limit_memory(ort: Any) -> None:  # noqa: ANN401
    """Put an allocator with a limit, empty yet, in the place that the next session takes its own from."""
    cpu = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    with suppress(*foreign_errors()):  # one that somebody else put there is as good
        ort.create_and_register_allocator(cpu, ort.OrtArenaCfg({"max_mem": MEMORY_BYTES}))
