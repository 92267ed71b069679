"""What the user sees when all goes well: results on stdout, notes and progress on stderr.

The only module that imports rich, and only for a progress bar on a terminal.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stegcli.errors import UsageError

__all__ = ["Talk", "printable", "say"]

Progress = Callable[[str, float], None]

_STAGES = {
    "load": "reading",
    "encode": "encoding the secret",
    "write": "writing it into the cover",
    "save": "saving",
    "decode": "revealing",
    "measure": "measuring",
    "features": "examining covers and stegos",
    "train": "training detectors",
}


@dataclass(frozen=True)
class Talk:
    """How a command reports on its work.

    Attributes:
        as_json: the result is one JSON object, and nothing else is printed.
        quiet: print only the result, in brief.
        verbose: also print how long each stage took, even when the result is JSON.
        aside: stdout carries a picture, so the result goes to stderr.
    """

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    aside: bool = False

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose exclude each other", "Keep one of them.")

    @property
    def is_silent(self) -> bool:
        """Whether notes and progress are unwanted."""
        return self.quiet or (self.as_json and not self.verbose)

    def result(self, values: object, lines: Iterable[str], brief: Iterable[str]) -> None:
        """Print the result: as JSON, as lines for people, or, when quiet, in brief."""
        texts = [json.dumps(values)] if self.as_json else map(printable, brief if self.quiet else lines)
        whole = "".join(f"{text}\n" for text in texts)
        stream = sys.stderr if self.aside else sys.stdout
        stream.write(whole)
        stream.flush()

    def line(self, text: str, brief: str) -> None:
        """Print one of many results as soon as it is known; when quiet, in brief or not at all."""
        shown = printable(brief) if self.quiet else text
        if shown:
            sys.stdout.write(f"{shown}\n")
            sys.stdout.flush()

    def notes(self, texts: Iterable[str]) -> None:
        """Print on stderr what the user may not expect."""
        if not self.is_silent:
            for text in texts:
                say(f"note: {text}")

    @contextmanager
    def progress(self) -> Iterator[Progress | None]:
        """A bar on stderr if that is a terminal, and, when verbose, a line for every finished stage."""
        if self.is_silent or not (self.verbose or sys.stderr.isatty()):
            yield None
            return
        stages = _Stages(say if self.verbose else None)
        if not sys.stderr.isatty():
            with stages:
                yield stages.enter
            return
        with _bar() as show, stages:

            def both(stage: str, share: float) -> None:
                stages.enter(stage, share)
                show(_STAGES.get(stage, stage), share)

            yield both

    @contextmanager
    def counting(self, total: int) -> Iterator[Callable[[bool], None]]:
        """A bar with rate and time left if stderr is a terminal, else an occasional line with both.

        Call the function that this gives once for each item, saying whether it was done before.
        """
        if self.is_silent:
            yield lambda _before: None
        elif sys.stderr.isatty():
            with _counting_bar(total) as step:
                yield step
        else:
            yield _Milestones(total).step

    @contextmanager
    def listening(self, logger_name: str) -> Iterator[None]:
        """Print what the modules below this name log, as notes."""
        logger, handler = logging.getLogger(logger_name), _Notes(self)
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)


class _Notes(logging.Handler):
    def __init__(self, talk: Talk) -> None:
        super().__init__(logging.WARNING)
        self.talk = talk

    def emit(self, record: logging.LogRecord) -> None:
        self.talk.notes([record.getMessage()])


@dataclass
class _Stages:
    """Report how long each stage took when the next one begins, and the last one at the end."""

    tell: Callable[[str], None] | None
    clock: Callable[[], float] = time.perf_counter
    current: str = field(default="", init=False)
    since: float = field(default=0.0, init=False)

    def enter(self, stage: str, _share: float) -> None:
        if stage != self.current:
            self._end()
            self.current, self.since = stage, self.clock()

    def _end(self) -> None:
        if self.current and self.tell is not None:
            seconds = self.clock() - self.since
            self.tell(f"{_STAGES.get(self.current, self.current):<28} {seconds:7.2f} s")

    def __enter__(self) -> _Stages:
        return self

    def __exit__(self, *_failure: object) -> None:
        self._end()


@dataclass
class _Milestones:
    """Say after every twentieth of the work how much is done, how fast, and how long the rest will take."""

    total: int
    clock: Callable[[], float] = time.perf_counter
    done: int = field(default=0, init=False)
    worked: int = field(default=0, init=False)
    said: int = field(default=0, init=False)
    since: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.since = self.clock()

    def step(self, before: bool) -> None:
        """Count one more item; those that were done before do not count towards the rate."""
        self.done += 1
        self.worked += not before
        milestone = _MILESTONES * self.done // self.total
        if milestone > self.said and self.worked:
            self.said = milestone
            rate = self.worked / max(self.clock() - self.since, 1e-9)
            left = (self.total - self.done) / rate
            say(f"{self.done:,} of {self.total:,}, {rate:.1f} a second, {_span(left)} left")


_MILESTONES = 20


def _span(seconds: float) -> str:
    """Hours, minutes and seconds, as a clock shows them."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


@contextmanager
def _counting_bar(total: int) -> Iterator[Callable[[bool], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Bar(
        *columns,
        console=Console(stderr=True),
        transient=True,
        speed_estimate_period=60,
        redirect_stdout=sys.stdout.isatty(),  # above the bar, if both are on one terminal; else where it goes
    ) as bar:
        task = bar.add_task("", total=total, rate="")

        def step(before: bool) -> None:
            if before:
                bar.update(task, total=(bar.tasks[0].total or 1) - 1)
                return
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            bar.update(task, advance=1, rate=f"{speed:.1f} a second" if speed else "")

        yield step


@contextmanager
def _bar() -> Iterator[Progress]:
    """A bar that disappears when the work is done."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description:<26}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)

        def show(stage: str, share: float) -> None:
            begins = bar.tasks[0].description != stage  # a short stage would be over before the next look
            bar.update(task, description=stage, completed=share, refresh=begins)

        yield show


def say(text: str) -> None:
    """One line on stderr."""
    print(printable(text), file=sys.stderr)


def printable(text: str) -> str:
    """Text on one line: control characters, which a file name may hold, are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
