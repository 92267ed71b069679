"""The same work by actors of Ray, on this machine or on a cluster.

On a cluster, its machines must have this version of stegcli, and see files that a job names under the same
names. What a job knows, a passphrase among it, is in the memory of the cluster as long as the work lasts;
whoever runs code there can read it.

Actors and not Ray Data: what kills an actor must not be tried again and again, and Data's retries cannot be
turned off.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import contextmanager, redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from stegcli.cores import cores
from stegcli.crew.base import Outcome, Reply, attempt
from stegcli.crew.processes import THREADS
from stegcli.errors import DiedError, MissingExtraError, StegError, UsageError, one_line

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from stegcli.crew.base import Crew, Job, Result, Task, Tools

__all__ = ["outcomes"]

_NO_TELEMETRY: Final = {"RAY_USAGE_STATS_ENABLED": "0"}
"""Ray tells its makers of every cluster, unless it is asked not to."""

_RAYS_THREAD: Final = "ray_listen_error_messages"


def outcomes(
    crew: Crew, job: Job[Tools, Task, Result], tasks: Iterable[Task], count: int
) -> Generator[Outcome[Task, Result]]:
    """As `Crew.outcomes`.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: there is no cluster at the address.
        StegError: no actor can begin.
    """
    waiting = enumerate(tasks)
    if count == 0 or (first := next(waiting, None)) is None:
        return
    ray = _ray()
    with _running(ray, crew, count) as most:
        staff: dict[Any, tuple[Any, tuple[int, Task]]] = {}
        job = ray.put(job)
        following: tuple[int, Task] | None = first
        while following is not None:
            actor = _started(ray, job)
            staff[actor.do.remote(following[1])] = actor, following
            following = next(waiting, None) if len(staff) < most else None
        while staff:
            (done,), _ = ray.wait(list(staff), num_returns=1)
            actor, at = staff.pop(done)
            outcome = _answer(ray, done, *at)
            following = next(waiting, None)
            if following is not None:
                actor = _started(ray, job) if isinstance(outcome.error, DiedError) else actor
                staff[actor.do.remote(following[1])] = actor, following
            yield outcome


def _started(ray: Any, job: Any) -> Any:  # noqa: ANN401 - Ray's own types
    """An actor with its tools; StegError if it cannot have them."""
    settings = {
        "num_cpus": 1,
        "max_restarts": 0,
        "max_task_retries": 0,
        "runtime_env": {"env_vars": dict.fromkeys(THREADS, "1")},
    }
    actor = ray.remote(_Actor).options(**settings).remote(str(Path.cwd()))
    problem = ray.get(actor.begin.remote(job))
    if problem is not None:
        raise problem
    return actor


def _answer(ray: Any, done: Any, number: int, task: Task) -> Outcome[Task, Any]:  # noqa: ANN401
    try:
        reply: Reply[Any] = ray.get(done)
    except ray.exceptions.RayError:
        error = DiedError(
            "the Ray actor that worked on it died",
            "A lack of memory kills processes: give fewer --workers, or smaller pictures.",
        )
        return Outcome(number, task, None, error)
    return reply.outcome(number, task)


class _Actor:
    """What one actor does; its tools are made once."""

    def __init__(self, folder: str) -> None:
        with suppress(OSError):  # where there is no such folder, relative names find nothing, and say so
            os.chdir(folder)
        self._job: Any = None
        self._tools: Any = None

    def begin(self, job: Job[Any, Any, Any]) -> StegError | None:
        """Make what all tasks share; what is wrong with that."""
        self._job = job
        try:
            self._tools = job.tools()
        except StegError as error:
            return error
        return None

    def do(self, task: Any) -> Reply[Any]:  # noqa: ANN401 - whatever the job takes
        """One task."""
        return attempt(self._job, self._tools, task)


def _ray() -> Any:  # noqa: ANN401 - the module, which need not be there
    os.environ.update(_NO_TELEMETRY)
    try:
        return import_module("ray")
    except ImportError as error:
        raise MissingExtraError(
            "the engine ray needs Ray, which is not installed", "Install it: pip install 'stegcli[ray]'"
        ) from error


@contextmanager
def _running(ray: Any, crew: Crew, count: int) -> Iterator[int]:  # noqa: ANN401
    """A cluster to work on: the one that is there, or one of this machine's own that ends with the work.

    Yields:
        how many actors it is to have.
    """
    mine = not ray.is_initialized()
    if mine:
        _join(ray, crew, count)
    try:
        there = int(ray.cluster_resources().get("CPU", 1))
        with redirect_stdout(cast("IO[str]", _WithoutRay(sys.stdout))):
            yield max(1, min(crew.workers or there, there, count))
    finally:
        if mine:
            ray.shutdown()


def _join(ray: Any, crew: Crew, count: int) -> None:  # noqa: ANN401
    address = crew.address or os.environ.get("RAY_ADDRESS")
    own = {"num_cpus": min(crew.workers or cores(), count), "include_dashboard": False}
    how = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        ray.init(address=address, **how, **({} if address else own))
    except (ConnectionError, ValueError) as error:
        if address is None:
            raise
        raise UsageError(
            f"{address}: no Ray cluster answers there ({one_line(error)})",
            "Give --address HOST:PORT of its head, or leave it out for a Ray on this machine.",
        ) from error


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
