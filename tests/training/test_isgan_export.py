"""From a run of ISGAN to files that hide and reveal."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from accelerate import Accelerator  # noqa: E402
from skimage import data  # noqa: E402

import stegcli  # noqa: E402
from stegcli.errors import TrainingError  # noqa: E402
from stegcli.methods import isgan  # noqa: E402
from stegcli.pictures import metrics  # noqa: E402
from stegcli.training.config import as_table  # noqa: E402
from stegcli.training.isgan.layers import BatchNorm  # noqa: E402
from stegcli.training.isgan.recipe import IsganRecipe  # noqa: E402
from stegcli.training.isgan.train_step import IsganTask  # noqa: E402
from stegcli.training.loop.checkpoint import Run  # noqa: E402
from stegcli.training.run import export_run  # noqa: E402

pytestmark = pytest.mark.train


def new_run(folder, model):
    """A run of no steps, with statistics as a training leaves them."""
    recipe = IsganRecipe(model=model, adversarial_steps=5 if model == "isgan" else 0)
    task = IsganTask(recipe, Accelerator(cpu=True))
    generator = torch.Generator().manual_seed(5)
    for module in task.generator.modules():
        if isinstance(module, BatchNorm):
            module.running_mean.uniform_(-0.1, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    folder.mkdir(parents=True)
    Run(folder).save(model, 0, as_table(recipe), task.state_dict())
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("isgan")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stegcli.training.loop.export.SIZES", ((64, 64), (64, 96)))
        errors = export_run(new_run(folder / "run", "isgan"), folder / "weights", "isgan-random-v0")
    assert errors.keys() == {"encoder", "decoder"}
    assert max(errors.values()) <= 1e-4
    return folder / "weights"


def test_an_export_hides_and_reveals_without_seams(weights, monkeypatch):
    cover, secret = data.astronaut()[:100, :90], data.camera()[:70, :80]
    report = stegcli.hide(cover, secret, weights=weights, model="isgan")
    revealed = stegcli.reveal(report.stego_rgb, weights=weights)
    assert np.array_equal(revealed.revealed_gray, report.revealed_gray)
    assert revealed.size == (80, 70)
    monkeypatch.setattr(isgan, "ENCODER_TILE", 70 * 70)
    monkeypatch.setattr(isgan, "DECODER_TILE", 40 * 40)
    tiled = stegcli.hide(cover, secret, weights=weights)
    differs = np.abs(tiled.stego_rgb.astype(int) - report.stego_rgb)
    assert differs.max() <= 2, "a rounding, and the header's step of blue at places of its own salt"
    assert metrics.psnr(tiled.revealed_gray, report.revealed_gray) > 50


def test_the_basic_model_exports_and_the_tables_models_do_not(tmp_path, monkeypatch):
    monkeypatch.setattr("stegcli.training.loop.export.SIZES", ((64, 64),))
    export_run(new_run(tmp_path / "basic", "isgan-basic"), tmp_path / "weights", "isgan-basic-v0")
    assert 'family = "isgan"' in (tmp_path / "weights" / "manifest.toml").read_text(encoding="utf-8")
    with pytest.raises(TrainingError, match="only serves comparison"):
        export_run(new_run(tmp_path / "rehman", "rehman"), tmp_path / "none", "rehman-v0")
