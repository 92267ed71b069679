"""The only module that imports ONNX Runtime.

Since release 1.29 the mere import writes a device id and a database into the user's cache, looks up the
address of a collector and, if the cache is not writable, warns on the terminal. An environment variable that
is read during the import prevents all three.
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
"""Environment variable without which a third party's server would be told when a picture is hidden."""

MEMORY_BYTES: Final = 2 << 30
"""Memory that one graph may use while it runs on a CPU: three times what the largest of ours takes."""

_FOLDED_BYTES: Final = 64 << 20
"""Largest constant that may be computed while a graph is loaded, where no limit of memory applies."""


def load_runtime() -> Any:  # noqa: ANN401
    """Import `onnxruntime` so that it touches no file and no network, and return it."""
    os.environ[SILENCE] = "1"
    return import_module("onnxruntime")


def limits_constants() -> bool:
    """Whether the runtime supports a limit on the constants that it computes while it loads a graph."""
    major, minor = load_runtime().__version__.split(".")[:2]
    return (int(major), int(minor)) >= _FIRST_WITH_LIMIT


_FIRST_WITH_LIMIT: Final = (1, 28)


def session_options(*, limited: bool) -> Any:  # noqa: ANN401
    """Return the runtime's options for a session.

    Args:
        limited: whether the graph fails if it needs more than `MEMORY_BYTES`; on a CPU only.
    """
    ort = load_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = cores()
    options.enable_mem_pattern = False  # it plans one block for all tensors, twice what is live at a time
    # Threads that wait by spinning take a fifth of the total time for hiding a small picture from key
    # derivation and other work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # errors come as exceptions; the terminal belongs to the caller
    options.add_session_config_entry(
        "optimization.constant_folding_max_output_size_in_bytes", str(_FOLDED_BYTES)
    )
    if limited:
        _limit_memory(ort)
        options.add_session_config_entry("session.use_env_allocators", "1")
    return options


def run_options(*, keep_memory: bool) -> Any:  # noqa: ANN401
    """Return the runtime's options for one run, which hold its `terminate` flag.

    Args:
        keep_memory: whether working memory is kept for the next run, which then needs no fresh pages.
    """
    options = load_runtime().RunOptions()
    if not keep_memory:  # encoder and decoder share one process
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def foreign_errors() -> tuple[type[Exception], ...]:
    """Return all types that the runtime raises: its own, which share no base class, and Python's."""
    load_runtime()
    state = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    own = (each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception))
    # CUDA that does not start; text that is not UTF-8, a ValueError; values that are not arrays.
    return (*own, RuntimeError, ValueError, TypeError, MemoryError)


def give_back_memory() -> None:
    """Make the C library return freed memory: up to 64 MiB that the runtime's large blocks cannot use."""
    _trim()(0)


@functools.cache
def _trim() -> Callable[[int], object]:
    """Return the GNU C library's `malloc_trim`; elsewhere, a function that does nothing."""
    found: Callable[[int], object] | None = None
    if sys.platform == "linux":
        found = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return (lambda _kept: None) if found is None else found


def _limit_memory(ort: Any) -> None:  # noqa: ANN401
    """Register an allocator with a limit, still empty, for the next session to use."""
    cpu = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    with suppress(*foreign_errors()):  # one that somebody else has registered will do
        ort.create_and_register_allocator(cpu, ort.OrtArenaCfg({"max_mem": MEMORY_BYTES}))
