"""Processes of this machine that do tasks; one that dies takes one task with it.

They are started afresh (spawn), so that no thread and no lock of this process is copied into them. What they
are told, a passphrase among it, goes through a pipe, never through a command line.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, Final

from stegcli.cores import cores
from stegcli.crew.base import Outcome, Reply, attempt
from stegcli.errors import DiedError, StegError, one_line

if TYPE_CHECKING:
    from stegcli.crew.base import Crew, Job, Result, Task, Tools

__all__ = ["THREADS", "outcomes"]

THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
"""What libraries read when they are loaded: how many threads they may start."""

_READY: Final = "ready"
_PATIENCE_SECONDS: Final = 5.0
"""For a process to end that was told to."""


def outcomes(
    crew: Crew, job: Job[Tools, Task, Result], tasks: Iterable[Task], count: int
) -> Generator[Outcome[Task, Result]]:
    """As `Crew.outcomes`."""
    most = max(1, min(crew.workers or cores(), count))
    threads = max(1, cores() // most) if crew.threads is None else crew.threads
    told = bytes(ForkingPickler.dumps(job))
    waiting = enumerate(tasks)
    staff: dict[Connection, _Worker] = {}
    try:
        while True:
            while len(staff) < most and (task := next(waiting, None)) is not None:
                worker = _Worker(told, threads, task)
                staff[worker.pipe] = worker
            if not staff:
                return
            yield from _said(staff, waiting)
    finally:
        for worker in staff.values():
            worker.stop()


def _said(
    staff: dict[Connection, _Worker], waiting: Iterator[tuple[int, Any]]
) -> Iterator[Outcome[Any, Any]]:
    """What came of tasks that are finished, once there is one; whoever is free gets another first."""
    for pipe in wait(list(staff)):
        worker = staff[pipe]  # type: ignore[index]
        outcome = worker.answer()
        if outcome is None:
            continue
        task = next(waiting, None) if worker.is_alive else None
        if task is None:
            staff.pop(worker.pipe).stop()
        else:
            worker.give(task)
        yield outcome


class _Worker:
    """One process and the task that it is at."""

    def __init__(self, job: bytes, threads: int, task: tuple[int, Any]) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.is_alive = True
        self._is_ready = False
        self._number, self._task = task
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        try:
            with _environment(threads):
                self._process.start()
        except OSError as error:
            raise _not_started(f"the system refused ({one_line(error)})") from error
        theirs.close()  # so that the pipe ends with the process
        with suppress(OSError):  # that it died meanwhile shows when its answer is read
            self.pipe.send_bytes(job)

    def give(self, task: tuple[int, Any]) -> None:
        """The next task. That the process died meanwhile shows when its answer is read."""
        self._number, self._task = task
        with suppress(OSError):
            self.pipe.send(self._task)

    def answer(self) -> Outcome[Any, Any] | None:
        """What came of the task; None if the process only says that it is ready for it."""
        try:
            said = self.pipe.recv()
        except (EOFError, OSError):
            return self._ended()
        if said == _READY:
            self._is_ready = True
            self.give((self._number, self._task))
            return None
        if isinstance(said, StegError):
            raise said
        reply: Reply[Any] = said
        return reply.outcome(self._number, self._task)

    def stop(self) -> None:
        """End the process; what it is at is left undone."""
        self.is_alive = False
        self.pipe.close()
        self._process.terminate()
        self._process.join(_PATIENCE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()

    def _ended(self) -> Outcome[Any, Any]:
        self.is_alive = False
        self._process.join(_PATIENCE_SECONDS)
        code = self._process.exitcode
        how = f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        if not self._is_ready:
            raise _not_started(how)
        error = DiedError(
            f"the process that worked on it died ({how})",
            "A lack of memory kills processes: give fewer --workers, or smaller pictures.",
        )
        return Outcome(self._number, self._task, None, error)


def _not_started(how: str) -> OSError:
    return OSError(f"a process to work with cannot be started: {how}; give fewer --workers")


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """What a process inherits: before its first module, for the caller's own may bring numpy."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(pipe: Connection) -> None:
    """The whole life of a process: it ends when nobody is at the other end of its pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the first process tells us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # not to leave drafts behind
    try:
        with closing(pipe), suppress(EOFError, BrokenPipeError, ConnectionResetError):
            _work(pipe)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # nothing is left to tidy up


def _work(pipe: Connection) -> None:
    job: Job[Any, Any, Any] = pipe.recv()
    try:
        tools = job.tools()
    except StegError as error:
        pipe.send(error)
        return
    pipe.send(_READY)
    while True:
        pipe.send(attempt(job, tools, pipe.recv()))
