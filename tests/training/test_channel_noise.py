"""The channel on which the codec is trained is the one that it will meet."""

import numpy as np
import pytest
import torch

from stegcli.carriers.phases import single
from stegcli.carriers.phases.choice import noise_table, wrap
from stegcli.carriers.streams import Keys
from stegcli.training.config import ChannelSettings
from stegcli.training.phase.channel_noise import ChannelNoise

pytestmark = pytest.mark.train

CPU = torch.device("cpu")
SHAPE = (64, 32, 32)


def draw(seed=1, **settings):
    return ChannelNoise(ChannelSettings(**settings), CPU).draw(*SHAPE, torch.Generator().manual_seed(seed))


def rms(error):
    return error.square().mean(dim=(1, 2, 3)).sqrt()


def test_the_table_is_what_the_writer_leaves_in_a_picture():
    keys = Keys(header=b"h" * 32, keystream=b"k" * 32, permutation=b"p" * 32)
    random = np.random.default_rng(5)
    pixels = random.integers(4, 252, (60_000, 3), dtype=np.uint8)
    targets = random.integers(0, 1000, len(pixels))
    stego = single.write(pixels, targets, keys, spread=1, lam=0.001)
    error = wrap(single.read(stego, keys, len(targets), 1) - targets) / 1000
    table = noise_table(0.001)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(np.sqrt(np.mean(table**2)), rel=0.01)
    edges = np.linspace(-0.1, 0.1, 21)
    written, tabulated = (np.histogram(e, edges)[0] / len(e) for e in (error, table))
    assert np.abs(written - tabulated).max() < 0.02


def test_sigma_is_the_tables_rms():
    noise = draw(lambdas=(0.001, 0.004), main_share=0.5, other_share=0.5, damage_share=0.0)
    known = torch.tensor([float(np.sqrt(np.mean(noise_table(lam) ** 2))) for lam in (0.001, 0.004)])
    assert torch.isclose(noise.sigma[:, None], known, rtol=1e-4).any(dim=1).all()
    assert torch.allclose(rms(noise.error), noise.sigma, rtol=0.1)
    assert (noise.damage == 0).all()
    values = torch.from_numpy(np.concatenate([noise_table(lam) for lam in (0.001, 0.004)]))
    assert torch.isin(noise.error, values).all()


def test_gaussian_noise_covers_its_range():
    noise = draw(main_share=0.0, other_share=0.0, damage_share=0.0, gaussian_sigma=(0.02, 0.06))
    assert noise.sigma.min() >= 0.02
    assert noise.sigma.max() <= 0.06
    assert noise.sigma.std() > 0.005
    assert torch.allclose(rms(noise.error), noise.sigma, rtol=0.15)


def test_the_share_destroyed_is_what_is_told():
    noise = draw(main_share=1.0, other_share=0.0, damage_share=1.0, damage=(0.1, 0.2))
    lost = (noise.error.abs() > 0.25).float().mean(
        dim=(1, 2, 3)
    ) / 0.75  # a uniform phase is beyond by 3 in 4
    assert 0.08 < lost.mean() < 0.22
    assert ((noise.damage / lost).log().std()) < 0.4, "an estimate, good to about 15 %"
    assert noise.damage.mean() == pytest.approx(float(lost.mean()), rel=0.1)
    some = draw(damage_share=0.25)
    assert 4 <= int((some.damage > 0).sum()) <= 28


def test_validation_meets_no_damage():
    noise = ChannelNoise(ChannelSettings(), CPU)
    at = noise.at(2, (3, 1, 16, 16), torch.Generator().manual_seed(0))
    assert at.error.shape == (3, 1, 16, 16)
    assert at.damage.tolist() == [0, 0, 0]
    assert at.sigma.tolist() == [float(noise.sigmas[2])] * 3


def test_a_draw_is_a_function_of_its_generator():
    for one, other in zip(draw(seed=3), draw(seed=3), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(draw(seed=3).error, draw(seed=4).error)
