"""The two stages of training on pictures of 33x33: what is learned, logged, saved and resumed."""

import copy
import io
import logging

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from accelerate import Accelerator  # noqa: E402
from skimage import data  # noqa: E402

from stegcli.errors import TrainingError  # noqa: E402
from stegcli.pictures import metrics  # noqa: E402
from stegcli.training.config import build  # noqa: E402
from stegcli.training.isgan.adversary import StegoPool, Watch  # noqa: E402
from stegcli.training.isgan.recipe import IsganRecipe, SteganalyzerSettings  # noqa: E402
from stegcli.training.isgan.train_step import IsganTask  # noqa: E402

pytestmark = pytest.mark.train

SIDE = 33
TINY = {"crop": SIDE, "batch_size": 2, "frozen_steps": 0, "warmup_steps": 0, "ssim_only_steps": 2}


def recipe(**changes):
    settings = {
        **TINY,
        "basic_steps": 2,
        "adversarial_steps": 4,
        "steganalyzer": SteganalyzerSettings(interval=2, warmup_steps=1, pool_size=3),
        **changes,
    }
    return IsganRecipe(**settings)


def task(**changes):
    return IsganTask(recipe(**changes), Accelerator(cpu=True))


def batch(step, count=2, side=SIDE):
    """Crops of two photographs, a function of the step."""
    random = np.random.default_rng(step)
    rows = random.integers(0, 512 - side, (count, 4))
    covers = [data.astronaut()[a : a + side, b : b + side] for a, b, _, _ in rows]
    secrets = [data.camera()[a : a + side, b : b + side, None] for _, _, a, b in rows]
    cover, secret = (torch.from_numpy(np.stack(group)).permute(0, 3, 1, 2) for group in (covers, secrets))
    return {"cover": cover.contiguous(), "secret": secret.contiguous()}


def flat(state, prefix=""):
    """Nested state -> {path: value}."""
    items = state.items() if isinstance(state, dict) else enumerate(state)
    out = {}
    for key, value in items:
        path = f"{prefix}/{key}"
        out |= flat(value, path) if isinstance(value, dict | list) else {path: value}
    return out


def assert_same_state(a, b):
    a, b = flat(a), flat(b)
    assert a.keys() == b.keys()
    for path, value in a.items():
        same = torch.equal(value, b[path]) if isinstance(value, torch.Tensor) else value == b[path]
        assert same, path


def test_scalars_name_every_term_and_show_the_steganalyzer():
    trained = task()
    scalars = [trained.step(batch(step), step) for step in range(6)]
    basic = {f"{pair}_{term}" for pair in ("cover", "secret") for term in ("ssim", "ms_ssim", "mse", "loss")}
    basic |= {"loss", "basic_loss", "stego_psnr_db", "revealed_psnr_db", "gradient_norm", "rate"}
    told = ("loss", "accuracy_cover", "accuracy_stego", "gradient_norm", "stopped")
    judge = {f"steganalyzer_{name}" for name in told}
    assert set(scalars[0]) == basic
    assert set(scalars[2]) == basic | judge, "the steganalyzer's first step is not heard by the generator yet"
    assert set(scalars[5]) == basic | judge | {"adversarial_loss"}
    for values in scalars:
        assert all(torch.isfinite(v) and not v.requires_grad and v.ndim == 0 for v in values.values())
    assert scalars[2]["steganalyzer_gradient_norm"] > 0


def test_steganalyzer_learns_at_its_interval_only():
    trained = task(adversarial_steps=8)
    moved = []
    for step in range(10):
        before = trained.adversary.network.output.weight.clone()
        trained.step(batch(step), step)
        moved.append(not torch.equal(before, trained.adversary.network.output.weight))
    assert moved == [False, False, True, False, True, False, True, False, True, False]


