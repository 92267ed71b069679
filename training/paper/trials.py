"""The short trainings behind tables 4 and 6: a recipe cut to a budget, and both stages in turn."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from stegcli.training import choices, config, run
from stegcli.training.isgan.recipe import IsganRecipe
from stegcli.training.isgan.train_step import IsganTask
from stegcli.training.loop.checkpoint import Run

if TYPE_CHECKING:
    from stegcli.training.paper.reproduce import Wishes

CPU_CROP, CPU_BATCH = 48, 4
"""Without a GPU: minutes must give some hundred steps."""

TIMED_STEPS = 3

VALIDATED = 2
"""Pictures that a trial's own training looks at: what counts is measured from files afterwards."""


def recipe(bundled: str, wishes: Wishes, **changes: Any) -> IsganRecipe:  # noqa: ANN401 - a recipe's settings
    """A bundled recipe with the wished data, as long as the budget allows on this device."""
    found = config.build(IsganRecipe, config.read_table(bundled))
    changes |= {"data": {wishes.dataset: 1.0}, "validation_images": VALIDATED}
    found = dataclasses.replace(found, **changes)
    if wishes.torch_device == "cpu":
        found = dataclasses.replace(found, crop=CPU_CROP, batch_size=CPU_BATCH)
    steps = wishes.steps or max(20, round(60 * wishes.budget / seconds_per_step(found, wishes.device)))
    return choices.with_steps(found, steps)  # type: ignore[return-value]


def seconds_per_step(recipe: IsganRecipe, device: str) -> float:
    """How long a generator's step takes here."""
    accelerator = run.make_accelerator(device)
    task = IsganTask(recipe, accelerator)
    shape = (recipe.batch_size, 4, recipe.crop, recipe.crop)
    noise = torch.randint(0, 256, shape, dtype=torch.uint8, device=accelerator.device)
    batch = {"cover": noise[:, :3].contiguous(), "secret": noise[:, 3:].contiguous()}
    task.step(batch, 0)["loss"].item()
    begun = time.perf_counter()
    for step in range(TIMED_STEPS):
        scalars = task.step(batch, step)
    scalars["loss"].item()  # waits for the device
    return (time.perf_counter() - begun) / TIMED_STEPS


def train(recipe: IsganRecipe, folder: Path, wishes: Wishes) -> None:
    """Train into `folder`; a run that is finished there stays, one that is not goes on."""
    options = run.TrainOptions(data_root=wishes.data_root, device=wishes.device)
    if not (folder / "checkpoint.pt").exists():
        run.start(recipe, folder, options)
    elif Run(folder).load()["step"] < run.recipe_of(folder).steps:  # type: ignore[union-attr]
        run.resume(folder, options)


def train_both_stages(folder: Path, wishes: Wishes) -> tuple[Path, Path]:
    """Runs of the basic model, and of ISGAN that went on from it against a steganalyzer, as long again."""
    basic, isgan = folder / "basic", folder / "isgan"
    first = recipe("table4", wishes, name="table6-basic")
    train(first, basic, wishes)
    if not (isgan / "checkpoint.pt").exists():
        second = dataclasses.replace(
            first, model="isgan", name="table6-isgan", basic_steps=0, adversarial_steps=first.steps,
            ssim_only_steps=0, steganalyzer=_short_judge(first),
        )  # fmt: skip
        state = Run(basic).load("isgan-basic")["state"]
        isgan.mkdir(parents=True)
        Run(isgan).save(second.model, 0, config.as_table(second), state)
    train(first, isgan, wishes)
    return basic, isgan


def _short_judge(recipe: IsganRecipe) -> Any:  # noqa: ANN401
    """The steganalyzer's settings with a head start of a tenth of the stage at most."""
    settings = recipe.steganalyzer
    return dataclasses.replace(settings, warmup_steps=min(settings.warmup_steps, recipe.steps // 10))
