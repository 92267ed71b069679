"""The codec's networks: shapes, size rule, and the receptive field on which tiling relies."""

import pytest
import torch

from stegcli.training.config import NetworkSettings
from stegcli.training.phase.networks import (
    SIGMA_REFERENCE,
    PhaseDecoder,
    PhaseEncoder,
    damage_condition,
    sigma_condition,
    to_phase_planes,
)

pytestmark = pytest.mark.train

SHAPES = [NetworkSettings((3, 4), (1, 1)), NetworkSettings((3, 4, 5), (2, 1, 1))]
SIGMA = torch.tensor([0.03])
NO_DAMAGE = torch.tensor([0.0])


def networks(shape):
    torch.manual_seed(0)
    return PhaseEncoder(shape).double(), PhaseDecoder(shape).double()


@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_of_any_multiple_keep_their_size(shape):
    encoder, decoder = networks(shape)
    assert shape.multiple == 2 ** len(shape.widths)
    height, width = 3 * shape.multiple, 5 * shape.multiple
    targets = encoder(torch.rand(2, 1, height, width).double(), SIGMA.expand(2))
    assert targets.shape == (2, 1, height, width)
    revealed = decoder(to_phase_planes(targets).double(), SIGMA.expand(2), NO_DAMAGE.expand(2))
    assert revealed.shape == (2, 1, height, width)
    with pytest.raises(RuntimeError):
        encoder(torch.rand(1, 1, height + shape.multiple // 2, width).double(), SIGMA)


def reach(function, planes, shape):
    """The farthest pixel in a row whose value changes the output at any place of a whole period."""
    size, centre = 2 * shape.halo + 5 * shape.multiple, shape.halo + 2 * shape.multiple
    picture = torch.rand(1, planes, shape.multiple, size).double().requires_grad_()
    output = function(picture)
    farthest = 0
    for place in range(centre, centre + shape.multiple):
        (gradient,) = torch.autograd.grad(output[0, :, :, place].sum(), picture, retain_graph=True)
        touched = gradient.abs().sum(dim=(0, 1, 2)).nonzero()[:, 0]
        farthest = max(farthest, int((touched - place).abs().max()))
    return farthest


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_beyond_the_halo_is_seen(shape):
    encoder, decoder = networks(shape)
    for function, planes in (
        (lambda x: encoder(x, SIGMA), 1),
        (lambda x: decoder(x, SIGMA, NO_DAMAGE), 2),
    ):
        farthest = reach(function, planes, shape)
        assert farthest <= shape.halo
        assert farthest > shape.halo // 2, "a halo much wider than needed costs time"
    assert shape.halo % shape.multiple == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_a_tile_gives_what_the_whole_gives(shape):
    encoder, decoder = networks(shape)
    halo, tile = shape.halo, 2 * shape.multiple
    secret = torch.rand(1, 1, 2 * halo + tile, 2 * halo + 3 * tile).double()
    whole = encoder(secret, SIGMA)
    part = encoder(secret[..., tile : 2 * halo + 2 * tile], SIGMA)
    inner = slice(halo, halo + tile)
    assert torch.allclose(
        whole[..., inner, halo + tile : halo + 2 * tile], part[..., inner, inner], atol=1e-12
    )
    planes = to_phase_planes(whole).double()
    whole = decoder(planes, SIGMA, NO_DAMAGE)
    part = decoder(planes[..., tile : 2 * halo + 2 * tile], SIGMA, NO_DAMAGE)
    assert torch.allclose(
        whole[..., inner, halo + tile : halo + 2 * tile], part[..., inner, inner], atol=1e-12
    )


def test_conditions():
    assert sigma_condition(torch.tensor([SIGMA_REFERENCE])).item() == 0
    assert sigma_condition(torch.tensor([4 * SIGMA_REFERENCE])).item() == pytest.approx(2)
    assert damage_condition(torch.tensor([0.0])).item() == 0
    assert damage_condition(torch.tensor([0.1])).item() == pytest.approx(1.66, abs=0.01)
    planes = to_phase_planes(torch.tensor([[[[0.0, 0.25, 1.0]]]]))
    assert torch.allclose(planes[0, :, 0], torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]), atol=1e-6)


@pytest.mark.parametrize(
    ("widths", "blocks"), [((4,), (1,)), ((4, 8), (1,)), ((4, 0), (1, 1)), ((4, 8), (1, 0))]
)
def test_shapes_that_make_no_network(widths, blocks):
    with pytest.raises(ValueError, match="widths and blocks"):
        NetworkSettings(widths, blocks)
