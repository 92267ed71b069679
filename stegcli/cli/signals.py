"""Ctrl-C, a polite kill and a terminal that was closed: one answer to the three of them.

    take()      from the first line on: nothing has been done, so the process ends at once
    arm()       a command runs: the signal becomes KeyboardInterrupt, and drafts are removed on the way out
    release()   the command has ended: the system's own answer again

Only the program takes signals; whoever imports stegcli as a library keeps his own.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # typing takes longer to import than everything else here
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Final

__all__ = ["arm", "release", "take", "was_interrupted"]

INTERRUPTED: Final = 130
_STOPPED: Final = b"error: interrupted\n  Nothing was done yet.\n"
_STOPPED_JSON: Final = (
    b'{"error": {"kind": "interrupted", "message": "interrupted", "hint": "Nothing was done yet."}}\n'
)
_PATIENCE: Final = 3
"""`timeout` and closing terminals send a signal twice, and people press Ctrl-C twice: the second must not cut
off the removal of drafts. The third ends the process as it stands."""
_AGAIN_SECONDS: Final = 0.02

_received: list[int] = []


def take() -> None:
    """Answer the signals that this process does not ignore; `nohup` and shells in the background ask so."""
    for number in _numbers():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)


def arm() -> None:
    """From now on a signal raises KeyboardInterrupt."""
    for number in _taken(_leave):
        signal.signal(number, _interrupt)
        sys.unraisablehook = _raise_again


def release() -> None:
    """Nothing is left to be cleaned up: a signal ends the process, without a traceback."""
    for number in _taken(_interrupt):
        signal.signal(number, signal.SIG_DFL)


def was_interrupted() -> bool:
    """Whether a signal came while a command ran: whatever fails after it, fails because of it."""
    return bool(_received)


def _numbers() -> list[signal.Signals]:
    """Those of this system: Windows has no SIGHUP, and its SIGBREAK is unknown elsewhere."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def _taken(handler: Any) -> list[signal.Signals]:  # noqa: ANN401 - as the signal module types it
    return [number for number in _numbers() if signal.getsignal(number) is handler]


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """Without unwinding: an exception inside an import may be taken for a failure of that import."""
    descriptor = 2 if sys.stderr is None else sys.stderr.fileno()
    try:
        os.write(descriptor, _STOPPED_JSON if "--json" in sys.argv else _STOPPED)
    finally:
        os._exit(INTERRUPTED)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _received.append(number)
    if len(_received) >= _PATIENCE:
        os._exit(INTERRUPTED)
    if len(_received) == 1:
        raise KeyboardInterrupt


def _raise_again(unraisable: Any) -> None:  # noqa: ANN401 - its type exists for type checkers only
    """Python drops an exception that meets a destructor or a callback of the import system."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    import _thread
    import threading

    _received.clear()
    again = threading.Timer(_AGAIN_SECONDS, _thread.interrupt_main)
    again.daemon = True
    again.start()
