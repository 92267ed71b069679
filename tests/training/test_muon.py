"""The optimiser of the inner layers."""

import pytest
import torch

from stegcli.training.loop.muon import Muon, orthogonalise

pytestmark = pytest.mark.train


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 72), (2, 72, 8), (1, 1, 5)])
def test_singular_values_come_near_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    matrices = left @ torch.diag_embed(torch.linspace(0.1, 1, values.shape[1]).expand_as(values)) @ right
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_size_and_sign_of_the_gradient_do_not_matter():
    matrix = torch.randn(1, 6, 20, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(orthogonalise(1e4 * matrix), orthogonalise(matrix), atol=1e-4)
    assert torch.allclose(orthogonalise(-matrix), -orthogonalise(matrix), atol=1e-6)


def test_a_step_is_the_formula_applied_to_each_weight():
    generator = torch.Generator().manual_seed(2)
    shapes = [(8, 4, 3, 3), (4, 8, 3, 3), (8, 4, 3, 3)]
    weights = [torch.randn(s, generator=generator) for s in shapes]
    expected, momenta = [w.clone() for w in weights], [torch.zeros(s) for s in shapes]
    parameters = [torch.nn.Parameter(w.clone()) for w in weights]
    optimiser = Muon(parameters, 0.05, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        gradients = [torch.randn(s, generator=generator) for s in shapes]
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        for index, gradient in enumerate(gradients):
            momenta[index] = 0.9 * momenta[index] + 0.1 * gradient
            direction = 0.1 * gradient + 0.9 * momenta[index]
            rows = direction.shape[0]
            matrix = direction.reshape(1, rows, -1)
            scale = max(1.0, rows / matrix.shape[2]) ** 0.5
            step = 0.05 * scale * orthogonalise(matrix).reshape(direction.shape)
            expected[index] = (1 - 0.05 * 0.1) * expected[index] - step
    for parameter, wanted in zip(parameters, expected, strict=True):
        assert torch.allclose(parameter, wanted, atol=1e-5)


def test_parameters_without_a_gradient_stay():
    still, moving = (torch.nn.Parameter(torch.ones(4, 4)) for _ in range(2))
    moving.grad = torch.eye(4)
    Muon([still, moving], 0.1, weight_decay=0.5).step()
    assert torch.equal(still, torch.ones(4, 4))
    assert not torch.equal(moving, torch.ones(4, 4))


def test_decay_bounds_the_weights():
    parameter = torch.nn.Parameter(torch.zeros(6, 12))
    optimiser = Muon([parameter], 0.2, weight_decay=0.5)
    gradient = torch.randn(6, 12, generator=torch.Generator().manual_seed(3))
    for _ in range(200):
        parameter.grad = gradient.clone()
        optimiser.step()
    assert 1 < torch.linalg.svdvals(parameter.detach()).max() < 1.3 / 0.5
