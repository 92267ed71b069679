"""Foreign code that takes long, without turning a deaf ear to Ctrl-C.

Python answers a signal in its main thread and between two of its own steps, of which there is none while the
runtime computes. So the work is done aside, and the main thread waits where signals reach it.
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
"""How long work that was told to stop may take to do so; then it is left alone, to end with the process."""

_LOOK_SECONDS = 0.2
"""Windows wakes no waiting thread for Ctrl-C."""


def interruptible(work: Callable[[], Answer], stop: Callable[[], object]) -> Answer:
    """What `work()` gives or raises; in the main thread an interruption gets through at once.

    Args:
        work: runs in a thread of its own, which does not keep the process from ending.
        stop: asks it to end early; called when an exception, such as KeyboardInterrupt, interrupts the wait.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()  # no signal handler of Python's ever runs here
    future: Future[Answer] = Future()
    thread = threading.Thread(target=_fulfil, args=(future, work), daemon=True, name="stegcli-work")
    try:
        thread.start()  # a signal may arrive while it does, when the work has begun already
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
