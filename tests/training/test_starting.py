"""Runs that begin with exported weights: without training, what is exported equals them bit for bit."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

torch = pytest.importorskip("torch")

from accelerate import Accelerator  # noqa: E402
from tiny_runs import album_recipe, tiny_recipe  # noqa: E402

from stegcli.errors import TrainingError  # noqa: E402
from stegcli.models import store  # noqa: E402
from stegcli.training import run, starting  # noqa: E402
from stegcli.training.config import NetworkSettings, PhaseRecipe, override  # noqa: E402
from stegcli.training.isgan import train_step  # noqa: E402
from stegcli.training.isgan.layers import BatchNorm  # noqa: E402
from stegcli.training.isgan.recipe import IsganRecipe  # noqa: E402
from stegcli.training.loop import export  # noqa: E402
from stegcli.training.loop.checkpoint import Run  # noqa: E402

pytestmark = pytest.mark.train

NO_STEP = {"device": "cpu", "minutes": 0.0}


def isgan_recipe(album, model="isgan-basic", **changes):
    settings = {
        "basic_steps": 2, "batch_size": 2, "crop": 33, "frozen_steps": 0, "ssim_only_steps": 0,
        "validation_images": 2, "data": {f"folder:{album}": 1.0},
    }  # fmt: skip
    stages = {"adversarial_steps": 1 if model == "isgan" else 0}
    return IsganRecipe(model=model, **{**settings, **stages, **changes})


def phase_v1(album):
    """The networks' part of the recipe of the bundled codec."""
    recipe = run.read_recipe("phase-v1")
    assert isinstance(recipe, PhaseRecipe)
    return override(
        recipe, data={f"folder:{album}": 1.0}, batch_size=1, crop=16, validation_images=2, pages=8
    )


RECIPES = {
    "isgan-photos-v1": isgan_recipe,
    "isgan-lfw-v1": lambda album: isgan_recipe(album, "isgan"),
    "phase-v1": phase_v1,
}


def initializers(content):
    graph = onnx.load_model_from_string(content).graph
    return {value.name: numpy_helper.to_array(value) for value in graph.initializer}


