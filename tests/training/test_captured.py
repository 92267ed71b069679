"""What a captured step requires of the optimisers; capturing itself needs a GPU."""

import pytest
import torch

from stegcli.training.loop.captured import CapturedStep, load_optimiser, set_rate

pytestmark = pytest.mark.train


def stepped(rate, steps=2):
    weight = torch.nn.Parameter(torch.ones(3))
    optimiser = torch.optim.Adam([weight], lr=rate)
    for _ in range(steps):
        weight.grad = torch.tensor([1.0, -2.0, 3.0])
        optimiser.step()
    return weight, optimiser


def test_a_rate_that_is_a_tensor_changes_in_its_place():
    rate = torch.tensor(0.5)
    _, optimiser = stepped(rate)
    set_rate(optimiser, 0.25)
    assert optimiser.param_groups[0]["lr"] is rate
    assert rate.item() == 0.25
    _, optimiser = stepped(0.5)
    set_rate(optimiser, 0.25)
    assert optimiser.param_groups[0]["lr"] == 0.25


def test_what_was_learned_is_loaded_and_how_to_run_stays():
    _, other = stepped(0.5)
    rate = torch.tensor(0.1)
    weight, optimiser = stepped(rate, steps=0)
    load_optimiser(optimiser, other.state_dict())
    assert optimiser.param_groups[0]["lr"] is rate
    assert optimiser.state[weight]["step"] == 2
    assert torch.equal(optimiser.state[weight]["exp_avg"], next(iter(other.state.values()))["exp_avg"])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_replayed_update_is_the_update():
    total = torch.zeros(4, device="cuda")

    def update(x):
        total.add_(x)
        return total * 2

    captured = CapturedStep(update)
    for step in range(6):
        doubled = captured(torch.full((4,), float(step), device="cuda"))
    assert doubled.tolist() == [30.0] * 4
