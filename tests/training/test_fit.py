"""The loop around a task: how it ends, and what it leaves."""

import pytest
import torch

from stegcli.errors import TrainingError
from stegcli.training.loop import fit as fit_module
from stegcli.training.loop.checkpoint import Run
from stegcli.training.loop.fit import Plan, fit

pytestmark = pytest.mark.train


class Counter:
    """A task that counts its steps, and may fail at one."""

    def __init__(self, losses=(), error=None, at=None):
        self.value = torch.zeros(1)
        self.losses, self.error, self.at = losses, error, at
        self.validations = 0

    def step(self, batch, step):
        if self.error is not None and step == self.at:
            raise self.error
        self.value += 1
        return {"loss": torch.tensor(self.losses[step] if step < len(self.losses) else 1.0)}

    def validate(self, batches):
        self.validations += 1
        return {"set/psnr_db": float(self.value)}

    def samples(self, batch):
        return {"grid": torch.zeros(1, 4, 4)}

    def state_dict(self):
        return {"value": self.value.clone()}

    def load_state_dict(self, state):
        self.value = state["value"]


class NoPictures:
    def batch(self, step):
        return {}

    def validation(self):
        return {"set": [{}]}


class Notes:
    def __init__(self):
        self.steps, self.figures = [], []

    def progress(self, step, steps, scalars):
        self.steps.append(step)

    def validated(self, step, figures):
        self.figures.append((step, figures))


@pytest.fixture(autouse=True)
def _read_every_step(monkeypatch):
    monkeypatch.setattr(fit_module, "LOG_EVERY", 1)


def plan(**changes):
    return Plan(
        **{"model": "m", "recipe": {}, "steps": 10, "validate_every": 4, "checkpoint_every": 3, **changes}
    )


def go(task, folder, start=0, **changes):
    notes = Notes()
    return fit(task, NoPictures(), Run(folder), plan(**changes), notes, start), notes


def test_a_run_to_the_end(tmp_path):
    outcome, notes = go(Counter(), tmp_path)
    assert (outcome.step, outcome.finished, outcome.interrupted) == (10, True, False)
    assert outcome.figures == {"set/psnr_db": 10.0}
    assert notes.steps == list(range(1, 11))
    assert [step for step, _ in notes.figures] == [4, 8, 10]
    content = Run(tmp_path).load("m")
    assert content["step"] == 10
    assert content["state"]["value"] == 10
    assert Run(tmp_path).facts()["step"] == 10
    assert {path.name for path in (tmp_path / "samples").iterdir()} == {
        f"grid-{n:06}.png" for n in (4, 8, 10)
    }
    assert list(tmp_path.glob("events.*"))
    assert not list(tmp_path.glob(".checkpoint*")), "no temporary file stays"


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    outcome, notes = go(Counter(), tmp_path, start=10)
    assert outcome.finished
    assert notes.steps == []


def test_ctrl_c_keeps_what_was_learned(tmp_path):
    outcome, _ = go(Counter(error=KeyboardInterrupt(), at=5), tmp_path)
    assert (outcome.step, outcome.finished, outcome.interrupted) == (5, False, True)
    content = Run(tmp_path).load("m")
    assert (content["step"], float(content["state"]["value"])) == (5, 5)


def test_a_time_limit_pauses(tmp_path):
    outcome, _ = go(Counter(), tmp_path, minutes=0.0)
    assert (outcome.finished, outcome.interrupted) == (False, False)
    assert Run(tmp_path).load("m")["step"] == outcome.step < 10


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    losses = [1.0] * 4 + [float("nan")] * 6
    with pytest.raises(TrainingError, match="the loss is nan at step 7") as stopped:
        go(Counter(losses), tmp_path)
    assert "learning_rate" in stopped.value.hint
    assert Run(tmp_path).load("m")["step"] == 3


def test_one_bad_batch_is_no_disaster(tmp_path):
    losses = [1.0, float("inf"), float("nan"), 1.0, 1.0, float("nan")]
    outcome, _ = go(Counter(losses), tmp_path)
    assert outcome.finished


@pytest.mark.parametrize("changes", [{"steps": 6}, {"steps": 20, "minutes": 60.0}])
def test_nothing_bad_is_saved_at_the_end_or_at_ctrl_c(tmp_path, changes):
    losses = [1.0] * 5 + [float("nan")]
    task = Counter(losses, KeyboardInterrupt(), at=6)
    with pytest.raises(TrainingError, match="step 6"):
        go(task, tmp_path, **changes)
    assert Run(tmp_path).load("m")["step"] == 3


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        MemoryError(),
    ],
)
def test_out_of_memory_says_what_to_lower(tmp_path, error):
    with pytest.raises(TrainingError, match="memory ran out") as stopped:
        go(Counter(error=error, at=4), tmp_path)
    assert "--batch-size" in stopped.value.hint
    assert Run(tmp_path).load("m")["step"] == 3


def test_other_errors_are_bugs_and_stay_so(tmp_path):
    with pytest.raises(RuntimeError, match="shapes"):
        go(Counter(error=RuntimeError("shapes cannot be multiplied"), at=1), tmp_path)


def test_slow_steps_are_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(fit_module, "LOG_EVERY", 50)
    _, notes = go(Counter(), tmp_path)
    assert notes.steps == [10]
    monkeypatch.setattr(fit_module, "LOG_SECONDS", -1.0)
    _, notes = go(Counter(), tmp_path)
    assert notes.steps == list(range(1, 11))


def test_plain_reports_are_lines(capsys):
    plain = fit_module.Plain()
    for step in (50, 1000):
        plain.progress(step, 2000, {"loss": 0.123456})
    plain.validated(2000, {"lfw/psnr_db": 40.0})
    assert capsys.readouterr().out.splitlines() == [
        "step 1000/2000: loss 0.1235",
        "validation at 2000: lfw/psnr_db 40",
    ]
