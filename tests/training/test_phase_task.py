"""One step of the codec's training, and many."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from tiny_runs import same_state, tiny_recipe

from stegcli.pictures import metrics
from stegcli.training.phase.train_step import Case, PhaseTask, _by_optimiser

pytestmark = pytest.mark.train


def task(**changes):
    return PhaseTask(tiny_recipe(**changes), Accelerator(cpu=True))


def batch(photograph, step=0, side=16, count=4):
    gray = np.stack([photograph(step * count + i)[:side, :side, 1] for i in range(count)])
    return {"secret": torch.from_numpy(gray)[:, None]}


def test_training_learns(photograph):
    trained = task(steps=40, learning_rate=5e-3, muon_learning_rate=0.03, mse_share=1.0)
    losses = [float(trained.step(batch(photograph), step)["loss"]) for step in range(40)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])


def test_scalars_and_stages(photograph):
    trained = task(steps=10, mse_share=0.5)
    first, later = (trained.step(batch(photograph), step) for step in (0, 5))
    assert set(first) == {"loss", "psnr_db", "gradient_norm", "rate"}
    for scalars in (first, later):
        assert all(v.ndim == 0 and not v.requires_grad and torch.isfinite(v) for v in scalars.values())
    mse = 10 ** (-float(first["psnr_db"]) / 10)
    assert float(first["loss"]) == pytest.approx(100 * mse, rel=0.5), "plain MSE, times 100"
    assert float(later["loss"]) == pytest.approx(-float(later["psnr_db"]) / 100 * np.log(10), abs=1e-3)


def test_the_rate_warms_up_and_falls_for_both_optimisers(photograph):
    trained = task(steps=100, warmup_steps=10)
    rates = [float(trained.step(batch(photograph), step)["rate"]) for step in (0, 9, 50, 99)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[1] > 0.97
    assert rates[2] == pytest.approx(0.5)
    assert rates[3] < 0.001
    for optimiser, base in ((trained.muon, 0.008), (trained.adam, 1e-3)):
        assert optimiser.param_groups[0]["lr"] == pytest.approx(base * rates[3])


def test_each_weight_has_one_optimiser():
    codec = task().codec
    hidden, edges = _by_optimiser(codec)
    assert len(hidden) + len(edges) == len(list(codec.parameters()))
    assert all(parameter.ndim == 4 for parameter in hidden)
    own = {id(p) for p in edges}
    assert all(id(net.unet.tail.weight) in own for net in (codec.encoder, codec.decoder))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_dropped(photograph, monkeypatch, bad):
    trained = task(muon_weight_decay=0.0, weight_decay=0.0)
    before = {name: value.clone() for name, value in trained.codec.state_dict().items()}
    parameter = next(trained.codec.parameters())
    hook = parameter.register_hook(lambda gradient: gradient * bad)
    scalars = trained.step(batch(photograph), 0)
    hook.remove()
    assert not torch.isfinite(scalars["gradient_norm"])
    assert torch.isfinite(scalars["loss"])
    for name, value in trained.codec.state_dict().items():
        assert torch.equal(value, before[name]), name
    trained.step(batch(photograph), 1)
    assert all(torch.isfinite(value).all() for value in trained.codec.state_dict().values())
    assert not torch.equal(parameter, next(iter(before.values())))


def test_a_state_is_everything(photograph):
    through, first, second = task(), task(), task()
    for step in range(4):
        through.step(batch(photograph, step), step)
    for step in range(2):
        first.step(batch(photograph, step), step)
    second.load_state_dict(first.state_dict())
    for step in range(2, 4):
        second.step(batch(photograph, step), step)
    assert same_state(through.state_dict(), second.state_dict())


def test_validation_is_measured_on_8_bit_pictures(photograph):
    trained = task()
    parts = [batch(photograph, 1, side=64, count=2), batch(photograph, 2, side=64, count=1)]
    figures = trained.validate({"photos": parts})
    expected = []
    for index, part in enumerate(parts):
        revealed = trained._reveal(part["secret"], index, Case("plain"))
        assert revealed.dtype == torch.uint8
        expected += [
            metrics.psnr(a[0].numpy(), b[0].numpy()) for a, b in zip(part["secret"], revealed, strict=True)
        ]
    assert set(figures) == {"photos/revealed_psnr_db", "photos/damaged_3_percent_psnr_db"}
    assert figures["photos/revealed_psnr_db"] == pytest.approx(np.mean(expected), abs=1e-3)
    assert trained.validate({"photos": parts}) == figures, "the same noise each time"


def test_samples_are_rows_of_secret_targets_revealed(photograph):
    ((name, grid),) = task().samples(batch(photograph, count=6)).items()
    assert name == "secret_targets_revealed"
    assert grid.shape == (1, 4 * 16, 3 * 16)
    assert grid.min() >= 0
    assert grid.max() <= 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_captured_steps_learn_what_eager_steps_learn(photograph):
    from stegcli.training.run import make_accelerator

    trained = [PhaseTask(tiny_recipe(), make_accelerator("cuda")) for _ in range(2)]
    trained[1].captures = False
    losses = []
    for each in trained:
        device_batch = {"secret": batch(photograph)["secret"].cuda()}
        losses.append([float(each.step(device_batch, step)["loss"]) for step in range(8)])
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
