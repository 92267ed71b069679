"""The training loop, shared by all families.

    feed.batch(step) ─> task.step ─> scalars ─> reporter, TensorBoard
                          └ every so often: validate, samples, checkpoint

A batch and all random numbers of a step are functions of (seed, step), and a checkpoint holds the networks
and their optimisers, so that a resumed run equals an uninterrupted one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, distributed

from stegcli.errors import TrainingError
from stegcli.training.loop.checkpoint import Run

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG_EVERY = 50
LOG_SECONDS = 2.0
"""Seconds after which the scalars are read again: each reading waits for the device."""

PATIENCE = 3
"""Consecutive readings with a non-finite loss after which the run stops: a single bad batch is harmless."""


Networks = Mapping[str, Mapping[str, Tensor]]
"""Role ("encoder", "decoder") -> name in the torch module -> float32 weights, as in exported files."""

Batch = Mapping[str, Tensor]
"""Named tensors on the training device; pictures are uint8, (B, C, H, W)."""


class Feed(Protocol):
    """Batches as a pure function of the step, so that a resumed run sees the same as an uninterrupted one."""

    def batch(self, step: int) -> Batch:
        """Return the global batch of this step, or this process's share of it."""
        ...

    def validation(self) -> Mapping[str, list[Batch]]:
        """Return held-out batches by data set."""
        ...


class Task(Protocol):
    """A family of networks in training."""

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Do one optimisation step, including the backward pass; return named detached scalars."""
        ...

    def validate(self, batches: Mapping[str, list[Batch]]) -> dict[str, float]:
        """Return mean figures on held-out pictures, for 8-bit pixels; keys like "lfw/revealed_psnr_db"."""
        ...

    def samples(self, batch: Batch) -> dict[str, Tensor]:
        """Return named picture grids (3 or 1, H, W) in 0..1 for TensorBoard and the run's folder."""
        ...

    def begin_from(self, state: dict[str, Any]) -> None:
        """Start a new run from the state of another one of the same model."""
        ...

    def begin_from_weights(self, networks: Networks) -> None:
        """Start a new run from the networks of exported files; RuntimeError if they do not fit."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything except the pictures: networks, optimisers, pools."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        ...


class Reporter(Protocol):
    """Interface that reports progress to a person."""

    def progress(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        """Report scalars; called after every reading."""
        ...

    def validated(self, step: int, figures: Mapping[str, float]) -> None:
        """Report figures; called after every validation."""
        ...


class Plain:
    """Reports one line of text at a time."""

    def progress(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        """Print a line every 1,000 steps."""
        if step % (20 * LOG_EVERY) == 0:
            self._line(f"step {step}/{steps}", scalars)

    def validated(self, step: int, figures: Mapping[str, float]) -> None:
        """Print a line."""
        self._line(f"validation at {step}", figures)

    @staticmethod
    def _line(head: str, values: Mapping[str, float]) -> None:
        text = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        print(f"{head}: {text}", flush=True)  # noqa: T201 - this class is the reporter of plain runs


@dataclass(frozen=True)
class Plan:
    """How far a loop goes, and how often it validates and saves."""

    model: str
    recipe: dict[str, Any]
    steps: int
    validate_every: int
    checkpoint_every: int
    minutes: float | None = None
    """Minutes after which to stop with a checkpoint, to be resumed."""
    writes: bool = True
    """Whether this process writes the run's folder, as only one of several does."""


@dataclass(frozen=True)
class Outcome:
    """Result of a loop."""

    step: int
    finished: bool
    interrupted: bool
    figures: Mapping[str, float]


def fit(task: Task, feed: Feed, run: Run, plan: Plan, reporter: Reporter, start: int = 0) -> Outcome:
    """Train from step `start` to the end, the time limit, or Ctrl-C; each ends with a checkpoint.

    Raises TrainingError if the loss is not finite (the last good checkpoint stays) or memory runs out.
    """
    loop = _Loop(task, feed, run, plan, reporter, start)
    try:
        with memory_checked():
            return loop.run_steps()
    finally:
        loop.close()


@contextmanager
def memory_checked() -> Iterator[None]:
    """Turn a lack of memory, on the device or the host, into a TrainingError that says what to lower."""
    try:
        yield
    except BrokenProcessPool as error:
        raise TrainingError(
            "a process that reads pictures was killed",
            hint="the usual reason is a lack of memory: close other programs and run it again",
        ) from error
    except (torch.cuda.OutOfMemoryError, MemoryError, RuntimeError) as error:
        # On the CPU torch raises a plain RuntimeError.
        if type(error) is RuntimeError and "allocate memory" not in str(error):
            raise
        raise TrainingError(
            "memory ran out", hint="lower batch_size (--batch-size N), or crop or the widths in the recipe"
        ) from error


