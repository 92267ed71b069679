"""The bundled recipes of the picture networks: readable, valid, and the paper's where they say so."""

import pytest

torch = pytest.importorskip("torch")

from stegcli.errors import TrainingError  # noqa: E402
from stegcli.training import config  # noqa: E402
from stegcli.training.isgan.recipe import IsganRecipe  # noqa: E402
from stegcli.training.run import read_recipe  # noqa: E402

pytestmark = pytest.mark.train

NAMES = (
    "isgan-lfw",
    "isgan-photos",
    "isgan-photos-long",
    "isgan-photos-cpu",
    "isgan-adversary",
    "isgan-basic-lfw",
    "isgan-paper",
    "rehman-lfw",
    "baluja-lfw",
    "table4",
    "smoke",
)


@pytest.mark.parametrize("name", NAMES)
def test_recipes_read_and_name_themselves(name):
    recipe = read_recipe(name)
    assert isinstance(recipe, IsganRecipe)
    assert recipe.name == name
    assert config.build(IsganRecipe, config.as_table(recipe)) == recipe


def test_the_papers_recipe_has_the_papers_numbers():
    recipe = read_recipe("isgan-paper")
    epoch = 5000 // recipe.batch_size
    assert (recipe.batch_size, recipe.crop, recipe.learning_rate) == (4, 256, 1e-4)
    assert (recipe.basic_steps, recipe.adversarial_steps) == (50 * epoch, 100 * epoch)
    assert recipe.decay_from * recipe.steps == pytest.approx(20 * epoch, rel=1e-6)
    assert (recipe.loss.alpha, recipe.loss.beta, recipe.loss.gamma) == (0.5, 0.3, 0.85)
    assert recipe.muon_learning_rate == 0


def test_a_validation_of_less_than_a_pair_is_refused():
    with pytest.raises(TrainingError, match="validation_images must be at least 2"):
        config.build(IsganRecipe, {"validation_images": 1})
