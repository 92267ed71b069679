"""Whole runs of the phase codec: trained, interrupted, resumed, exported."""

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_runs import album_recipe, same_state, tiny_recipe

from stegcli.errors import DeviceError, TrainingError
from stegcli.training import run
from stegcli.training.data import feeds
from stegcli.training.loop import fit
from stegcli.training.loop.checkpoint import Run
from stegcli.training.phase import train_step

pytestmark = pytest.mark.train

CPU = run.TrainOptions(device="cpu")


@pytest.fixture
def small_validation(monkeypatch):
    """Corners of the validation pictures, since the paper's networks take seconds for 256x256."""
    whole = feeds.PairFeed.validation

    def corners(feed):
        return {
            name: [{key: values[..., :64, :64] for key, values in part.items()} for part in parts]
            for name, parts in whole(feed).items()
        }

    monkeypatch.setattr(feeds.PairFeed, "validation", corners)


def test_resumed_equals_uninterrupted(tmp_path, album, monkeypatch):
    recipe = album_recipe(album, steps=10, mse_share=0.5)
    through = run.start(recipe, tmp_path / "through", CPU)
    assert through.finished
    step = train_step.PhaseTask.step

    def interrupted(task, batch, number):
        if number == 4:
            raise KeyboardInterrupt
        return step(task, batch, number)

    monkeypatch.setattr(train_step.PhaseTask, "step", interrupted)
    first = run.start(recipe, tmp_path / "pieces", CPU)
    monkeypatch.undo()
    assert (first.step, first.interrupted) == (4, True)
    second = run.resume(tmp_path / "pieces", CPU)
    assert (second.step, second.finished) == (10, True)
    one, other = (Run(tmp_path / name).load("phase") for name in ("through", "pieces"))
    assert same_state(one, other)
    assert second.figures == through.figures
    facts = Run(tmp_path / "pieces").facts()
    assert facts["finished"]
    assert facts["recipe"]["steps"] == 10
    assert facts["data"][f"folder:{album}"]["held_out"] == 2
    assert facts["versions"]["torch"]


def test_a_seed_is_a_run(tmp_path, album):
    states = []
    for number, seed in enumerate((1, 1, 2)):
        run.start(album_recipe(album, steps=2, seed=seed), tmp_path / str(number), CPU)
        states.append(Run(tmp_path / str(number)).load("phase")["state"])
    assert same_state(states[0], states[1])
    assert not same_state(states[0], states[2])


def test_resume_may_go_on_for_longer_but_not_as_another_model(tmp_path, album):
    folder = tmp_path / "run"
    run.start(album_recipe(album, steps=2), folder, CPU)
    assert run.recipe_of(folder) == album_recipe(album, steps=2)
    assert run.resume(folder, CPU, recipe=album_recipe(album, steps=4)).step == 4
    with pytest.raises(TrainingError, match="holds phase, not isgan"):
        run.resume(folder, CPU, recipe=run.IsganRecipe())
    with pytest.raises(TrainingError, match="does not fit the recipe"):
        run.resume(folder, CPU, recipe=album_recipe(album, encoder=phase_task_shape()))
    with pytest.raises(TrainingError, match="holds a run already"):
        run.start(album_recipe(album), folder, CPU)
    with pytest.raises(TrainingError, match="no checkpoint"):
        run.resume(tmp_path / "absent", CPU)


def phase_task_shape():
    from stegcli.training.config import NetworkSettings

    return NetworkSettings((4, 6), (1, 1))


def test_resuming_on_other_pictures_is_told(tmp_path, album, caplog):
    folder = tmp_path / "run"
    run.start(album_recipe(album, steps=1), folder, CPU)
    with caplog.at_level(logging.WARNING, "stegcli.training"):
        run.resume(folder, CPU)
        assert "not the pictures" not in caplog.text
        run.resume(folder, CPU, recipe=tiny_recipe(steps=1))
    assert "these are not the pictures that the run began with" in caplog.text


def test_another_runs_networks_are_a_beginning(tmp_path, album):
    run.start(album_recipe(album, steps=2), tmp_path / "first", CPU)
    options = run.TrainOptions(device="cpu", initial=tmp_path / "first")
    recipe = album_recipe(album, steps=1, learning_rate=1e-9, muon_learning_rate=1e-9)
    run.start(recipe, tmp_path / "second", options)
    one, other = (Run(tmp_path / name).load()["state"]["codec"] for name in ("first", "second"))
    assert all(torch.allclose(value, other[name], atol=1e-6) for name, value in one.items())


def test_a_loss_that_is_no_number(tmp_path, album, monkeypatch):
    monkeypatch.setattr(fit, "LOG_EVERY", 1)
    recipe = album_recipe(album, steps=8, checkpoint_every=2)
    update = train_step.PhaseTask._update

    def poisoned(task, plain_mse, secret, *others):
        if task.adam.state and next(iter(task.adam.state.values()))["step"] >= 3:
            secret = secret * float("nan")
        return update(task, plain_mse, secret, *others)

    monkeypatch.setattr(train_step.PhaseTask, "_update", poisoned)
    with pytest.raises(TrainingError, match="the loss is nan"):
        run.start(recipe, tmp_path / "run", CPU)
    content = Run(tmp_path / "run").load("phase")
    assert content["step"] == 2
    assert all(torch.isfinite(value).all() for value in content["state"]["codec"].values())