@pytest.mark.parametrize("flip_labels", [True, False])
def test_the_adversarial_loss_pulls_stegos_towards_covers(flip_labels):
    trained = task(flip_labels=flip_labels)
    stego = 255 * torch.rand(2, 3, SIDE, SIDE)
    stego.requires_grad_()
    before = trained.adversary.verdict_on(stego, flip_labels=flip_labels)
    (gradient,) = torch.autograd.grad(before, stego)
    assert all(p.grad is None and p.requires_grad for p in trained.adversary.network.parameters())
    with torch.no_grad():
        network = trained.adversary.network.eval()
        nearer = stego - 5 * gradient / gradient.abs().max()
        assert network(nearer).softmax(1)[:, 0].mean() > network(stego).softmax(1)[:, 0].mean()


@pytest.mark.parametrize("model", ["isgan", "isgan-basic", "rehman"])
def test_resumed_equals_uninterrupted(model):
    stages = {} if model == "isgan" else {"basic_steps": 6, "adversarial_steps": 0}
    through, first, second = (task(model=model, frozen_steps=2, **stages) for _ in range(3))
    for step in range(6):
        through.step(batch(step), step)
    for step in range(3):
        first.step(batch(step), step)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    for step in range(3, 6):
        second.step(batch(step), step)
    assert_same_state(through.state_dict(), second.state_dict())


def test_a_basic_models_state_starts_the_second_stage():
    basic = task(model="isgan-basic", adversarial_steps=0)
    basic.step(batch(0), 0)
    adversarial = task()
    adversarial.load_state_dict(basic.state_dict())
    assert_same_state(basic.generator.state_dict(), adversarial.generator.state_dict())


def watched(covers, stegos):
    """The message of a watch after as many steps as it needs, each with these shares of correct answers."""
    watch = Watch(Accelerator(cpu=True))
    return [watch.see(torch.tensor(covers), torch.tensor(stegos)) for _ in range(Watch.STEPS)][-1]


def test_a_watch_knows_a_game_that_is_over():
    assert "has won (it recognises 100.0% of the covers and 99.5% of the stegos)" in watched(1.0, 0.995)
    assert "has collapsed (it recognises 100.0% of the covers and 0.0% of the stegos)" in watched(1.0, 0.0)
    assert "has collapsed" in watched(0.005, 1.0)
    for open_game in ((0.5, 0.5), (0.97, 0.97), (1.0, 0.9), (1.0, 0.1), (0.0, 0.0)):
        assert watched(*open_game) == ""


