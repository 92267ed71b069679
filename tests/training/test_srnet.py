"""SRNet, its training from pairs, and the file that holds them."""

import json
import subprocess
import sys

import ledger_views
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from typer.testing import CliRunner  # noqa: E402

from stegcli.errors import TrainingError  # noqa: E402
from stegcli.lab import statistics  # noqa: E402
from stegcli.lab.data.covers import cut  # noqa: E402
from stegcli.lab.data.photos import find  # noqa: E402
from stegcli.lab.security import verdicts  # noqa: E402
from stegcli.lab.security.subjects import PhaseSubject  # noqa: E402
from stegcli.training.__main__ import app  # noqa: E402
from stegcli.training.detectors import command, curriculum, pair_file  # noqa: E402
from stegcli.training.detectors.curriculum import VIEWS, Pairs, StageSettings, scores, train_stage  # noqa: E402
from stegcli.training.detectors.networks import SRNet  # noqa: E402

pytestmark = pytest.mark.train

SPREADS = (1, 16)


@pytest.fixture(scope="module")
def large_album(tmp_path_factory, put_covers):
    return put_covers(tmp_path_factory.mktemp("large"), 20)


@pytest.fixture(scope="module")
def pair_files(large_album, tmp_path_factory):
    out = tmp_path_factory.mktemp("pairs") / "pairs.npz"
    outcome = CliRunner().invoke(
        app,
        ["detectors", "--prepare", str(out), "--dataset", f"folder:{large_album}", "--spreads", "16,1",
         "--workers", "1", "--megabytes", "0.6"],
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.output
    return sorted(out.parent.iterdir())


def test_srnet_has_the_papers_layers():
    network = SRNet().eval()
    sizes = []
    for layer in (network.first, *network.blocks):
        layer.register_forward_hook(lambda _m, _i, out: sizes.append(tuple(out.shape[1:])))
    with torch.no_grad():
        assert network(255 * torch.rand(1, 3, 64, 96)).shape == (1, 2)
    plain = [(64, 64, 96)] + 6 * [(16, 64, 96)]
    halved = [(16, 32, 48), (64, 16, 24), (128, 8, 12), (256, 4, 6)]
    assert sizes == [*plain, *halved, (512, 4, 6), (512, 4, 6)]


def test_srnet_has_the_papers_number_of_weights():
    gray = sum(parameter.numel() for parameter in SRNet().parameters()) - 2 * 64 * 9
    assert gray == pytest.approx(4.78e6, rel=0.001)


def test_every_weight_learns():
    network = SRNet()
    logits = network(255 * torch.rand(4, 3, 32, 32))
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 0, 1, 1])).backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())


def test_the_first_layer_sees_no_brightness_at_first():
    network = SRNet().eval()
    dark, bright = (torch.full((1, 3, 32, 32), level) for level in (10.0, 200.0))
    with torch.no_grad():
        inner = [network.first.convolution(flat)[..., 1:-1, 1:-1] for flat in (dark, bright)]
    torch.testing.assert_close(inner[0], inner[1], atol=1e-3, rtol=0)


def noisy_pairs(photograph, count, strength):
    covers = np.stack([photograph(number)[:32, :32] for number in range(count)]).clip(
        strength, 255 - strength
    )
    change = np.random.default_rng(0).choice([-strength, strength], size=covers.shape)
    return Pairs(torch.from_numpy(covers), torch.from_numpy((covers + change).astype(np.uint8)))


def test_srnet_learns_eight_pairs_by_heart(photograph):
    pairs = noisy_pairs(photograph, 8, 3)
    settings = StageSettings(minutes=1, steps=60, batch_pairs=8, crop=32, checks=4)
    torch.manual_seed(0)  # weights that no other test chooses
    network = SRNet()
    untrained = statistics.auc(*scores(network, pairs))
    stage = train_stage(network, pairs, pairs, settings)
    cover_scores, stego_scores = scores(network, pairs, views=VIEWS)
    assert stage.steps == 60
    assert untrained < 0.9
    assert statistics.detection_error(cover_scores, stego_scores, stage.threshold) <= 1 / 16  # one of 16


