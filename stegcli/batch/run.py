"""A batch from beginning to end: what is kept, who does the rest, and the results."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from stegcli.batch.journal import open_journal, read_journal
from stegcli.batch.work import Finished, Task, chosen_for, problem_of
from stegcli.crew.base import Crew
from stegcli.envelope.keys import RUN_BYTES, SALT_BYTES
from stegcli.errors import ImageError, OutputError
from stegcli.pictures.drafts import refuse_existing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from stegcli.batch.entries import Entry
    from stegcli.batch.journal import Journal
    from stegcli.batch.work import Hiding, Revealing, Work
    from stegcli.crew.base import Outcome

__all__ = ["Plan", "Result", "forecast", "hide_all", "reveal_all"]

Engine = Literal["processes", "ray"]
Status = Literal["done", "kept", "failed", "to-do"]

_INPUTS: Final = {1: ("stego",), 2: ("cover", "secret")}
_RESULT: Final = {1: "revealed", 2: "stego"}


@dataclass(frozen=True)
class Result:
    """Result of one entry.

    Attributes:
        status: done now, kept from an earlier run, or failed; in a dry run also still to do.
        entry: the entry.
        file: name of the result; empty if there is none.
        values: figures of a result, or kind, message and hint of a failure.
    """

    status: Status
    entry: Entry
    file: str
    values: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return one line of the batch's output."""
        inputs = self.entry.inputs
        named = dict(zip(_INPUTS[len(inputs)], map(str, inputs), strict=True))
        if self.status == "failed":
            return {"status": self.status, **named, "error": self.values}
        result = {_RESULT[len(inputs)]: self.file or self.entry.name}
        return {"status": self.status, **named, **self.values, **result}


@dataclass(frozen=True)
class Plan:
    """Who processes a batch, and whether earlier results count.

    Attributes:
        workers: number of processes or actors; None for one for each core.
        force: do everything again, and replace any file that has a result's name.
        engine: processes of this machine, or actors of Ray.
        address: address of a Ray cluster, as for `Crew`.
    """

    workers: int | None
    force: bool = False
    engine: Engine = "processes"
    address: str | None = None

    @property
    def crew(self) -> Crew:
        """The crew; if it has few processes, they share the cores of this machine, for large pictures."""
        return Crew(self.engine, self.workers, self.address, threads=None)


def hide_all(
    entries: Sequence[Entry], plan: Plan, work: Hiding, draw: Callable[[int], bytes] = os.urandom
) -> Iterator[Result]:
    """Hide every pair; yield results as they finish.

    Args:
        entries: result of `entries.to_hide`.
        plan: who processes the batch.
        work: settings and folder; whether salts share their first bytes is decided here.
        draw: returns that many random bytes; called for the run and then, in their order, for each entry
            that is to be done.

    Raises:
        StegError: nothing can be done at all; an error of one picture is that picture's result.
    """
    from stegcli.models.loading import Models

    method, _ = chosen_for(work.settings, Models(work.settings.weights, work.settings.device))
    if not method.has_runs:
        yield from _done(entries, plan, work, lambda: None)
        return
    run = draw(RUN_BYTES)
    yield from _done(entries, plan, replace(work, run=run), lambda: run + draw(SALT_BYTES - RUN_BYTES))


def reveal_all(entries: Sequence[Entry], plan: Plan, work: Revealing) -> Iterator[Result]:
    """Reveal from every stego; see `hide_all`."""
    return _done(entries, plan, work, lambda: None)


def forecast(entries: Sequence[Entry], plan: Plan, work: Work) -> Iterator[Result]:
    """Yield what a run would do, judging by the files alone: no picture is read, and nothing is written."""
    journal = read_journal(work.folder, work.how)
    for entry in entries:
        kept = None if plan.force else journal.kept(entry)
        if kept is not None:
            yield Result("kept", entry, kept, {})
            continue
        error = _obstacle(entry, work.folder / entry.name, plan.force or journal.owns(entry))
        yield (
            Result("to-do", entry, "", {})
            if error is None
            else Result("failed", entry, "", problem_of(error))
        )


def _obstacle(entry: Entry, out: Path, replaced: bool) -> Exception | None:
    """Return an error that can be foreseen from an entry's files, or None."""
    for path in entry.inputs:
        if not path.is_file():
            return ImageError(f"{path}: there is no such file", "Check the name.")
    try:
        refuse_existing(out, replaced, entry.inputs)
    except OutputError as error:
        return error
    return None


def _done(
    entries: Sequence[Entry], plan: Plan, work: Work, salt: Callable[[], bytes | None]
) -> Iterator[Result]:
    with open_journal(work.folder, work.how) as journal:
        left: list[Entry] = []
        for entry in entries:
            kept = None if plan.force else journal.kept(entry)
            if kept is None:
                left.append(entry)
                continue
            if not journal.is_checked:
                work.check_kept(kept)
                journal.is_checked = True
            yield Result("kept", entry, kept, {})
        tasks = (_begun(journal, entry, plan.force, salt) for entry in left)
        with closing(plan.crew.outcomes(work, tasks, len(left))) as outcomes:
            for outcome in outcomes:
                yield _noted(journal, _finished(outcome))


def _finished(outcome: Outcome[Task, Finished]) -> Finished:
    """Return the result of a task, even if it is an error."""
    if outcome.error is not None:
        return Finished(outcome.task, "", "", problem_of(outcome.error))
    return outcome.checked()


def _begun(journal: Journal, entry: Entry, force: bool, salt: Callable[[], bytes | None]) -> Task:
    """Return the task, and first record that its file is the batch's, unless a user's file is there."""
    owned = journal.owns(entry)
    if owned or force or not os.path.lexists(journal.folder / entry.name):
        journal.begin(entry)
    return Task(entry, owned or force, salt())


def _noted(journal: Journal, each: Finished) -> Result:
    entry = each.task.entry
    if not each.file:
        return Result("failed", entry, "", each.values)
    result = Result("done", entry, each.file, each.values)
    journal.finish(entry, each.file, each.sha256, result.as_json())
    return result
