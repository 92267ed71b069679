"""A training run's networks, and a folder of weights, among the models that are measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from desk import Desk

torch = pytest.importorskip("torch")

from accelerate import Accelerator  # noqa: E402

from stegcli.cli.train import open_run  # noqa: E402
from stegcli.errors import TrainingError  # noqa: E402
from stegcli.lab.data.pairs import Pair  # noqa: E402
from stegcli.lab.quality.hiders import ModelHider  # noqa: E402
from stegcli.lab.quality.measure import measure  # noqa: E402
from stegcli.training.config import as_table  # noqa: E402
from stegcli.training.isgan.recipe import IsganRecipe  # noqa: E402
from stegcli.training.isgan.train_step import IsganTask  # noqa: E402
from stegcli.training.loop.checkpoint import Run  # noqa: E402
from stegcli.training.paper.systems import RunHider  # noqa: E402
from stegcli.training.run import export_run  # noqa: E402

pytestmark = pytest.mark.train


def save_run(folder: Path, model: str) -> Path:
    """A run of no steps."""
    recipe = IsganRecipe(model=model, name=f"{model}-new", adversarial_steps=0)
    folder.mkdir(parents=True)
    Run(folder).save(model, 0, as_table(recipe), IsganTask(recipe, Accelerator(cpu=True)).state_dict())
    return folder


@pytest.fixture(scope="module")
def rehman(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_run(tmp_path_factory.mktemp("runs") / "rehman", "rehman")


def test_a_run_s_networks_hide_in_rgb_and_reveal_at_the_secret_s_size(rehman: Path, pair: Pair) -> None:
    hider = RunHider(rehman)
    assert hider.name == "rehman-new (step 0)"
    small = Pair("piece", pair.cover_rgb[:72, :96], pair.secret_gray[:30, :50])
    first, again = (measure(hider, small, seed, None) for seed in ("one", "two"))
    assert first.revealed_gray.shape == (30, 50)
    assert np.array_equal(first.stego_rgb, again.stego_rgb), "nothing is random"
    assert (first.stego_rgb != small.cover_rgb).any(axis=(0, 1)).all(), "all three planes carry"
    other = save_run(rehman.parent / "other", "baluja")
    assert hider.identity != RunHider(other).identity


def test_a_run_that_has_to_be_exported_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    Run(folder).save("phase", 0, {}, {})
    with pytest.raises(TrainingError, match="holds phase"):
        open_run(folder, "cpu")


def test_evaluate_takes_folders_of_runs_and_of_weights(
    desk: Desk, rehman: Path, small_photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stegcli.training.loop.export.SIZES", ((64, 64),))
    export_run(save_run(desk.folder / "run", "isgan-basic"), desk.folder / "weights", "isgan-basic-v0")
    outcome = desk.run(
        *["evaluate", "--dataset", f"folder:{small_photo_folder}", "--pairs", "1"],
        *["--models", f"phase-v1,{rehman},weights", "--report", "out.json"],
    )
    assert outcome.code == 0, outcome
    content = json.loads((desk.folder / "out.json").read_text())
    assert list(content["hiders"]) == ["phase-v1", "rehman-new (step 0)", "isgan-basic-v0"]
    assert [row["hider"] for row in content["rows"]] == list(content["hiders"])
    assert ModelHider("weights", None, "balanced", "cpu").identity == content["hiders"]["isgan-basic-v0"]