def test_windows_of_a_pair_are_cut_and_turned_alike(photograph):
    pieces = [photograph(number)[:56, :72] for number in range(6)]
    cover = torch.from_numpy(np.stack(pieces)).clamp(max=250)
    drawn = Pairs(cover, cover + 5).draw(StageSettings(minutes=1, batch_pairs=16, crop=32), step=3)
    assert drawn.shape == (32, 3, 32, 32)
    assert torch.equal(drawn[:16] + 5, drawn[16:])
    windows = cover.permute(0, 3, 1, 2).unfold(2, 32, 1).unfold(3, 32, 1)
    turned = [torch.rot90(drawn[0], turns, (1, 2)) for turns in range(4)]
    turned += [each.flip(2) for each in turned]
    found = [(windows == each[None, :, None, None]).flatten(4).all(4).all(1).any() for each in turned]
    assert any(found)


def test_rates_rise_hold_and_fall():
    settings = StageSettings(minutes=1, steps=100, learning_rate=1.0, hold=0.4)
    rates = [settings.rate(share) for share in (0.0, 0.05, 0.4, 0.7, 1.0)]
    assert rates == pytest.approx([0.04, 1, 1, 0.5, 0], abs=1e-9)


def test_files_give_back_what_the_lab_shows(large_album, pair_files):
    assert len(pair_files) > 1
    pairs = pair_file.load(pair_files)
    by_key = {ref.key: ref for ref in find(f"folder:{large_album}", None)}
    assert set(pairs.keys) == set(by_key)
    for place in (0, len(pairs.keys) - 1):
        with by_key[pairs.keys[place]].open() as image:
            cover = cut(image)
        assert np.array_equal(pairs.covers[place], cover)
        for spread in SPREADS:
            stego = PhaseSubject(spread, "any").stego(cover, cover[..., 0], f"0/{place}")
            assert np.array_equal(pairs.stegos[spread][place], stego)


def test_a_source_longer_than_its_pixels_is_sent_as_pixels(cover_rgb):
    cover = cover_rgb[:192, :256]
    pair = pair_file.packed("key", bytes(10**6), cover, {1: cover})
    assert len(pair.source) < cover.nbytes


def test_a_cover_that_is_decoded_differently_is_refused(pair_files, tmp_path):
    with np.load(pair_files[0]) as file:
        arrays = dict(file)
    about = json.loads(arrays["about"].tobytes())
    about["digests"][0] = "0" * 64
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(TrainingError, match="decoded differently"):
        pair_file.load([tmp_path / "other.npz"])


def test_what_is_no_pair_file_is_refused(tmp_path):
    (tmp_path / "no.npz").write_bytes(b"no")
    with pytest.raises(TrainingError, match="holds no pairs"):
        pair_file.load([tmp_path / "no.npz"])


def test_the_best_threshold_is_that_of_the_fewest_errors():
    rng = np.random.default_rng(1)
    covers, stegos = rng.normal(0, 1, 200), rng.normal(1, 1, 200)
    best = statistics.best_threshold(covers, stegos)
    errors = [statistics.detection_error(covers, stegos, each) for each in np.linspace(-4, 5, 2000)]
    assert statistics.detection_error(covers, stegos, best) <= min(errors)
    assert statistics.best_threshold(np.zeros(3), np.zeros(3)) <= 0


@pytest.mark.parametrize("judge", sorted(command.JUDGES))
def test_a_judge_writes_a_row_of_each_spread(judge, pair_files, tmp_path, monkeypatch):
    monkeypatch.setattr(curriculum, "VIEWS", curriculum.ONE_VIEW)
    out = tmp_path / "rows.json"
    outcome = CliRunner().invoke(
        app,
        ["detectors", *(word for path in pair_files for word in ("--data", str(path))), "--judge", judge,
         "--steps", "2", "--out", str(out), "--device", "cpu", "--batch-pairs", "2", "--crop", "32"],
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.output
    found = json.loads(out.read_text())
    names = [row["subject"] for row in found["rows"]]
    spreads = [f"phase, spread {spread}" for spread in SPREADS]
    assert names == ([verdicts.COVER_CONTROL, *spreads] if judge == "srnet" else spreads)
    assert found["covers"] == 20
    assert all(row["steps"] == 2 for row in found["rows"])
    table = ledger_views.VIEWS["security" if judge == "srnet" else "accuracy"](found, "")
    assert [line[0] for line in table[1:]] == names


def test_training_needs_neither_the_channel_nor_the_program(tmp_path):
    """A borrowed GPU machine may have torch, numpy and Pillow only (and Typer, for the command line)."""
    code = (
        "import sys; import stegcli.training.detectors.command;"
        "print(*sorted({'cryptography', 'onnxruntime', 'typer', 'rich', 'accelerate'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == []
