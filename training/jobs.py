"""The list of trainings (campaign.toml), and the folder that records how far each job is.

STATE/JOB/       a run's folder (stegcli.training.loop.checkpoint), or the tables of a job that measures
STATE/JOB.zip    what comes back from a lent machine (stegcli.training.pack)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from stegcli.errors import TrainingError, UsageError
from stegcli.training import config, pack, run
from stegcli.training.loop.checkpoint import Run

DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Job:
    """One job in the list. It trains by a recipe, or measures, or waits for a tool."""

    name: str
    """Name of the job and of its folder."""
    done_when: str
    """Requirement in words; `goals` are the part of it that the run's own validation can check."""
    recipe: str = ""
    changes: dict[str, object] = field(default_factory=dict)
    """Settings that replace those of the recipe."""
    begins_with: str = ""
    """An earlier job's name, or a model's id; empty to start from scratch."""
    minutes: float = 0.0
    """Minutes on an H100: an estimate for a training; for a job that measures, what it needs to start."""
    goals: dict[str, float] = field(default_factory=dict)
    """Name of a validation figure, such as "imagenet/stego_psnr_db" -> its required least value."""
    devices: tuple[str, ...] = DEVICES
    """Devices on which it makes sense."""
    measures: tuple[str, ...] = ()
    """Arguments of `stegcli.training.paper`, with "{name}" for the folder of another job."""
    waits_for: str = ""
    """A tool that does not exist yet; such a job is listed and never started."""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.recipe, self.measures, self.waits_for))) != 1:
            raise ValueError(f"{self.name}: give one of recipe, measures and waits_for")
        if not self.devices or not set(self.devices) <= set(DEVICES):
            raise ValueError(f"{self.name}: devices are {' and '.join(DEVICES)}, or one of them")

    @property
    def needs(self) -> set[str]:
        """What it starts from or measures: names of jobs, or of models that come with the program."""
        measured = {word[1:-1] for word in self.measures if word.startswith("{")}
        return measured | ({self.begins_with} if self.begins_with else set())


@dataclass(frozen=True)
class Campaign:
    """The list, in order."""

    jobs: tuple[Job, ...]

    def __post_init__(self) -> None:
        names = [job.name for job in self.jobs]
        if len(names) != len(set(names)):
            raise ValueError("two jobs have the same name")
        for place, job in enumerate(self.jobs):
            if late := job.needs & set(names[place:]):
                raise ValueError(f"{job.name} needs {', '.join(sorted(late))}, which must come before it")

    def named(self, name: str) -> Job:
        """Return the job with that name; UsageError if there is none."""
        for job in self.jobs:
            if job.name == name:
                return job
        raise UsageError(f"there is no job {name}", f"one of {', '.join(job.name for job in self.jobs)}")


def read(path: Path | None = None) -> Campaign:
    """Read the list in `path`, or the one that is installed with the program.

    Raises:
        TrainingError: it cannot be read, is not TOML, or holds invalid settings.
    """
    source = resources.files("stegcli.training") / "campaign.toml" if path is None else path
    try:
        content = source.read_bytes()
    except OSError as error:
        raise TrainingError(f"{source} cannot be read: {error.strerror}", "name a campaign's file") from error
    return config.build(Campaign, config.parse_table(content, f"campaign {source}"), "campaign")


def recipe_of(job: Job) -> run.Recipe:
    """Return the job's recipe, with its changes, under the job's name."""
    table = {**config.read_table(job.recipe), **job.changes, "name": job.name}
    return config.build(run.recipe_kind(str(table.get("model"))), table, f"recipe of job {job.name}")


@dataclass(frozen=True)
class State:
    """The folder of a campaign."""

    folder: Path

    def place(self, name: str) -> Path:
        """Return a job's folder, unpacked if only its pack is here."""
        place = self.folder / name
        if not place.exists() and self.packed(name).is_file():
            pack.unpack(self.packed(name), place)
        return place

    def packed(self, name: str) -> Path:
        """Return the path of a job's pack."""
        return self.folder / f"{name}.zip"

    def facts(self, name: str) -> Mapping[str, object]:
        """Return what run.json says about a job; empty if it was never started."""
        return Run(self.place(name)).facts()

    def is_done(self, name: str) -> bool:
        """Whether a job has trained to the end of its recipe, or measured everything."""
        return self.facts(name).get("finished") is True


def missing(job: Job, campaign: Campaign, state: State) -> set[str]:
    """Return the jobs that must be done before this one can start."""
    return {
        other.name for other in campaign.jobs if other.name in job.needs and not state.is_done(other.name)
    }


def check_ready(job: Job, campaign: Campaign, state: State) -> None:
    """Raise a UsageError for a job that cannot start because it waits for a tool or for other jobs."""
    before = ", ".join(sorted(missing(job, campaign, state)))
    if job.waits_for or before:
        raise UsageError(
            f"{job.name} waits for {job.waits_for or before}",
            "`--list` says how far each job is; leave --job out to work on the next one that can begin.",
        )


def next_job(campaign: Campaign, state: State, device: str, minutes: float) -> Job | None:
    """Return the first unfinished job that can be worked on, on this device and in that many minutes."""
    for job in campaign.jobs:
        fits = device in job.devices and (not job.measures or job.minutes <= minutes)
        ready = fits and not job.waits_for and not missing(job, campaign, state)
        if ready and not state.is_done(job.name):
            return job
    return None
