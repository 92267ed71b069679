"""Run foreign code that takes long without ignoring Ctrl-C.

Python handles a signal in its main thread, between two of its own instructions, of which there are none while
the runtime computes. The work is therefore done in another thread, and the main thread waits where signals
reach it.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GRACE_SECONDS", "interruptible"]

Answer = TypeVar("Answer")

GRACE_SECONDS = 1.0
"""Time in seconds for work to stop when asked; after that it is abandoned, and ends with the process."""

_LOOK_SECONDS = 0.2
"""Interval of polling in seconds, since Windows does not wake a waiting thread for Ctrl-C."""


def interruptible(work: Callable[[], Answer], stop: Callable[[], object]) -> Answer:
    """Return or raise what `work()` does; in the main thread, an interruption gets through at once.

    Args:
        work: runs in a thread of its own, which does not keep the process alive.
        stop: asks it to end early; called when an exception such as KeyboardInterrupt interrupts the wait.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()  # Python never runs a signal handler here
    future: Future[Answer] = Future()
    thread = threading.Thread(target=_fulfil, args=(future, work), daemon=True, name="stegcli-work")
    try:
        thread.start()  # a signal may arrive meanwhile, when the work has already begun
        while not wait([future], _LOOK_SECONDS).done:
            pass
    except BaseException:
        stop()
        wait([future], GRACE_SECONDS)
        raise
    return future.result()


def _fulfil(future: Future[Answer], work: Callable[[], Answer]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - told to whoever waits
        future.set_exception(error)