def outputs(content):
    """Output of a graph for the same arbitrary picture."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(3)
    values = {
        each.name: rng.random((1, each.shape[1], 32, 48) if len(each.shape) == 4 else (1,), np.float32) / 20
        for each in session.get_inputs()
    }
    return session.run(None, values)[0]


@pytest.mark.parametrize("model_id", RECIPES)
def test_no_step_from_weights_exports_the_same_graph(tmp_path, album, monkeypatch, model_id):
    monkeypatch.setattr(export, "SIZES", ((64, 64),))
    options = run.TrainOptions(**NO_STEP, initial=model_id)
    outcome = run.start(RECIPES[model_id](album), tmp_path / "run", options)
    assert (outcome.step, outcome.finished) == (0, False)
    run.export_run(tmp_path / "run", tmp_path / "weights", "the-same-v0")
    for role in ("encoder", "decoder"):
        before = store.find(model_id).read(role)
        after = (tmp_path / "weights" / f"{role}.onnx").read_bytes()
        old, new = initializers(before), initializers(after)
        assert old.keys() == new.keys()
        assert all(np.array_equal(value, new[name]) for name, value in old.items())
        assert np.array_equal(outputs(before), outputs(after))


def test_a_folder_of_weights_and_the_model_in_the_box_begin_the_same(tmp_path):
    files = store.find("isgan-photos-v1")
    for role in ("encoder", "decoder"):
        (tmp_path / f"{role}.onnx").write_bytes(files.read(role))
    one, other = (starting.read_weights("isgan", name) for name in (tmp_path, "isgan-photos-v1"))
    assert all(torch.equal(value, other[role][name]) for role in one for name, value in one[role].items())


@pytest.mark.parametrize("frozen", [True, False])
def test_the_first_steps_from_weights_start_at_their_quality(album, frozen):
    """Neither frozen statistics nor measured ones may discard what the weights have learned."""
    task = train_step.IsganTask(
        isgan_recipe(album, basic_steps=2, frozen_steps=2 if frozen else 0, warmup_steps=10**6),
        Accelerator(cpu=True),
    )
    starting.begin(task, "isgan-basic", "isgan-photos-v1")
    batch = real_batch(album)
    scalars = task.step(batch, 0)
    assert scalars["stego_psnr_db"] > 27
    assert scalars["revealed_psnr_db"] > 22
    bare = [m for m in task.generator.modules() if isinstance(m, BatchNorm) and (m.running_mean == 0).all()]
    assert bool(bare) == frozen
    figures = task.validate({"album": [batch]})
    fresh = train_step.IsganTask(task.recipe, Accelerator(cpu=True))
    starting.begin(fresh, "isgan-basic", "isgan-photos-v1")
    unmoved = fresh.validate({"album": [batch]})
    for name in ("album/stego_psnr_db", "album/revealed_psnr_db"):
        assert figures[name] == pytest.approx(unmoved[name], abs=0.1)


def real_batch(album):
    pool = run.feeds.load_pool(f"folder:{album}", 1.0, None, "RGB", 2)
    return run.feeds.PairFeed([pool], 4, 96, 1, torch.device("cpu")).batch(0)


def test_measured_statistics_survive_a_pause(tmp_path, album):
    recipe = isgan_recipe(album)
    run.start(recipe, tmp_path / "run", run.TrainOptions(**NO_STEP, initial="isgan-photos-v1"))
    assert Run(tmp_path / "run").load()["state"]["statistics_are_known"] is False
    run.resume(tmp_path / "run", run.TrainOptions(device="cpu"))
    assert Run(tmp_path / "run").load()["state"]["statistics_are_known"] is True


def test_a_progressive_codec_grows_from_weights(tmp_path, album):
    recipe = tiny_recipe(steps=1, data={f"folder:{album}": 1.0})
    run.start(recipe, tmp_path / "small", run.TrainOptions(device="cpu"))
    run.export_run(tmp_path / "small", tmp_path / "weights", "phase-small")
    larger = album_recipe(album, fewest_planes=8, decoder=NetworkSettings((4, 8), (1, 2)))
    run.start(larger, tmp_path / "large", run.TrainOptions(**NO_STEP, initial=tmp_path / "weights"))
    codec = Run(tmp_path / "large").load("phase")["state"]["codec"]
    small = starting.read_weights("phase", tmp_path / "weights")["decoder"]
    assert torch.equal(codec["decoder.unet.tail.weight"], small["unet.tail.weight"])


def without(folder, role, name, target):
    """A copy of a folder of weights whose graph lacks an initializer, or has it in another shape."""
    shutil.copytree(folder, target)
    (target / "manifest.toml").unlink(missing_ok=True)
    graph = onnx.load(target / f"{role}.onnx")
    found = next(value for value in graph.graph.initializer if value.name == name)
    graph.graph.initializer.remove(found)
    onnx.save(graph, target / f"{role}.onnx")
    return graph, found


def isgan_files(folder):
    folder.mkdir()
    for role in ("encoder", "decoder"):
        (folder / f"{role}.onnx").write_bytes(store.find("isgan-photos-v1").read(role))
    return folder


def test_weights_that_do_not_fit_are_told(tmp_path, album):
    recipe = isgan_recipe(album)
    cases = {
        "phase-v1": "belongs to phase, but the recipe trains isgan",
        "judge-v1": "has no encoder",
        "isgan-photos-v9": "no model",
        str(album): "cannot start from",
    }
    for initial, message in cases.items():
        with pytest.raises(TrainingError, match=message) as caught:
            starting.read_weights(recipe.model, initial)
        assert caught.value.hint
    with pytest.raises(TrainingError, match="rehman has no weights"):
        starting.read_weights("rehman", "isgan-photos-v1")


def test_initializers_that_are_missing_or_of_another_shape(tmp_path, album):
    folder = isgan_files(tmp_path / "whole")
    graph, bias = without(folder, "encoder", "blocks.0.three.bias", tmp_path / "missing")
    task = train_step.IsganTask(isgan_recipe(album), Accelerator(cpu=True))
    with pytest.raises(TrainingError, match=r"blocks\.0\.three\.bias is missing") as caught:
        starting.begin(task, "isgan-basic", tmp_path / "missing")
    assert "recipe" in caught.value.hint
    wide = numpy_helper.from_array(np.zeros(9, np.float32), bias.name)
    graph.graph.initializer.append(wide)
    onnx.save(graph, tmp_path / "missing" / "encoder.onnx")
    with pytest.raises(TrainingError, match=r"blocks\.0\.three\.bias is \(9,\), not \(8,\)"):
        starting.begin(task, "isgan-basic", tmp_path / "missing")
    with pytest.raises(TrainingError, match=r"does not fit the recipe: .* is"):
        run.start(album_recipe(album), tmp_path / "run", run.TrainOptions(device="cpu", initial="phase-v1"))
    (tmp_path / "missing" / "encoder.onnx").write_bytes(Path(__file__).read_bytes())
    with pytest.raises(TrainingError, match="is not an ONNX file"):
        starting.read_weights("isgan", tmp_path / "missing")
