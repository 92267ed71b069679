"""Recipes: what is accepted, what is refused, and with which message."""

from pathlib import Path

import pytest

from stegcli.errors import TrainingError
from stegcli.training import config
from stegcli.training.config import ChannelSettings, NetworkSettings, PhaseRecipe
from stegcli.training.run import read_recipe

pytestmark = pytest.mark.train


def test_a_table_becomes_a_tree_of_settings():
    recipe = config.build(
        PhaseRecipe,
        {
            "steps": 10,
            "learning_rate": 1,
            "encoder": {"widths": [8, 16], "blocks": [1, 2]},
            "channel": {"lambdas": [0.001], "gaussian_sigma": [0.02, 0.05]},
            "data": {"lfw": 2, "folder:a b": 0.5},
        },
    )
    assert recipe.steps == 10
    assert recipe.learning_rate == 1.0
    assert isinstance(recipe.learning_rate, float)
    assert recipe.encoder == NetworkSettings((8, 16), (1, 2))
    assert recipe.decoder == NetworkSettings()
    assert recipe.channel == ChannelSettings(lambdas=(0.001,), gaussian_sigma=(0.02, 0.05))
    assert recipe.data == {"lfw": 2.0, "folder:a b": 0.5}


def test_a_recipe_survives_its_own_table():
    recipe = PhaseRecipe(data={"lfw": 1.0}, seed=7)
    assert config.build(PhaseRecipe, config.as_table(recipe)) == recipe


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"step": 10}, "unknown setting step; known: .*steps"),
        ({"encoder": {"width": [1]}}, r"unknown setting encoder\.width"),
        ({"steps": "many"}, "steps must be int, not 'many'"),
        ({"steps": 1.5}, "steps must be int"),
        ({"steps": True}, "steps must be int"),
        ({"name": 3}, "name must be str"),
        ({"learning_rate": "x"}, "learning_rate must be float"),
        ({"encoder": 3}, "encoder must be a table"),
        ({"encoder": {"widths": 3}}, r"encoder\.widths must be a list"),
        ({"encoder": {"widths": ["a"]}}, r"encoder\.widths must be int"),
        ({"data": {"lfw": "x"}}, r"data\.lfw must be float"),
        ({"data": ["lfw"]}, "data must be a table"),
        ({"steps": 0}, "steps must be positive"),
        ({"crop": 100}, "crop must be a multiple of 16"),
        ({"crop": 512}, "at most 256"),
        ({"mse_share": 2.0}, "mse_share"),
        ({"data": {}}, "at least one data set"),
        ({"data": {"lfw": 0.0}}, "positive weight"),
        ({"channel": {"lambdas": []}}, r"channel\.lambdas"),
        ({"channel": {"main_share": 0.9, "other_share": 0.2}}, "main_share"),
        ({"channel": {"damage": [0.3, 0.1]}}, r"channel\.damage"),
        ({"channel": {"damage": [0.1]}}, r"channel\.damage"),
        ({"channel": {"gaussian_sigma": [0.07, 0.01]}}, r"channel\.gaussian_sigma"),
        ({"channel": {"gaussian_sigma": [0.01, 0.05, 0.07]}}, r"channel\.gaussian_sigma"),
        ({"encoder": {"widths": [8, 16], "blocks": [1]}}, "one entry per scale"),
        ({"encoder": {"widths": [8, 0], "blocks": [1, 1]}}, "positive"),
    ],
)
def test_what_makes_no_sense_is_refused(table, words):
    with pytest.raises(TrainingError, match=f"recipe: .*{words}"):
        config.build(PhaseRecipe, table)


def test_override_checks_again_and_leaves_none_alone():
    recipe = PhaseRecipe()
    assert config.override(recipe, steps=None, batch_size=3).batch_size == 3
    assert config.override(recipe, steps=None) == recipe
    with pytest.raises(TrainingError, match="batch_size must be positive"):
        config.override(recipe, batch_size=0)


@pytest.mark.parametrize("name", config.recipe_names())
def test_every_recipe_in_the_box_is_valid(name):
    assert read_recipe(name).steps > 0


def test_a_recipe_is_a_file_or_a_name(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text('model = "phase"\nsteps = 5\n', encoding="utf-8")
    assert read_recipe(file).steps == 5
    with pytest.raises(TrainingError, match="no recipe") as refused:
        read_recipe("no-such-recipe")
    assert "phase-cpu" in refused.value.hint
    with pytest.raises(TrainingError, match="no recipe"):
        read_recipe(tmp_path / "absent.toml")
    file.write_text("steps = ", encoding="utf-8")
    with pytest.raises(TrainingError, match="not valid TOML"):
        read_recipe(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TrainingError, match="not valid TOML"):
        read_recipe(file)
    file.write_text('model = "wgan"\n', encoding="utf-8")
    with pytest.raises(TrainingError, match="no model wgan"):
        read_recipe(file)
