"""Model files that are damaged, or that are not stegcli's; a device that does not exist."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import onnxruntime
import pytest
from desk import Desk

import stegcli.weights

BUNDLED = Path(stegcli.weights.__file__).parent
HIDE = ("hide", "cover.png", "secret.png", "-o", "out.png")


@pytest.fixture
def weights(desk: Desk) -> Path:
    """A copy of the program's weights, as a folder of the user's."""
    return Path(
        shutil.copytree(
            BUNDLED, desk.folder / "weights", ignore=shutil.ignore_patterns("__pycache__", "*.py")
        )
    )


def _flip_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# Processes of their own below: within one, a model that was loaded once is not read again.


@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_one_flipped_byte(desk: Desk, weights: Path, role: str) -> None:
    for path in weights.glob(f"phase*/{role}.onnx"):
        _flip_byte(path)
    desk.refuses(5, *HIDE, "--weights", "weights", words="damaged", process="")


def test_one_flipped_byte_when_revealing(desk: Desk, weights: Path) -> None:
    assert desk.run("hide", "cover.png", "secret.png", "-o", "stego.png").code == 0
    for path in weights.glob("phase*/decoder.onnx"):
        _flip_byte(path)
    desk.refuses(
        5, "reveal", "stego.png", "-o", "out.png", "--weights", "weights", words="damaged", process=""
    )


def test_missing_file(desk: Desk, weights: Path) -> None:
    for path in weights.glob("phase*/encoder.onnx"):
        path.unlink()
    desk.refuses(5, *HIDE, "--weights", "weights", words="encoder", process="")


def test_folder_without_manifest(desk: Desk) -> None:
    desk.refuses(5, *HIDE, "--weights", "nowhere", words="manifest.toml")


@pytest.mark.parametrize(
    "text", ["schema = 2", "not toml at all [", 'schema = 1\n[models.x]\nfamily = "phase"\n', "schema = 1"]
)
def test_manifest_of_something_else(desk: Desk, text: str) -> None:
    (desk.folder / "weights").mkdir()
    desk.put_bytes("weights/manifest.toml", text.encode())
    desk.refuses(5, *HIDE, "--weights", "weights")


def test_unknown_model(desk: Desk) -> None:
    outcome = desk.refuses(5, *HIDE, "--model", "gpt-9", words="gpt-9")
    assert "phase" in outcome.err


def _some_other_network() -> bytes:
    """A valid ONNX file that doubles four numbers."""
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "other",
        [value("x", TensorProto.FLOAT, [4])],
        [value("y", TensorProto.FLOAT, [4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.mark.parametrize("make", [_some_other_network, lambda: b"not a network", lambda: b""])
def test_onnx_of_something_else(desk: Desk, make) -> None:
    content = make()
    digest = hashlib.sha256(content).hexdigest()
    manifest = (
        f'schema = 1\n[models.phase-other]\nfamily = "phase"\n'
        f'encoder = "e.onnx"\nencoder_sha256 = "{digest}"\n'
        f'decoder = "e.onnx"\ndecoder_sha256 = "{digest}"\n'
    )
    (desk.folder / "weights").mkdir()
    desk.put_bytes("weights/e.onnx", content)
    desk.put_bytes("weights/manifest.toml", manifest.encode())
    desk.refuses(5, *HIDE, "--weights", "weights", words="e.onnx")


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="CUDA is here")
def test_cuda_without_cuda(desk: Desk) -> None:
    outcome = desk.refuses(6, *HIDE, "--device", "cuda", words="CUDA")
    assert "--device cpu" in outcome.err


def test_a_hub_address_that_may_move(desk: Desk) -> None:
    desk.refuses(2, *HIDE, "--weights", "hf://owner/repo@main", words="does not pin")
