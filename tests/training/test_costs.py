"""The learned costs: network, simulated channel, adversarial training, export."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from tiny_runs import same_state
from typer.testing import CliRunner

from stegcli.carriers.costs import hill_cost
from stegcli.carriers.phases import single
from stegcli.carriers.streams import Keys
from stegcli.errors import TrainingError, UsageError
from stegcli.lab.data.covers import covers_of, learning_and_judging
from stegcli.lab.data.photos import find, splits
from stegcli.lab.security.learned_costs import LearnedCost
from stegcli.lab.security.subjects import PhaseSubject
from stegcli.pictures import luma
from stegcli.training.__main__ import app
from stegcli.training.costs import command
from stegcli.training.costs.command import CONTRACT, CoverFeed, log_hill
from stegcli.training.costs.networks import BOUND, HALO, ColourJudge, CostNetwork
from stegcli.training.costs.simulated_channel import SimulatedChannel
from stegcli.training.costs.train_step import CostRecipe, CostTask, rewards
from stegcli.training.loop.checkpoint import Run
from stegcli.training.loop.export import TOLERANCE, Graph, parity, round_weights, to_onnx
from stegcli.training.loop.fit import Plain

pytestmark = pytest.mark.train

CPU = torch.device("cpu")
LAMBDA = 0.001


@pytest.fixture(scope="module")
def covers(tmp_path_factory, put_covers):
    return f"folder:{put_covers(tmp_path_factory.mktemp('large'), 40)}"


def tiny(covers, **changes):
    settings = {
        "steps": 4, "batch_size": 2, "crop": 32, "spreads": (4,), "judge_first": 1, "validation_covers": 4,
        "validate_every": 100, "checkpoint_every": 100, "data": {covers: 1.0},
    }  # fmt: skip
    return CostRecipe(**{**settings, **changes})


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def tensors(photograph, count=2, side=64):
    rgb = np.stack([photograph(number)[:side, :side] for number in range(count)])
    log_costs = torch.from_numpy(np.stack([log_hill(each) for each in rgb])[:, None])
    return torch.from_numpy(rgb).permute(0, 3, 1, 2), log_costs


def moved_network():
    """A network that corrects costs, as a trained one does."""
    network = CostNetwork().eval()
    with torch.no_grad():
        network.last.weight.normal_(std=0.1, generator=generator())
    round_weights(network)
    return network


def exported(network, path):
    graph = Graph("cost", network, {"planes": torch.rand(1, 2, 64, 64)}, "correction")
    path.write_bytes(to_onnx(network, graph, {**CONTRACT, "model": "tiny"}))
    return path


def test_an_untrained_network_is_hill_to_the_bit(photograph, tmp_path):
    cover, log_costs = tensors(photograph)
    planes = torch.cat([cover[:, :1].float(), log_costs], dim=1)
    assert not CostNetwork()(planes).any()
    luma_levels = photograph(1)[..., 0].astype(np.float32)
    learned = LearnedCost(str(exported(CostNetwork(), tmp_path / "cost.onnx")))(luma_levels)
    np.testing.assert_array_equal(learned, hill_cost(luma_levels))


def test_no_correction_leaves_its_bounds():
    network = moved_network()
    with torch.no_grad():
        network.last.weight.mul_(1e6)
        correction = network(255 * torch.rand(1, 2, 32, 32))
    assert correction.abs().max() <= BOUND
    assert correction.std() > 1


@pytest.mark.parametrize("spread", [2, 4, 16])
def test_the_simulated_channel_writes_as_the_channel_does(photograph, spread):
    """As many pixels change, equally expensive ones, by steps of the same sizes."""
    cover = np.concatenate([photograph(number) for number in range(8)]).clip(2, 253)
    cost = hill_cost(luma.luma_levels(cover))
    pixels, symbols = cover.reshape(-1, 3), cover.shape[0] * cover.shape[1] // spread
    targets = np.random.default_rng(0).integers(1000, size=symbols)
    subkeys = Keys(*(bytes([number]) * 32 for number in range(3)))
    real = single.write(pixels, targets, subkeys, spread=spread, lam=LAMBDA, cost=cost.reshape(-1))
    tensor = torch.from_numpy(cover).permute(2, 0, 1)[None].float()
    written = SimulatedChannel(LAMBDA, CPU).write(
        tensor, torch.from_numpy(np.log(cost))[None, None], spread, generator()
    )
    simulated = written.stego[0].permute(1, 2, 0).numpy().reshape(-1, 3)
    quarter = np.argsort(np.argsort(cost.reshape(-1), kind="stable"), kind="stable") * 4 // len(pixels)
    found = []
    for stego in (real, simulated):
        changes = (stego.astype(float) - pixels) ** 2
        changed = changes.sum(axis=1) > 0
        found.append([*(changed[quarter == part].mean() for part in range(4)), changes.mean()])
    np.testing.assert_allclose(found[1], found[0], atol=0.05)
    assert found[0][0] > 2 * found[0][1] if spread > 4 else found[0][0] > found[0][3]


def test_each_group_changes_one_pixel_at_most_and_says_which(photograph):
    cover, log_costs = tensors(photograph)
    written = SimulatedChannel(LAMBDA, CPU).write(cover.float(), log_costs, 16, generator())
    change = (written.stego - cover).flatten(2)
    assert written.pixel.shape == (2, 64 * 64 // 16)
    assert all(len(set(row.tolist())) == len(row) for row in written.pixel)
    rebuilt = torch.zeros_like(change).scatter(2, written.pixel[:, None].expand(-1, 3, -1), written.step)
    assert torch.equal(rebuilt, change)
    assert written.stego.min() >= 0
    assert written.stego.max() <= 255


def test_chances_are_those_of_the_choices():
    """One group of two pixels, of which the second is more expensive by one temperature."""
    from stegcli.training.costs.simulated_channel import TEMPERATURE

    cover = torch.full((2000, 3, 1, 2), 100.0)
    log_costs = torch.tensor([0.0, TEMPERATURE]).view(1, 1, 1, 2).expand(2000, -1, -1, -1)
    written = SimulatedChannel(LAMBDA, CPU).write(cover, log_costs, 2, generator())
    first = written.pixel == 0
    expected = torch.sigmoid(torch.tensor(1.0)).item()
    assert first.float().mean().item() == pytest.approx(expected, abs=0.03)
    assert written.log_chance[first].exp().mean().item() == pytest.approx(expected, abs=1e-5)


def test_rewards_are_what_the_loss_would_gain(photograph):
    cover, log_costs = tensors(photograph)
    written = SimulatedChannel(LAMBDA, CPU).write(cover.float(), log_costs, 4, generator())
    slope = torch.zeros_like(written.stego)
    slope[:, :, :32] = written.stego[:, :, :32] - cover[:, :, :32]  # changes above pay, those below do not
    reward, changed = rewards(written, slope)
    above = written.pixel < 32 * 64
    assert reward[changed & above].min() > reward[changed & ~above].max()
    assert not reward[~changed].any()
    torch.testing.assert_close(reward.sum(dim=1), torch.zeros(2), atol=1e-2, rtol=0)


def test_costs_rise_where_the_judge_looks(photograph, covers):
    """The reward alone, without a judge: changes in the left half are punished, and become rare."""
    recipe = tiny(covers, judge_first=0, learning_rate=3e-3)
    task = CostTask(recipe, CPU)
    cover, log_costs = tensors(photograph)
    planes = torch.cat([cover[:, :1].float(), log_costs], dim=1)
    left = torch.zeros(1, 1, 64, 64)
    left[..., :32] = 1
    planes[:, 1:] += 3 * left  # so that the halves can be told apart
    task._set_rates(recipe.steps // 2)
    for step in range(30):
        written = task.channel.write(cover.float(), log_costs + task.network(planes), 4, generator(step))
        task._costs_learn(written, -(written.stego - cover) * left)
    correction = task.network(planes)
    assert correction[..., :32].mean() > correction[..., 32:].mean() + 0.3


def test_every_weight_of_the_network_and_the_judge_learns(photograph, covers):
    task = CostTask(tiny(covers, judge_first=0, spreads=(2,)), CPU)
    with torch.no_grad():
        task.network.last.weight.normal_(std=0.01)
    before = {name: value.clone() for name, value in task.network.named_parameters()}
    judge_before = {name: value.clone() for name, value in task.judge.named_parameters()}
    cover, log_costs = tensors(photograph, count=4)
    for step in range(1, 3):
        scalars = task.step({"cover": cover, "log_hill": log_costs}, step)
    assert set(scalars) == {"loss", "error_2", "correction"}
    assert all(not torch.equal(value, before[name]) for name, value in task.network.named_parameters())
    assert all(not torch.equal(value, judge_before[name]) for name, value in task.judge.named_parameters())


def test_costs_wait_for_the_judge(photograph, covers):
    task = CostTask(tiny(covers, judge_first=3), CPU)
    cover, log_costs = tensors(photograph)
    for step in range(3):
        scalars = task.step({"cover": cover, "log_hill": log_costs}, step)
    assert float(scalars["correction"]) == 0
    assert not task.network.last.weight.any()


def test_the_judge_sees_colours_move_where_luma_stays():
    flat = torch.full((1, 3, 32, 32), 100.0)
    moved = flat.clone()
    moved[0, :, 16, 16] += torch.tensor([1.0, -1.0, 2.0])  # luma moves by 0.06
    difference = ColourJudge().residuals(moved) - ColourJudge().residuals(flat)
    assert difference.unflatten(1, (3, -1)).abs().amax(dim=(0, 2, 3, 4)).min() >= 1


def test_a_batch_is_a_function_of_its_step_and_fits_its_costs(covers):
    recipe = tiny(covers, crop=64)
    refs = {covers: covers_of(learning_and_judging(covers, None)[0], 40)}
    feed = CoverFeed(refs, recipe, CPU)
    one, again, other = feed.batch(3), feed.batch(3), feed.batch(4)
    assert torch.equal(one["cover"], again["cover"])
    assert not torch.equal(one["cover"], other["cover"])
    rgb = one["cover"][0].permute(1, 2, 0).numpy()
    inner = slice(10, -10)  # away from the crop's border, which the whole cover does not have
    np.testing.assert_allclose(
        one["log_hill"][0, 0].numpy()[inner, inner], log_hill(rgb)[inner, inner], atol=1e-4
    )


def test_what_judges_was_not_learned_from(covers):
    learned, judging = learning_and_judging(covers, None)
    keys = {ref.key for ref in learned}
    assert keys.isdisjoint(ref.key for ref in judging)
    assert len(keys) + len(judging) == len(find(covers, None))
    assert {ref.key for ref in splits(covers, None)[1]} <= {ref.key for ref in judging}


class _Impatient(Plain):
    """Ctrl-C at the first validation."""

    def validated(self, step, figures):
        raise KeyboardInterrupt


def test_a_resumed_run_is_the_uninterrupted_one(covers, tmp_path):
    recipe = tiny(covers, validate_every=2)
    whole, pieces = Run(tmp_path / "whole"), Run(tmp_path / "pieces")
    assert command.train(recipe, whole.folder, None).finished
    assert command.train(recipe, pieces.folder, None, reporter=_Impatient()).interrupted
    assert pieces.load()["step"] == 2
    assert command.train(recipe, pieces.folder, None, resumed=True).finished
    assert same_state(whole.load()["state"], pieces.load()["state"])
    assert set(whole.facts()["figures"]) == {f"{covers}/auc_hill", f"{covers}/auc_learned"}


def test_an_exported_run_gives_costs_to_the_lab(covers, tmp_path):
    command.train(tiny(covers), tmp_path / "run", None)
    words = ["costs", "--export", str(tmp_path / "run"), "--onnx", str(tmp_path / "cost.onnx")]
    outcome = CliRunner().invoke(app, words)
    assert (outcome.exit_code, outcome.output) == (0, f"{tmp_path / 'cost.onnx'}\n")
    assert "exists already" in CliRunner().invoke(app, words).output
    subject = PhaseSubject(4, "learned", cost=LearnedCost(str(tmp_path / "cost.onnx")))
    stego, sigma = subject.write(np.full((64, 64, 3), 90, np.uint8), "seed")
    assert stego.shape == (64, 64, 3)
    assert sigma < 0.1


def test_a_run_is_not_written_over(covers, tmp_path):
    command.train(tiny(covers, steps=1), tmp_path, None)
    with pytest.raises(TrainingError, match="holds a run already"):
        command.train(tiny(covers, steps=1), tmp_path, None)


def test_onnxruntime_computes_what_torch_does_and_tiles_leave_no_seam(photograph, tmp_path, monkeypatch):
    network = moved_network()
    path = exported(network, tmp_path / "cost.onnx")
    graph = Graph("cost", network, {"planes": torch.rand(1, 2, 64, 64)}, "correction")
    assert parity(network, graph, path.read_bytes()) <= TOLERANCE
    luma_levels = np.tile(photograph(2)[..., 1].astype(np.float32), (2, 2))[:191, :255]
    whole = LearnedCost(str(path))(luma_levels)
    with torch.no_grad():
        planes = np.stack([luma_levels, np.log(hill_cost(luma_levels))])[None, :, :190, :254]
        inner = network(torch.from_numpy(planes))[0, 0, :-HALO, :-HALO].numpy()
    np.testing.assert_allclose(
        np.log(whole / hill_cost(luma_levels))[: inner.shape[0], : inner.shape[1]], inner, atol=1e-3
    )
    monkeypatch.setattr("stegcli.methods.phase.costs.TILE_PIXELS", 128 * 128)
    tiled = LearnedCost(str(path))(luma_levels)
    assert HALO < 64
    np.testing.assert_allclose(tiled, whole, rtol=1e-3)
    assert np.abs(np.log(whole / hill_cost(luma_levels))).max() > 0.1


def test_other_graphs_are_refused(tmp_path):
    from importlib.resources import files

    encoder = files("stegcli.weights") / "phase-v1" / "encoder.onnx"
    (tmp_path / "encoder.onnx").write_bytes(encoder.read_bytes())
    with pytest.raises(UsageError, match="not a network of costs"):
        LearnedCost(str(tmp_path / "encoder.onnx"))(np.zeros((64, 64), np.float32))


@pytest.mark.parametrize(
    "change",
    [{"crop": 33}, {"crop": 256}, {"spreads": (1,)}, {"steps": 0}, {"data": {}}, {"judge_first": -1}],
)
def test_what_makes_no_sense_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        CostRecipe(**change)


def test_errors_are_told_plainly(tmp_path):
    outcome = CliRunner().invoke(app, ["costs", "--export", str(tmp_path)])
    assert outcome.exit_code == TrainingError.exit_code
    assert "no checkpoint" in outcome.stderr
    unclear = CliRunner().invoke(app, ["costs", "--export", str(tmp_path), "--out", str(tmp_path)])
    assert (unclear.exit_code, "give one of --out" in unclear.stderr) == (2, True)


@pytest.mark.parametrize(("room", "command"), [("detectors", "detectors"), ("paper", "reproduce")])
def test_the_rooms_commands_are_those_of_the_one_program(room, command):
    words = [sys.executable, "-m", f"stegcli.training.{room}", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    expected = CliRunner().invoke(app, [command, "--help"])
    options = (text.partition("Options:")[2] for text in (done.stdout, expected.stdout))
    told, wanted = (re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE) for text in options)
    assert told == wanted
    assert len(told) > 10
