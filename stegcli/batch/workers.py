"""Processes that do tasks, each with networks of its own; one that dies takes one task with it.

They are started afresh (spawn), so that no thread and no lock of this process is copied into them. What they
are told, a passphrase among it, goes through a pipe, never through a command line.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Final

from stegcli.batch.work import Finished, problem_of
from stegcli.cores import cores
from stegcli.errors import StegError

if TYPE_CHECKING:
    from stegcli.batch.work import Task, Work

__all__ = ["finished_by"]

_READY: Final = "ready"
_PATIENCE_SECONDS: Final = 5.0
"""For a process to end that was told to."""


def finished_by(count: int, work: Work, tasks: Iterable[Task]) -> Generator[Finished]:
    """Do tasks in `count` processes, and give each result as soon as it is there.

    Raises:
        OSError: a process cannot be started at all.
        StegError: it has no networks.
    """
    waiting = iter(tasks)
    crew: dict[Connection, _Worker] = {}
    try:
        while True:
            _fill(crew, count, work, waiting)
            if not crew:
                return
            for pipe in wait(list(crew)):
                worker = crew[pipe]  # type: ignore[index]
                result = worker.answer()
                if result is None:
                    continue
                task = next(waiting, None) if worker.is_alive else None
                if task is None:
                    crew.pop(worker.pipe).stop()
                else:
                    worker.give(task)
                yield result
    finally:
        for worker in crew.values():
            worker.stop()


def _fill(crew: dict[Connection, _Worker], count: int, work: Work, waiting: Iterator[Task]) -> None:
    """Hire as many as there is work for."""
    while len(crew) < count and (task := next(waiting, None)) is not None:
        worker = _Worker(work, max(1, cores() // count), task)
        crew[worker.pipe] = worker


class _Worker:
    """One process and the task that it is at."""

    def __init__(self, work: Work, threads: int, task: Task) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.is_alive = True
        self._is_ready = False
        self._task = task
        self._process = context.Process(target=_serve, args=(theirs, work, threads), daemon=True)
        try:
            self._process.start()
        except OSError as error:
            raise _not_started(problem_of(error)["message"]) from error
        theirs.close()  # so that the pipe ends with the process

    def give(self, task: Task) -> None:
        """The next task. That the process died meanwhile shows when its answer is read."""
        self._task = task
        with suppress(OSError):
            self.pipe.send(task)

    def answer(self) -> Finished | None:
        """What came of the task; None if the process only says that it is ready for it."""
        try:
            said = self.pipe.recv()
        except (EOFError, OSError):
            return self._buried()
        if said == _READY:
            self._is_ready = True
            self.give(self._task)
            return None
        if isinstance(said, StegError):
            raise said
        result: Finished = said
        return result

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

    def _buried(self) -> Finished:
        self.is_alive = False
        self._process.join(_PATIENCE_SECONDS)
        code = self._process.exitcode
        how = f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        if not self._is_ready:
            raise _not_started(how)
        problem = {
            "kind": "died",
            "message": f"the process that worked on it died ({how})",
            "hint": "A lack of memory kills processes: give fewer --workers, or smaller pictures.",
        }
        return Finished(self._task, "", "", problem)


def _not_started(how: str) -> OSError:
    return OSError(f"a process for the batch cannot be started: {how}; give fewer --workers")


def _serve(pipe: Connection, work: Work, threads: int) -> None:
    """The whole life of a process: it ends when nobody is at the other end of its pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the first process tells us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # not to leave drafts behind
    os.environ["OMP_NUM_THREADS"] = str(threads)  # before numpy or the runtime is imported
    with closing(pipe), suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            tools = work.tools()
        except StegError as error:
            pipe.send(error)
            return
        pipe.send(_READY)
        while True:
            task: Task = pipe.recv()
            try:
                result = work.do(tools, task)
            except Exception as error:  # noqa: BLE001 - told to whoever gave the task
                result = Finished(task, "", "", problem_of(error))
            pipe.send(result)
