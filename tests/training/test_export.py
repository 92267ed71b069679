"""From torch to the files that hide and reveal load."""

import numpy as np
import onnxruntime
import pytest
import torch
from tiny_runs import tiny_recipe

import stegcli
from stegcli.errors import TrainingError
from stegcli.models import store
from stegcli.models.contract import parse_contract
from stegcli.training.loop import export
from stegcli.training.loop.export import Graph, write_model
from stegcli.training.phase.train_step import PhaseCodec
from stegcli.training.run import phase_contract, phase_graphs

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(0)
    return PhaseCodec(tiny_recipe())


@pytest.fixture(scope="module")
def weights(codec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    graphs = phase_graphs(codec.encoder, codec.decoder)
    errors = write_model(folder, "phase-tiny", graphs, phase_contract(tiny_recipe()), "tiny")
    assert set(errors) == {"encoder", "decoder"}
    assert max(errors.values()) <= 1e-4
    return folder


def session(weights, role):
    return onnxruntime.InferenceSession(weights / f"{role}.onnx", providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("height", "width"), [(64, 64), (100, 148), (32, 260)])
def test_onnxruntime_computes_what_torch_does(codec, weights, height, width):
    sigma, damage = torch.tensor([0.05]), torch.tensor([0.1])
    secret = torch.rand(1, 1, height, width)
    phase = torch.rand(1, 2, height, width) * 2 - 1
    with torch.no_grad():
        targets, revealed = codec.encoder(secret, sigma), codec.decoder(phase, sigma, damage)
    (got,) = session(weights, "encoder").run(None, {"secret": secret.numpy(), "sigma": sigma.numpy()})
    assert np.abs(got - targets.numpy()).max() <= 1e-4
    values = {"phase": phase.numpy(), "sigma": sigma.numpy(), "damage": damage.numpy()}
    (got,) = session(weights, "decoder").run(None, values)
    assert np.abs(got - revealed.numpy()).max() <= 1e-4


def test_the_files_carry_their_contract(weights):
    for role in ("encoder", "decoder"):
        metadata = session(weights, role).get_modelmeta().custom_metadata_map
        contract = parse_contract(metadata, role)
        assert (contract.family, contract.role, contract.model) == ("phase", role, "phase-tiny")
        assert (contract.multiple, contract.planes) == (4, 64)
        assert (contract.sigma_min, contract.sigma_max) == (0.016, 0.07)


def test_the_program_works_with_the_files(weights, cover_rgb, secret_gray):
    (files,) = store.catalog(weights)
    assert files.entry.id == "phase-tiny"
    assert files.read("decoder")
    report = stegcli.hide(cover_rgb, secret_gray, weights=weights, device="cpu")
    revealed = stegcli.reveal(report.stego_rgb, weights=weights, device="cpu")
    assert report.model == "phase-tiny"
    assert report.stego_psnr_db > 50
    assert revealed.revealed_gray.shape == secret_gray.shape


def test_weights_are_stored_as_halves(codec, weights):
    parameters = sum(p.numel() for p in codec.encoder.parameters() if p.ndim > 1)
    model = export.onnx.load(weights / "encoder.onnx")
    halves = [i for i in model.graph.initializer if i.data_type == export.onnx.TensorProto.FLOAT16]
    assert sum(int(np.prod(i.dims)) for i in halves) == parameters
    assert all(torch.equal(p, p.half().float()) for p in codec.parameters()), (
        "torch holds what the file holds"
    )


class Noisy(torch.nn.Module):
    """Returns another answer each time."""

    def forward(self, x):
        return x + torch.rand(()).item()


def test_nothing_is_written_unless_both_runtimes_agree(tmp_path):
    graph = Graph("encoder", Noisy(), {"secret": torch.rand(1, 1, 64, 64)}, "targets")
    with pytest.raises(TrainingError, match="encoder: onnxruntime differs from torch by"):
        write_model(tmp_path / "out", "phase-x", [graph], phase_contract(tiny_recipe()), "")
    assert not (tmp_path / "out").exists()