class _Loop:
    def __init__(self, task: Task, feed: Feed, run: Run, plan: Plan, reporter: Reporter, start: int) -> None:
        self.task, self.feed, self.run, self.plan, self.reporter = task, feed, run, plan, reporter
        self.writer = _writer(run.folder) if plan.writes else None
        self.step = start
        self.bad = 0
        self.scalars: Mapping[str, Tensor] = {}
        self.read_at = time.monotonic()
        self.figures: Mapping[str, float] = {}

    def run_steps(self) -> Outcome:
        interrupted = _is_interrupted(self._train)
        if not self._is_sound():
            raise self._not_finite()
        self._save()
        interrupted = interrupted or _is_interrupted(self._validate)
        return Outcome(self.step, self.step >= self.plan.steps, interrupted, self.figures)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()

    def _train(self) -> None:
        begun, plan = time.monotonic(), self.plan
        while self.step < plan.steps and not self._time_is_up(begun):
            self.scalars = self.task.step(self.feed.batch(self.step), self.step)
            self.step += 1
            if self._log_is_due():
                self._log(_over_processes(self.scalars))
            if self.step % plan.validate_every == 0 and self.step < plan.steps:
                self._validate()
            if self.step % plan.checkpoint_every == 0 and self._is_sound():
                self._save()

    def _time_is_up(self, begun: float) -> bool:
        if self.plan.minutes is None:
            return False
        return _in_any_process(time.monotonic() - begun > 60 * self.plan.minutes)

    def _log_is_due(self) -> bool:
        if self.step % LOG_EVERY == 0 or self.step == self.plan.steps:
            return True
        # Several processes must read at the same steps, and their clocks differ.
        return _processes() == 1 and time.monotonic() - self.read_at > LOG_SECONDS

    def _is_sound(self) -> bool:
        """Whether the last step's loss was finite, so that the state is worth a checkpoint."""
        return not self.scalars or math.isfinite(float(self.scalars["loss"]))

    def _not_finite(self) -> TrainingError:
        last = "its last good checkpoint" if self.run.checkpoint.exists() else "the start"
        return TrainingError(
            f"the loss is {float(self.scalars['loss'])} at step {self.step}",
            hint=f"{self.run.folder} keeps {last}: resume from there with a lower learning_rate",
        )

    def _log(self, scalars: Mapping[str, float]) -> None:
        self.read_at = time.monotonic()
        self.bad = 0 if math.isfinite(scalars["loss"]) else self.bad + 1
        if self.bad >= PATIENCE:
            raise self._not_finite()
        if self.writer is None:
            return
        for name, value in scalars.items():
            self.writer.add_scalar(f"train/{name}", value, self.step)
        self.reporter.progress(self.step, self.plan.steps, scalars)

    def _validate(self) -> None:
        if self.writer is None:
            return
        batches = self.feed.validation()
        self.figures = self.task.validate(batches)
        for name, value in self.figures.items():
            self.writer.add_scalar(f"validation/{name}", value, self.step)
        first = next(iter(batches.values()))[0]
        for name, grid in self.task.samples(first).items():
            self.writer.add_image(name, grid, self.step)
            self.run.save_grid(name, self.step, grid)
        self.run.write_json(figures=dict(self.figures))
        self.reporter.validated(self.step, self.figures)

    def _save(self) -> None:
        if self.plan.writes:
            self.run.save(self.plan.model, self.step, self.plan.recipe, self.task.state_dict())
            self.run.write_json(step=self.step)


def _writer(folder: Path) -> SummaryWriter:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))


def _is_interrupted(work: Callable[[], None]) -> bool:
    """Do the work; return whether Ctrl-C ended it."""
    try:
        work()
    except KeyboardInterrupt:
        return True
    return False


def _processes() -> int:
    """Return the number of processes that train together."""
    there = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if there else 1


def _summed(values: Sequence[float]) -> list[float]:
    """Return sums over the processes that train together."""
    if _processes() == 1:
        return list(values)
    sums = torch.tensor(values, device="cuda" if distributed.get_backend() == "nccl" else "cpu")
    distributed.all_reduce(sums)
    return sums.tolist()


def _in_any_process(is_so: bool) -> bool:
    """Whether it is so in any of the processes: all must stop at the same step."""
    return _summed([float(is_so)])[0] > 0


def _over_processes(scalars: Mapping[str, Tensor]) -> dict[str, float]:
    """Return means over the processes, each of which has the figures of its own rows."""
    sums = _summed([float(value) for value in scalars.values()])
    return {name: total / _processes() for name, total in zip(scalars, sums, strict=True)}
