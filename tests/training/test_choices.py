"""From options to a recipe."""

import pytest
from tiny_runs import tiny_recipe

from stegcli.errors import TrainingError
from stegcli.training import choices, config
from stegcli.training.isgan.recipe import IsganRecipe

pytestmark = pytest.mark.train


def test_each_model_has_a_default_that_is_its_own():
    for model in choices.DEFAULT_RECIPES:
        for cuda in (True, False):
            assert choices.choose_recipe(model, None, "isgan", cuda=cuda).model == model
    assert choices.choose_recipe(None, None, "isgan", cuda=True).model == "isgan"
    assert choices.choose_recipe("phase", None, "isgan", cuda=False).name == "phase-cpu"
    assert choices.choose_recipe("phase", None, "isgan", cuda=True).name == "phase-v1"


def test_without_its_recipe_a_model_is_trained_by_the_defaults(monkeypatch):
    monkeypatch.setattr(config, "recipe_names", list)
    for model in choices.DEFAULT_RECIPES:
        recipe = choices.choose_recipe(model, None, "isgan", cuda=True)
        assert (recipe.model, recipe.name) == (model, f"{model}-defaults")


def test_the_recipe_names_the_model_unless_the_user_does(tmp_path):
    assert choices.choose_recipe(None, "phase-cpu", "isgan", cuda=False).model == "phase"
    with pytest.raises(TrainingError, match="for phase, not for isgan"):
        choices.choose_recipe("isgan", "phase-cpu", "isgan", cuda=False)
    silent = tmp_path / "silent.toml"
    silent.write_text("seed = 3\n", encoding="utf-8")
    assert choices.choose_recipe("phase", silent, "isgan", cuda=False).model == "phase"
    assert choices.choose_recipe(None, silent, "isgan", cuda=False).model == "isgan"


def test_pages_are_a_fifth_of_the_phase_codecs_pictures():
    recipe = tiny_recipe(data={"lfw": 3.0, "pages": 9.0})
    assert choices.with_data(recipe, ["lfw", "folder:x"]).data == {"lfw": 3.0, "folder:x": 1.0, "pages": 1.0}
    assert choices.with_data(recipe, ["lfw"], pages=False).data == {"lfw": 3.0}
    assert choices.with_data(recipe, ["folder:x", "pages"], pages=False).data == {
        "folder:x": 1.0,
        "pages": 0.25,
    }
    assert choices.with_data(recipe, ["pages"]).data == {"pages": 1.0}


def test_image_networks_get_no_pages():
    recipe = IsganRecipe()
    assert choices.with_data(recipe, ["folder:x"]).data == {"folder:x": 1.0}
    with pytest.raises(TrainingError, match="pages"):
        choices.with_data(recipe, ["lfw", "pages"])


def test_another_length_keeps_the_proportions():
    short = choices.with_steps(IsganRecipe(), 50)
    assert (short.basic_steps, short.adversarial_steps, short.steps) == (40, 10, 50)
    assert short.frozen_steps == 1
    assert 0 < short.ssim_only_steps < 10
    assert choices.with_steps(IsganRecipe(), 50_000).warmup_steps == IsganRecipe().warmup_steps
    assert choices.with_steps(tiny_recipe(steps=100, warmup_steps=10), 50).warmup_steps == 5
    for steps in (0, 1):
        with pytest.raises(TrainingError):
            choices.with_steps(IsganRecipe(), steps)


def test_an_epoch_draws_as_many_pictures_as_there_are(album):
    recipe = tiny_recipe(data={f"folder:{album}": 1.0, "pages": 1.0})
    assert choices.steps_of_epochs(recipe, 3, None) == 3 * (22 + 8) / 4 + 0.5
    pairs = IsganRecipe(data={f"folder:{album}": 1.0}, batch_size=4)
    assert choices.steps_of_epochs(pairs, 2, None) == 6