@pytest.mark.parametrize("end", ["has won", "has collapsed"])
def test_the_generator_goes_on_without_a_steganalyzer_that_can_teach_nothing(monkeypatch, caplog, end):
    monkeypatch.setattr(Watch, "STEPS", 2)
    trained = task(basic_steps=1, adversarial_steps=9, flip_labels=True)
    judge = trained.adversary.network

    def sure(rgb):
        """Classify every picture correctly, or as a cover: half of the pictures are stegos."""
        logits = 30 * torch.tensor([[1.0, -1.0]]).expand(len(rgb), -1).clone()
        if end == "has won":
            logits[len(rgb) // 2 :] *= -1
        return logits + 0 * judge(rgb)

    trained.adversary.learner = sure
    with caplog.at_level(logging.WARNING, "stegcli.training"):
        scalars = [trained.step(batch(step), step) for step in range(10)]
    (told,) = caplog.messages
    assert end in told
    assert "the generator continues without it" in told
    stopped = [float(values.get("steganalyzer_stopped", 0)) for values in scalars]
    last = stopped.index(1.0)
    assert stopped == [0.0] * last + [1.0] * (10 - last)
    assert "adversarial_loss" in scalars[last]
    assert not any("adversarial_loss" in values for values in scalars[last + 1 :])
    weights = copy.deepcopy(trained.adversary.network.state_dict())
    trained.step(batch(11), 10)
    assert_same_state(weights, trained.adversary.network.state_dict())
    resumed = task(basic_steps=1, adversarial_steps=9)
    resumed.load_state_dict(trained.state_dict())
    assert end in resumed.adversary.stopped


def test_last_steps_leave_the_running_statistics_alone():
    trained = task(frozen_steps=2)
    norm = trained.generator.decoder.layers[0].norm
    moved = []
    for step in range(6):
        before = norm.running_mean.clone()
        trained.step(batch(step), step)
        moved.append(not torch.equal(before, norm.running_mean))
    assert moved == [True] * 4 + [False] * 2


def test_training_learns():
    trained = task(model="isgan-basic", basic_steps=24, adversarial_steps=0, learning_rate=3e-3)
    losses = [float(trained.step(batch(0), step)["basic_loss"]) for step in range(24)]
    assert losses[-1] < 0.6 * losses[2]


def test_validation_is_measured_on_8_bit_pictures():
    trained = task()
    parts = [batch(7), batch(8, count=1)]
    figures = trained.validate({"photos": parts})
    pairs = []
    for part in parts:
        stego, revealed = trained._hide_and_reveal(part)
        for name, result in (("cover", stego), ("secret", revealed)):
            assert torch.equal(result, result.round())
            for a, b in zip(part[name], result, strict=True):
                pairs.append((name, *(np.squeeze(x.byte().permute(1, 2, 0).numpy()) for x in (a, b))))
    for name, figure in (("cover", "stego"), ("secret", "revealed")):
        psnr = np.mean([metrics.psnr(a, b) for kind, a, b in pairs if kind == name])
        ssim = np.mean([metrics.ssim(a, b) for kind, a, b in pairs if kind == name])
        assert figures[f"photos/{figure}_psnr_db"] == pytest.approx(psnr, abs=1e-3)
        assert figures[f"photos/{figure}_ssim"] == pytest.approx(ssim, abs=1e-4)
    assert 0 <= figures["photos/detection_error"] <= 1


def test_samples_are_rows_of_six():
    ((name, grid),) = task().samples(batch(0)).items()
    assert "x10" in name
    assert grid.shape == (3, 2 * SIDE, 6 * SIDE)
    assert grid.min() >= 0
    assert grid.max() <= 1


def test_pool_swaps_half_of_a_batch_once_it_is_full():
    pool = StegoPool(4)
    random = torch.Generator().manual_seed(0)
    old = torch.full((4, 3, 2, 2), 7.0)
    assert torch.equal(pool.exchange(old, random), old)
    swapped = 0
    for _ in range(25):
        pool.pictures.fill_(7)
        shown = pool.exchange(torch.full((4, 3, 2, 2), 9.0), random)
        assert set(shown.unique().tolist()) <= {7.0, 9.0}
        kept = int((shown[:, 0, 0, 0] == 9).sum())
        assert int((pool.pictures[:, 0, 0, 0] == 7).sum()) == kept, "what is shown instead is remembered"
        swapped += 4 - kept
    assert 30 < swapped < 70


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "wgan"},
        {"model": "rehman", "adversarial_steps": 5},
        {"adversarial_steps": 0},
        {"crop": 512},
        {"crop": 8},
        {"frozen_steps": 10**6},
        {"betas": [0.5]},
        {"learning_rate": 0.0},
        {"decay_from": 2.0},
        {"data": {}},
        {"unknown": 1},
        {"loss": {"alpha": 2.0}},
        {"steganalyzer": {"interval": 0}},
        {"steganalyzer": {"noisy_labels": 0.7}},
        {"steganalyzer": {"momentum": 1.0}},
        {"steganalyzer": {"pool_size": -1}},
    ],
)
def test_recipes_that_contradict_themselves_are_refused(wrong):
    with pytest.raises(TrainingError, match=r"recipe: .+"):
        build(IsganRecipe, wrong)


def test_rate_warms_up_stays_and_falls():
    run = IsganRecipe(
        basic_steps=80, adversarial_steps=20, warmup_steps=10, decay_from=0.4, final_rate=0.1, frozen_steps=0
    )
    assert run.rate(0) == pytest.approx(0.1)
    assert run.rate(9) == run.rate(40) == 1
    assert 0.1 < run.rate(70) < 1
    assert run.rate(100) == pytest.approx(0.1)
