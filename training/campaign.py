"""The campaign: a list of trainings, run one after another in pieces that fit the time on a lent machine.

    python -m stegcli.training.campaign --minutes 9 --state DIR --data-root ROOT
    python -m stegcli.training.campaign --state DIR --list

The first unfinished job in campaign.toml whose starting point exists is started or resumed; while minutes
are left, so is the next one. Each leaves DIR/JOB.zip, the only file that must be carried back, and to the
next machine. Ctrl-C ends a piece like the time limit. A relative folder:PATH in a recipe is also sought in
ROOT.

Without a GPU the same command trains slowly. To yield to other work: OMP_NUM_THREADS=1 nice -n 19 python -m
...
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from stegcli.errors import ExitCode, StegError, TrainingError
from stegcli.training import jobs, pack, run, starting
from stegcli.training.__main__ import app
from stegcli.training.jobs import Campaign, Job, State
from stegcli.training.loop.checkpoint import Run
from stegcli.training.loop.fit import Outcome

RESERVE = 0.1
"""Share of a piece reserved for the last validation, the export and the pack, at most LONGEST_RESERVE."""
LONGEST_RESERVE = 1.0
"""Largest reserve in minutes."""
LEAST_MINUTES = 0.02
"""If fewer minutes are left, no further job is started."""

LOG_SECONDS = 10.0
"""Seconds between two lines of the log."""


class Journal(logging.Handler):
    """Reporter and log handler of a job: one JSON object per line; validations and notes also on stderr."""

    def __init__(self, job: Job, file: TextIO) -> None:
        super().__init__(logging.INFO)
        self.job, self.file = job, file
        self.written = -LOG_SECONDS

    def progress(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        """Write a line every LOG_SECONDS."""
        if time.monotonic() - self.written >= LOG_SECONDS or step == steps:
            self.written = time.monotonic()
            self._write(step=step, steps=steps, **{name: float(f"{v:.5g}") for name, v in scalars.items()})

    def validated(self, step: int, figures: Mapping[str, float]) -> None:
        """Write a line for each validation."""
        self._write(step=step, figures=dict(figures))
        _say(f"{self.job.name}, step {step}: {_figures(figures, self.job.goals)}")

    def emit(self, record: logging.LogRecord) -> None:
        """Write what the training's modules log."""
        self._write(note=record.getMessage())
        _say(f"{self.job.name}: {record.getMessage()}")

    def _write(self, **values: object) -> None:
        self.file.write(json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S"), **values}) + "\n")
        self.file.flush()


@contextmanager
def journal(job: Job, place: Path) -> Iterator[Journal]:
    """Open the job's log at its end; the training's modules write into it, too."""
    place.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger("stegcli.training")
    with (place / pack.LOG).open("a", encoding="utf-8") as file:
        handler, level = Journal(job, file), logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield handler
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)


@dataclass(frozen=True)
class Piece:
    """One run of the command."""

    campaign: Campaign
    state: State
    options: run.TrainOptions
    ends: float
    """When training must end, by `time.monotonic`."""
    only: str | None = None
    """The only job to work on, if given."""

    @property
    def minutes(self) -> float:
        """Minutes left for training."""
        return max(0.0, self.ends - time.monotonic()) / 60

    def next_job(self) -> Job | None:
        """Return the next job; None if there is none that can be worked on, or no time."""
        if self.minutes < LEAST_MINUTES:
            return None
        if self.only is None:
            device = run.make_accelerator(self.options.device).device.type
            return jobs.next_job(self.campaign, self.state, device, self.minutes)
        job = self.campaign.named(self.only)
        jobs.check_ready(job, self.campaign, self.state)
        return None if self.state.is_done(job.name) else job


def work_through(piece: Piece) -> bool:
    """Work on one job after another until the time is up or nothing is left; False if Ctrl-C ended it.

    Raises:
        StegError: a training failed, or a pack would be too large. What was done before is packed.
    """
    while (job := piece.next_job()) is not None:
        _say(f"{job.name}: {piece.minutes:.1f} minutes")
        if not work(job, piece):
            return False
    return True


def work(job: Job, piece: Piece) -> bool:
    """Start or resume a job, and pack it whatever happens; False if Ctrl-C ended it."""
    place = piece.state.place(job.name)
    try:
        if job.measures:
            _measure(job, piece, place)
            return True
        return not _train(job, piece, place).interrupted
    finally:
        if (place / "run.json").exists():
            _export(place)
            size = pack.pack(place, piece.state.packed(job.name))
            _say(f"{job.name}: packed, {size / 2**20:.1f} MiB")


def _train(job: Job, piece: Piece, place: Path) -> Outcome:
    options = replace(piece.options, minutes=piece.minutes, initial=_beginning(job, piece))
    with journal(job, place) as reporter:
        if Run(place).checkpoint.exists():
            return run.resume(place, options, reporter)
        return run.start(jobs.recipe_of(job), place, options, reporter)


