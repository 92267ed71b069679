"""What a crew is given to do, and what it gives back; the same from whichever engine."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from stegcli.errors import UsageError, one_line

__all__ = ["HERE", "Crew", "Each", "Engine", "Job", "Outcome", "Reply", "attempt"]

Engine = Literal["here", "processes", "ray"]

Tools = TypeVar("Tools")
Task = TypeVar("Task")
Result = TypeVar("Result")
Task_contra = TypeVar("Task_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)


class Job(Protocol[Tools, Task_contra, Result_co]):
    """What a worker is hired for; travels to it whole."""

    def tools(self) -> Tools:
        """What all tasks of one worker share; StegError if there is no beginning without it."""

    def do(self, tools: Tools, task: Task_contra) -> Result_co:
        """One task."""


@dataclass(frozen=True)
class Each(Generic[Task, Result]):
    """A function that needs no tools, as a job.

    Attributes:
        function: of one task; of a module's top level, to travel.
    """

    function: Callable[[Task], Result]

    def tools(self) -> None:
        """None."""

    def do(self, tools: None, task: Task) -> Result:
        """Call it."""
        del tools
        return self.function(task)


@dataclass(frozen=True)
class Outcome(Generic[Task, Result]):
    """What became of a task.

    Attributes:
        number: of the task in their order, from 0.
        task: as it was given.
        result: None if there is an error.
        error: what was raised, or DiedError.
    """

    number: int
    task: Task
    result: Result | None
    error: Exception | None = None

    def checked(self) -> Result:
        """The result; raises the error."""
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]


@dataclass(frozen=True)
class Crew:
    """Who does the work.

    Attributes:
        engine: this process, one task after another; processes of this machine; or actors of Ray.
        workers: how many; None for one for each core, of a cluster if there is one. Means nothing here.
        address: of a Ray cluster; None for the one that RAY_ADDRESS names, else one of this machine's own.
        threads: of each process. With one, sums are added in one order on every machine; None shares the
            cores of this machine out among the processes. An actor has one.
    """

    engine: Engine = "processes"
    workers: int | None = None
    address: str | None = None
    threads: int | None = 1

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"work for {self.workers} workers", "Give 1 or more.")
        if self.address is not None and self.engine != "ray":
            raise UsageError("an address without Ray", "Add --engine ray, or leave --address out.")

    def outcomes(
        self, job: Job[Tools, Task, Result], tasks: Iterable[Task], count: int
    ) -> Generator[Outcome[Task, Result]]:
        """Do tasks, and give what becomes of each as soon as it is known.

        Args:
            job: what is done with each.
            tasks: are taken as workers get free.
            count: how many there are at most: no more workers are hired.

        Raises:
            StegError: no worker can begin; what goes wrong with one task is its outcome.
            OSError: a process cannot be started at all.
        """
        return _engine(self)(self, job, tasks, count)

    def in_order(self, job: Job[Tools, Task, Result], tasks: Sequence[Task]) -> Generator[Result]:
        """Results in the order of the tasks; the first error ends it all."""
        early: dict[int, Result] = {}
        due = 0
        with closing(self.outcomes(job, tasks, len(tasks))) as outcomes:
            for outcome in outcomes:
                early[outcome.number] = outcome.checked()
                while due in early:
                    yield early.pop(due)
                    due += 1

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Generator[Result]:
        """As `in_order`, of a function of a module's top level."""
        return self.in_order(Each(function), tasks)


HERE = Crew("here")
"""No worker but this process, with all its threads."""


def _engine(crew: Crew) -> Callable[..., Generator[Outcome[Any, Any]]]:
    """Imported when it is needed: Ray need not be there."""
    if crew.engine == "here":
        return _outcomes_here
    if crew.engine == "processes":
        from stegcli.crew import processes

        return processes.outcomes
    from stegcli.crew import ray_engine

    return ray_engine.outcomes


def _outcomes_here(
    crew: Crew, job: Job[Tools, Task, Result], tasks: Iterable[Task], count: int
) -> Generator[Outcome[Task, Result]]:
    del crew, count
    tools = job.tools()
    for number, task in enumerate(tasks):
        try:
            result = job.do(tools, task)
        except Exception as error:  # noqa: BLE001 - told to whoever gave the task
            yield Outcome(number, task, None, error)
        else:
            yield Outcome(number, task, result)


@dataclass(frozen=True)
class Reply(Generic[Result]):
    """What another process answers to a task.

    Attributes:
        result: None if there is an error.
        error: what was raised.
        where: its traceback, which pickling would lose.
    """

    result: Result | None
    error: Exception | None = None
    where: str = ""

    def outcome(self, number: int, task: Task) -> Outcome[Task, Result]:
        """Of the task that it answers."""
        if self.error is not None:
            self.error.__cause__ = _ThereError(self.where)
        return Outcome(number, task, self.result, self.error)


def attempt(job: Job[Tools, Task, Result], tools: Tools, task: Task) -> Reply[Result]:
    """Do a task that another process gave; the reply is fit to travel back."""
    try:
        return Reply(job.do(tools, task))
    except Exception as error:  # noqa: BLE001 - told to whoever gave the task
        return Reply(None, _picklable(error), "".join(traceback.format_exception(error)))


class _ThereError(Exception):
    """Where in another process an error was raised: the cause of that error, for whoever debugs."""


def _picklable(error: Exception) -> Exception:
    """The error, or its text if it cannot be pickled."""
    try:
        known: Exception = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own, of a moment ago
    except Exception:  # noqa: BLE001 - whatever its class does when it is pickled
        return RuntimeError(f"{type(error).__name__}: {one_line(error)}")
    return known
