"""Report the progress of a training on stderr: a bar on a terminal, otherwise a line from time to time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from stegcli.cli.report import Talk, printable, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

__all__ = ["Reporter", "TimeLeft", "figures_text", "reporting"]

LINE_SECONDS = 10.0
"""Seconds between two lines if there is no terminal."""

_SHOWN = {
    "loss": "loss",
    "psnr_db": "revealed {} dB",
    "stego_psnr_db": "stego {} dB",
    "revealed_psnr_db": "revealed {} dB",
    "adversarial_loss": "adversarial",
    "steganalyzer_accuracy_cover": "judge, covers",
    "steganalyzer_accuracy_stego": "judge, stegos",
}
"""Scalars of a step that are shown during training; TensorBoard has all of them."""


class Reporter(Protocol):
    """Interface to which the training loop reports."""

    def progress(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        """Report scalars; called after every reading."""

    def validated(self, step: int, figures: Mapping[str, float]) -> None:
        """Report figures; called after every validation."""


class TimeLeft:
    """Seconds until the last step, or until the time limit if that comes first, at the pace so far."""

    def __init__(self, minutes: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.limit = None if minutes is None else clock() + 60 * minutes
        self.first: tuple[int, float] | None = None

    def after(self, step: int, steps: int) -> float | None:
        """Return the seconds left after a step; None until a pace is known."""
        now = self.clock()
        if self.first is None:
            self.first = (step, now)
        first_step, first_time = self.first
        if step == first_step:
            return None
        left = (steps - step) * (now - first_time) / (step - first_step)
        return left if self.limit is None else max(0.0, min(left, self.limit - now))


class _Lines:
    """Plain text, for files and pipes."""

    def __init__(self, minutes: float | None) -> None:
        self.time_left = TimeLeft(minutes)
        self.told_at = -LINE_SECONDS

    def progress(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        left = self.time_left.after(step, steps)
        now = time.monotonic()
        if now - self.told_at >= LINE_SECONDS or step == steps:
            self.told_at = now
            parts = [f"step {step}/{steps}", scalars_text(scalars), _left_text(left)]
            self.say("  ".join(part for part in parts if part))

    def validated(self, step: int, figures: Mapping[str, float]) -> None:
        self.say(f"validation at step {step}: {figures_text(figures)}")

    @staticmethod
    def say(text: str) -> None:
        say(text)


class _Silent:
    def progress(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        pass

    def validated(self, step: int, figures: Mapping[str, float]) -> None:
        pass

    @staticmethod
    def say(text: str) -> None:
        pass


class _BarReporter:
    """A bar with the losses, the PSNR and the time left; what is said appears above it."""

    def __init__(self, bar: Bar, minutes: float | None) -> None:
        self.bar = bar
        self.time_left = TimeLeft(minutes)
        self.task = bar.add_task("reading the pictures", total=None, scalars="", left="")

    def progress(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        left = _left_text(self.time_left.after(step, steps))
        self.bar.update(
            self.task,
            description=f"step {step}/{steps}",
            total=steps,
            completed=step,
            scalars=scalars_text(scalars),
            left=left,
        )

    def validated(self, step: int, figures: Mapping[str, float]) -> None:
        self.say(f"validation at step {step}: {figures_text(figures)}")

    def say(self, text: str) -> None:
        self.bar.console.print(printable(text), markup=False, highlight=False)


class _ToReporter(logging.Handler):
    """Passes on what the training's modules log, such as how many pictures were found or skipped."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self.say = say

    def emit(self, record: logging.LogRecord) -> None:
        note = "note: " if record.levelno >= logging.WARNING else ""
        self.say(note + record.getMessage())


@contextmanager
def reporting(talk: Talk, minutes: float | None) -> Iterator[Reporter]:
    """Yield a reporter for the training loop, which also reports what its modules log."""
    import sys

    if talk.is_silent:
        with _logged(_Silent()) as silent:
            yield silent
    elif not sys.stderr.isatty():
        with _logged(_Lines(minutes)) as lines:
            yield lines
    else:
        with _bar() as bar, _logged(_BarReporter(bar, minutes)) as reporter:
            yield reporter


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[scalars]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=Console(stderr=True),
    )


@contextmanager
def _logged(reporter: _Lines | _Silent | _BarReporter) -> Iterator[Reporter]:
    logger = logging.getLogger("stegcli.training")
    handler, level = _ToReporter(reporter.say), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield reporter
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def scalars_text(scalars: Mapping[str, float]) -> str:
    """Return the scalars that a person follows, as one line."""
    shown = [(label, scalars[name]) for name, label in _SHOWN.items() if name in scalars]
    return "  ".join(
        label.format(f"{value:.2f}") if "{}" in label else f"{label} {value:.3g}" for label, value in shown
    )


def figures_text(figures: Mapping[str, float]) -> str:
    """Format validation figures, such as "lfw revealed PSNR 41.20 dB"."""
    return ", ".join(
        f"{name.removesuffix('_psnr_db').replace('/', ' ')} PSNR {value:.2f} dB"
        if name.endswith("_psnr_db")
        else f"{name.replace('/', ' ').replace('_', ' ')} {value:.4f}"
        for name, value in figures.items()
    )


def _left_text(seconds: float | None) -> str:
    if seconds is None:
        return ""
    hours, rest = divmod(round(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return (f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}") + " left"