def _beginning(job: Job, piece: Piece) -> str | Path | None:
    """Return the run of the job from which it starts, or else a model's id."""
    if job.begins_with in {other.name for other in piece.campaign.jobs}:
        return piece.state.place(job.begins_with)
    return job.begins_with or None


def _measure(job: Job, piece: Piece, place: Path) -> None:
    """Write the job's table into its folder; an interrupted measurement starts over."""
    begun = time.monotonic()
    words = [str(piece.state.place(w[1:-1])) if w.startswith("{") else w for w in job.measures]
    root = piece.options.data_root
    places = ["--out", str(place), *([] if root is None else ["--data-root", str(root)])]
    command = ["reproduce", *words, *places, "--device", piece.options.device]
    try:
        app(command)
    except SystemExit as ended:
        if ended.code:  # the error has already been shown
            hint = "Mend what is said above, and start it again."
            raise TrainingError(f"{job.name} was not measured", hint) from None
    Run(place).write_json(finished=True, seconds_last_piece=round(time.monotonic() - begun))


def _export(place: Path) -> None:
    """Export the weights of the run in its current state, if users can have its model."""
    run_of_job = Run(place)
    if run_of_job.checkpoint.exists() and run_of_job.facts().get("model") in starting.FAMILY_OF_MODEL:
        shutil.rmtree(place / "weights", ignore_errors=True)
        run.export_run(place, place / "weights", run_of_job.model_id())


def lines(campaign: Campaign, state: State) -> Iterator[str]:
    """Yield a line for each job: done with its figures, at a step, or what it waits for."""
    width = max(len(job.name) for job in campaign.jobs)
    for job in campaign.jobs:
        yield f"{job.name:{width}}  {_standing(job, campaign, state)}"


def _standing(job: Job, campaign: Campaign, state: State) -> str:
    facts = state.facts(job.name)
    figures = facts.get("figures")
    told = _figures(figures, job.goals) if isinstance(figures, Mapping) else ""
    if facts.get("finished") is True:
        return f"done  {told}".rstrip()
    if "step" in facts:
        recipe = facts.get("recipe")
        steps = _steps(recipe) if isinstance(recipe, Mapping) else 0
        return f"at step {facts['step']} of {steps}  {told}".rstrip()
    before = sorted(jobs.missing(job, campaign, state))
    waiting = job.waits_for or (f"waiting for {', '.join(before)}" if before else "waiting")
    return f"{'waits for ' if job.waits_for else ''}{waiting}; done when {job.done_when}"


def _steps(recipe: Mapping[str, object]) -> int:
    names = ("steps",) if "steps" in recipe else ("basic_steps", "adversarial_steps")
    return sum(int(str(recipe[name])) for name in names)


def _figures(figures: Mapping[str, float], goals: Mapping[str, float]) -> str:
    """Return the figures that have goals, with the goals; all PSNRs if there are none."""
    shown = {name: goal for name, goal in goals.items() if name in figures}
    if not shown:
        return ", ".join(f"{name} {value:.2f}" for name, value in figures.items() if name.endswith("psnr_db"))
    return ", ".join(f"{name} {figures[name]:.4g} (goal {goal:.4g})" for name, goal in shown.items())


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m stegcli.training.campaign",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--state", type=Path, required=True, help="folder for the runs and packs, outside git"
    )
    parser.add_argument(
        "--minutes", type=float, default=9.0, help="length of this piece in minutes, with packing"
    )
    parser.add_argument("--data-root", type=Path, help="folder of the data sets (default: download)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--compile", action="store_true", help="compile the networks first")
    parser.add_argument("--job", help="work on this job alone (two small jobs can share a GPU)")
    parser.add_argument("--campaign", type=Path, help="list of jobs (default: the program's own)")
    parser.add_argument("--list", action="store_true", help="show how far each job is; train nothing")
    given = parser.parse_args(arguments)
    if given.minutes <= 0:
        parser.error("--minutes must be positive")
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Work through the list, or show it; return the exit code."""
    given = parse(arguments)
    try:
        campaign, state = jobs.read(given.campaign), State(given.state)
        if given.list:
            print("\n".join(lines(campaign, state)))  # noqa: T201 - a command's output
            return ExitCode.DONE
        reserve = min(RESERVE * given.minutes, LONGEST_RESERVE)
        ends = time.monotonic() + 60 * (given.minutes - reserve)
        options = run.TrainOptions(given.data_root, device=given.device, compiled=given.compile)
        done = work_through(Piece(campaign, state, options, ends, given.job))
    except StegError as error:
        _say(f"error: {error.message}\n  {error.hint}")
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return ExitCode.DONE if done else ExitCode.INTERRUPTED


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a command's talk


def interruptible() -> None:
    """Treat SIGTERM, which a time limit sends, as Ctrl-C, and SIGINT too, which a shell's jobs ignore."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    interruptible()
    sys.exit(main())
