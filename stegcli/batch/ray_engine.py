"""A batch on Ray: the same work by actors, on this machine or on a cluster.

Where RAY_ADDRESS names a cluster, its machines must see the files under the same names. The passphrase is in
the memory of the cluster as long as the batch runs; whoever runs code there can read it.

Actors and not Ray Data: what kills an actor must not be tried again and again, and Data's retries cannot be
turned off.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, Final, cast

from stegcli.batch.work import Finished, problem_of
from stegcli.errors import MissingExtraError, StegError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from stegcli.batch.work import Task, Work

__all__ = ["finished_by"]

_NO_TELEMETRY: Final = {"RAY_USAGE_STATS_ENABLED": "0"}
"""Ray tells its makers of every cluster, unless it is asked not to."""

_RAYS_THREAD: Final = "ray_listen_error_messages"

_DIED: Final = {
    "kind": "died",
    "message": "the Ray actor that worked on it died",
    "hint": "A lack of memory kills processes: give fewer --workers, or smaller pictures.",
}


def finished_by(count: int, work: Work, tasks: Iterable[Task]) -> Generator[Finished]:
    """As `workers.finished_by`, by `count` actors.

    Raises:
        MissingExtraError: Ray is not installed.
        StegError: no actor can begin.
    """
    waiting = iter(tasks)
    first = next(waiting, None)
    if first is None:
        return
    ray = _ray()
    with _running(ray, count):
        crew: dict[Any, tuple[Any, Task]] = {}
        task: Task | None = first
        while task is not None and len(crew) < count:
            actor = _hired(ray, work)
            crew[actor.do.remote(task)] = actor, task
            task = next(waiting, None) if len(crew) < count else None
        while crew:
            (done,), _ = ray.wait(list(crew), num_returns=1)
            actor, at = crew.pop(done)
            finished = _answer(ray, done, at)
            following = next(waiting, None)
            if following is not None:
                actor = actor if finished.values is not _DIED else _hired(ray, work)
                crew[actor.do.remote(following)] = actor, following
            yield finished


def _hired(ray: Any, work: Work) -> Any:  # noqa: ANN401 - Ray's own types
    """An actor with its networks and keys; StegError if it cannot have them."""
    actor = ray.remote(_Actor).options(num_cpus=1, max_restarts=0, max_task_retries=0).remote(work)
    problem = ray.get(actor.begin.remote())
    if problem is not None:
        raise problem
    return actor


def _answer(ray: Any, done: Any, task: Task) -> Finished:  # noqa: ANN401
    try:
        finished: Finished = ray.get(done)
    except ray.exceptions.RayError:
        return Finished(task, "", "", _DIED)
    return finished


class _Actor:
    """What one actor does; its networks and keys are made once."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._tools: Any = None

    def begin(self) -> StegError | None:
        """Load what all tasks share; what is wrong with that."""
        os.environ["OMP_NUM_THREADS"] = "1"
        try:
            self._tools = self._work.tools()
        except StegError as error:
            return error
        return None

    def do(self, task: Task) -> Finished:
        """One task."""
        try:
            return self._work.do(self._tools, task)
        except Exception as error:  # noqa: BLE001 - told to whoever gave the task
            return Finished(task, "", "", problem_of(error))


def _ray() -> Any:  # noqa: ANN401 - the module, which need not be there
    os.environ.update(_NO_TELEMETRY)
    try:
        return import_module("ray")
    except ImportError as error:
        raise MissingExtraError(
            "the engine ray needs Ray, which is not installed", "Install it: pip install 'stegcli[ray]'"
        ) from error


@contextmanager
def _running(ray: Any, count: int) -> Iterator[None]:  # noqa: ANN401
    """A cluster to work on: the one that is there, or one of this machine's own that ends with the batch."""
    mine = not ray.is_initialized()
    if mine:
        there = os.environ.get("RAY_ADDRESS")
        own = {} if there else {"num_cpus": count, "include_dashboard": False}
        ray.init(address=there, log_to_driver=False, logging_level=logging.CRITICAL, **own)
    try:
        with redirect_stdout(cast("IO[str]", _WithoutRay(sys.stdout))):
            yield
    finally:
        if mine:
            ray.shutdown()


class _WithoutRay:
    """stdout for results alone: Ray prints there, from a thread of its own, that an actor died."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Nothing of Ray's."""
        if threading.current_thread().name == _RAYS_THREAD:
            return len(text)
        return self._stream.write(text)