def test_an_interrupted_run_can_be_exported(tmp_path, album, monkeypatch):
    def stop(task, batch, number):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_step.PhaseTask, "step", stop)
    outcome = run.start(album_recipe(album), tmp_path / "run", CPU)
    assert outcome.interrupted
    errors = run.export_run(tmp_path / "run", tmp_path / "weights", "phase-short")
    assert max(errors.values()) <= 1e-4
    assert {path.name for path in (tmp_path / "weights").iterdir()} == {
        "encoder.onnx",
        "decoder.onnx",
        "manifest.toml",
    }


def test_memory_that_runs_out_before_the_first_step(tmp_path, album, monkeypatch):
    def fail(*args):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(run, "_feed", fail)
    with pytest.raises(TrainingError, match="memory ran out"):
        run.start(album_recipe(album), tmp_path / "run", CPU)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_where_there_is_none():
    with pytest.raises(DeviceError):
        run.make_accelerator("cuda")
    assert run.make_accelerator("auto").device.type == "cpu"


def test_accelerate_can_ask_for_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    assert run.make_accelerator("auto").device.type == "cpu"


@pytest.mark.usefixtures("small_validation")
def test_the_image_networks_train_in_the_same_loop(tmp_path, album):
    recipe = run.IsganRecipe(
        model="isgan-basic", adversarial_steps=0, basic_steps=2, batch_size=1, crop=33, frozen_steps=0,
        validation_images=2, data={f"folder:{album}": 1.0},
    )  # fmt: skip
    outcome = run.start(recipe, tmp_path / "run", CPU)
    assert outcome.finished
    assert f"folder:{album}/stego_psnr_db" in outcome.figures


TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


def train_alone(recipe, album, folder):
    """A run in this process -> its figures and the run."""
    (folder.parent / "recipe.toml").write_text(recipe, encoding="utf-8")
    recipe = replace(run.read_recipe(folder.parent / "recipe.toml"), data={f"folder:{album}": 1.0})
    return run.start(recipe, folder, CPU).figures, Run(folder)


def train_as_two(recipe, album, folder):
    """The same by `stegcli train` in two processes."""
    (folder.parent / "recipe.toml").write_text(recipe, encoding="utf-8")
    train = ["-m", "stegcli", "train", "--recipe", str(folder.parent / "recipe.toml"), "--device", "cpu"]
    command = [*TORCHRUN, *train, "--dataset", f"folder:{album}", "--out", str(folder), "--json"]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}  # threads of two processes would wait for each other
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=alone)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["figures"], Run(folder)


@pytest.mark.slow  # two more processes that import torch
def test_two_processes_train_one_network(tmp_path, album):
    """Rows of a batch are divided; only the noise, which each process draws for itself, differs."""
    one, _ = train_alone(RECIPE, album, tmp_path / "one")
    two, run_of_two = train_as_two(RECIPE, album, tmp_path / "two")
    for name, figure in one.items():
        assert two[name] == pytest.approx(figure, abs=0.5), name
    assert run_of_two.facts()["processes"] == 2
    assert len(list(run_of_two.folder.glob("events.*"))) == 1


def last_scalars(run):
    """The scalars that TensorBoard shows for the last step."""
    events = EventAccumulator(str(run.folder)).Reload()
    return {name: events.Scalars(name)[-1].value for name in events.Tags()["scalars"]}


@pytest.mark.slow  # two more processes that import torch
@pytest.mark.usefixtures("small_validation")
def test_two_processes_have_the_loss_of_one_with_both_their_rows(tmp_path, album):
    """No random numbers are drawn here, so only the order of sums differs.

    The losses agree to a millionth at the first step and drift apart from there, since stegos are rounded to
    8 bits: by 0.0002 of themselves after four steps, by 0.006 after a dozen. Here, after three: 0.001.
    """
    _, one = train_alone(BASIC_RECIPE, album, tmp_path / "one")
    _, two = train_as_two(BASIC_RECIPE, album, tmp_path / "two")
    assert (one.facts()["processes"], two.facts()["processes"]) == (1, 2)
    expected, found = last_scalars(one), last_scalars(two)
    for name in ("train/loss", "train/cover_loss", "train/secret_loss"):
        assert found[name] == pytest.approx(expected[name], rel=1e-3), name


RECIPE = """
model = "phase"
name = "tiny"
steps = 12
batch_size = 4
crop = 16
pages = 4
validation_images = 2
mse_share = 1.0
encoder = { widths = [4, 8], blocks = [1, 1] }
decoder = { widths = [4, 8], blocks = [1, 1] }
"""

BASIC_RECIPE = """
model = "isgan-basic"
name = "tiny"
basic_steps = 3
adversarial_steps = 0
batch_size = 2
crop = 33
warmup_steps = 2
ssim_only_steps = 2
frozen_steps = 0
validation_images = 2
"""
