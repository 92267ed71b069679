"""Ctrl-C, SIGTERM and a closed terminal, all handled alike.

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
    """Handle the signals that this process does not ignore, as `nohup` and background shells ask it to."""
    for number in _numbers():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)


def arm() -> None:
    """From now on a signal raises KeyboardInterrupt."""
    for number in _taken(_leave):
        signal.signal(number, _interrupt)
        sys.unraisablehook = _raise_again


def release() -> None:
    """From now on there is nothing to clean up: a signal ends the process, without a traceback."""
    for number in _taken(_interrupt):
        signal.signal(number, signal.SIG_DFL)


def was_interrupted() -> bool:
    """Whether a signal came while a command ran: whatever fails after that fails because of it."""
    return bool(_received)


def _numbers() -> list[signal.Signals]:
    """The signals of this system: Windows has no SIGHUP, and other systems have no SIGBREAK."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def _taken(handler: Any) -> list[signal.Signals]:  # noqa: ANN401 - as the signal module types it
    return [number for number in _numbers() if signal.getsignal(number) is handler]


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """Exit without unwinding: an exception inside an import may be mistaken for a failure of that import."""
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
    """Raise again what Python drops in a destructor or in a callback of the import system."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    import _thread
    import threading

    _received.clear()
    again = threading.Timer(_AGAIN_SECONDS, _thread.interrupt_main)
    again.daemon = True
    again.start()
