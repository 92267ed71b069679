"""From what a user asks for to a recipe: the default of a model, other data sets, another length.

--model, --recipe ─> recipe ─ --dataset ─> its data ─ --epochs, --steps ─> its schedule
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from stegcli.errors import TrainingError
from stegcli.training import config
from stegcli.training.config import PhaseRecipe
from stegcli.training.data import datasets
from stegcli.training.isgan.recipe import IsganRecipe
from stegcli.training.run import Recipe, recipe_kind

DEFAULT_RECIPES = {
    "isgan": "isgan-lfw",
    "isgan-basic": "isgan-basic-lfw",
    "rehman": "rehman-lfw",
    "baluja": "baluja-lfw",
    "phase": "phase-v1",
}
CPU_RECIPES = {"phase": "phase-cpu"}
"""What a machine without a GPU can train in minutes."""

PAGES = "pages"
PAGES_PER_PHOTOGRAPH = 0.25
"""Drawn pages in a batch of the phase codec to one picture of the user's data sets: a fifth of the batch."""


def choose_recipe(model: str | None, name: str | Path | None, default: str, *, cuda: bool) -> Recipe:
    """The recipe of a name or file, or the default one of a model.

    Args:
        model: what to train; None for what the recipe says, or else `default`.
        name: a recipe's name or file; None for the model's own.
        default: the model where neither says.
        cuda: whether the training will run on a GPU.

    Raises:
        TrainingError: no such recipe or model, or the recipe is another model's.
    """
    if name is None:
        return _default_recipe(model or default, cuda=cuda)
    table = {"model": model or default, **config.read_table(name)}
    if model is not None and table["model"] != model:
        raise TrainingError(
            f"recipe {name} is for {table['model']}, not for {model}", hint=f"--model {table['model']}"
        )
    return config.build(recipe_kind(table["model"]), table)


def _default_recipe(model: str, *, cuda: bool) -> Recipe:
    kind = recipe_kind(model)
    name = DEFAULT_RECIPES[model] if cuda else CPU_RECIPES.get(model, DEFAULT_RECIPES[model])
    if name in config.recipe_names():
        return config.build(kind, config.read_table(name))
    if kind is IsganRecipe and model != "isgan":
        return IsganRecipe(model=model, name=f"{model}-defaults", adversarial_steps=0)
    return kind(model=model, name=f"{model}-defaults")


def with_data(recipe: Recipe, names: Sequence[str], *, pages: bool = True) -> Recipe:
    """The recipe with other data sets, weighted as it weights them (1 for those that it does not name).

    The phase codec gets pages beside them (PAGES_PER_PHOTOGRAPH) unless `pages` is False.
    """
    photographs = {name: recipe.data.get(name, 1.0) for name in names if name != PAGES}
    if not isinstance(recipe, PhaseRecipe):
        if PAGES in names:
            raise TrainingError("only --model phase trains on pages", hint=f"leave {PAGES} out of --dataset")
        return config.override(recipe, data=photographs)
    wanted = PAGES in names or pages
    drawn = PAGES_PER_PHOTOGRAPH * sum(photographs.values()) or 1.0
    return config.override(recipe, data={**photographs, **({PAGES: drawn} if wanted else {})})


def with_steps(recipe: Recipe, steps: int) -> Recipe:
    """The recipe at another length: stages in proportion, and warm-ups that fit a shorter one."""
    if steps < 1:
        raise TrainingError("there are no steps to train", hint="give --steps or --epochs of at least 1")
    share = min(1.0, steps / recipe.steps)
    changes: dict[str, object] = {"warmup_steps": math.ceil(share * recipe.warmup_steps)}
    if isinstance(recipe, PhaseRecipe):
        return config.override(recipe, steps=steps, **changes)
    adversarial = round(steps * recipe.adversarial_steps / recipe.steps)
    if recipe.adversarial_steps and not 0 < adversarial < steps:
        raise TrainingError(f"{steps} steps are too few for two stages", hint="give --steps 10 or more")
    judge = recipe.steganalyzer
    changes |= {
        "basic_steps": steps - adversarial,
        "adversarial_steps": adversarial,
        "ssim_only_steps": math.ceil(share * recipe.ssim_only_steps),
        "frozen_steps": int(share * recipe.frozen_steps),
        "steganalyzer": dataclasses.replace(judge, warmup_steps=math.ceil(share * judge.warmup_steps)),
    }
    return config.override(recipe, **changes)


def steps_of_epochs(recipe: Recipe, epochs: int, data_root: Path | None) -> int:
    """Steps in which as many pictures are drawn as `epochs` passes over all training pictures would."""
    pictures = sum(
        recipe.pages
        if isinstance(recipe, PhaseRecipe) and name == PAGES
        else len(datasets.splits(name, data_root)[0])
        for name in recipe.data
    )
    per_step = recipe.batch_size if isinstance(recipe, PhaseRecipe) else 2 * recipe.batch_size
    return math.ceil(epochs * pictures / per_step)
