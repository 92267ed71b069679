"""Turn what a user asks for into a recipe: a model's default, other data sets, another length.

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
"""Recipes that a machine without a GPU can train in minutes."""

PAGES = "pages"
PAGES_PER_PHOTOGRAPH = 0.25
"""Drawn pages per picture of the user's data sets in the phase codec's batches: a fifth of the batch."""


def choose_recipe(model: str | None, name: str | Path | None, default: str, *, cuda: bool) -> Recipe:
    """Return the recipe with a name or file, or the default one of a model.

    Args:
        model: model to train; None for that of the recipe, or else `default`.
        name: name or file of a recipe; None for the model's own.
        default: the model, if neither specifies one.
        cuda: whether the training will run on a GPU.

    Raises:
        TrainingError: no such recipe or model exists, or the recipe belongs to another model.
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
    """Return the recipe with other data sets, with the weights that it gives them (1 for new ones).

    The phase codec also gets pages (PAGES_PER_PHOTOGRAPH) unless `pages` is False.
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
    """Return the recipe with another length: stages in proportion, and warm-ups shortened with it."""
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
    """Return the steps that draw as many pictures as `epochs` passes over all training pictures."""
    pictures = sum(
        recipe.pages
        if isinstance(recipe, PhaseRecipe) and name == PAGES
        else len(datasets.splits(name, data_root)[0])
        for name in recipe.data
    )
    per_step = recipe.batch_size if isinstance(recipe, PhaseRecipe) else 2 * recipe.batch_size
    return math.ceil(epochs * pictures / per_step)
