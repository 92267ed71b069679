"""A gradient that is not finite changes nothing, in every task that trains."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from accelerate import Accelerator  # noqa: E402
from tiny_runs import tiny_recipe  # noqa: E402

from stegcli.training import gradients  # noqa: E402
from stegcli.training.costs import train_step  # noqa: E402
from stegcli.training.detectors import curriculum, paper  # noqa: E402
from stegcli.training.detectors.networks import SRNet  # noqa: E402
from stegcli.training.isgan.layers import BatchNorm  # noqa: E402
from stegcli.training.isgan.recipe import IsganRecipe, SteganalyzerSettings  # noqa: E402
from stegcli.training.isgan.train_step import IsganTask  # noqa: E402
from stegcli.training.phase.train_step import PhaseTask  # noqa: E402

pytestmark = pytest.mark.train

SIDE = 33


def test_a_long_gradient_is_cut_and_a_broken_one_is_dropped():
    layer = torch.nn.Linear(2, 1, bias=False)
    layer.weight.grad = torch.tensor([[30.0, 40.0]])
    assert gradients.clip(layer, 5.0) == 50
    torch.testing.assert_close(layer.weight.grad, torch.tensor([[3.0, 4.0]]))
    for broken in (math.nan, math.inf):
        layer.weight.grad = torch.tensor([[broken, 1.0]])
        assert not torch.isfinite(gradients.clip(layer, 5.0))
        assert torch.equal(layer.weight.grad, torch.zeros(1, 2))


def test_a_network_without_any_gradient_has_none_to_cut():
    assert gradients.clip(torch.nn.Linear(2, 1), 1.0) == 0


def noise(planes, side, count=2):
    return torch.randint(0, 256, (count, planes, side, side), dtype=torch.uint8)


def isgan_task():
    recipe = IsganRecipe(
        basic_steps=1, adversarial_steps=3, crop=SIDE, batch_size=2, frozen_steps=0, warmup_steps=0,
        steganalyzer=SteganalyzerSettings(interval=1, warmup_steps=1, pool_size=0),
    )  # fmt: skip
    return IsganTask(recipe, Accelerator(cpu=True))


def pictures(step):
    return {"cover": noise(3, SIDE), "secret": noise(1, SIDE)}


def phase_task():
    return PhaseTask(tiny_recipe(), Accelerator(cpu=True))


def secrets(step):
    return {"secret": noise(1, 16, 4)}


def costs_task():
    recipe = train_step.CostRecipe(crop=32, batch_size=2, judge_first=0, spreads=(4,))
    return train_step.CostTask(recipe, torch.device("cpu"))


def covers(step):
    return {"cover": noise(3, 32), "log_hill": torch.rand(2, 1, 32, 32)}


TASKS = {"isgan": (isgan_task, pictures), "phase": (phase_task, secrets), "costs": (costs_task, covers)}


def is_finite(state):
    if isinstance(state, dict | list | tuple):
        return all(map(is_finite, state.values() if isinstance(state, dict) else state))
    return not isinstance(state, torch.Tensor) or bool(torch.isfinite(state).all())


@pytest.mark.parametrize("name", TASKS)
def test_a_step_whose_gradient_is_no_number_poisons_nothing(name, monkeypatch):
    make, batch = TASKS[name]
    task = make()
    clip_of_torch = torch.nn.utils.clip_grad_norm_
    broken = []

    def overflowing(parameters, *arguments, **options):
        parameters = list(parameters)
        if broken:
            next(p for p in parameters if p.grad is not None).grad.fill_(math.nan)
        return clip_of_torch(parameters, *arguments, **options)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", overflowing)
    for step in range(4):
        broken[:] = [True] if step in (1, 2) else []
        task.step(batch(step), step)
    assert is_finite(task.state_dict())


def test_a_batch_that_overflows_leaves_the_running_statistics():
    layer = BatchNorm(2)
    layer(torch.randn(4, 2, 3, 3))
    before = layer.running_mean.clone(), layer.running_var.clone()
    layer(torch.full((4, 2, 3, 3), math.inf))
    assert torch.equal(layer.running_mean, before[0])
    assert torch.equal(layer.running_var, before[1])
    layer(torch.randn(4, 2, 3, 3))
    assert not torch.equal(layer.running_mean, before[0])


def test_the_detectors_survive_a_gradient_that_is_no_number(monkeypatch):
    seen = []
    clip = gradients.clip

    def first_broken(network, limit):
        if not seen:
            next(network.parameters()).grad.fill_(math.nan)
        norm = clip(network, limit)
        seen.append(float(norm))
        return norm

    monkeypatch.setattr(gradients, "clip", first_broken)
    covers, stegos = (np.random.default_rng(s).integers(0, 256, (8, 64, 64, 3), np.uint8) for s in (1, 2))
    settings = paper.JudgeSettings(high_pass=False, minutes=0, steps=2)
    judge, _ = paper.train_judge(covers, stegos, settings)
    assert math.isnan(seen[0])
    assert is_finite(judge.state_dict())
    seen.clear()
    network = SRNet()
    optimiser = torch.optim.Adamax(network.parameters())
    stage = curriculum.StageSettings(minutes=1)
    shown = torch.randn(2, 3, 32, 32)
    curriculum._update(network, network, optimiser, shown, stage)
    assert math.isnan(seen[0])
    assert is_finite(list(network.parameters()))
