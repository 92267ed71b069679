"""Small real models: an exact pair that needs no training, and a random U-shaped network for tiling."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
GAIN = 0.8


def build(
    nodes: list[onnx.NodeProto],
    picture: tuple[str, int],
    scalars: list[str],
    weights: dict[str, np.ndarray],
    metadata: dict[str, str],
) -> bytes:
    """A graph with one picture input and scalar conditions; the output of its last node is the answer."""
    floats = TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(picture[0], floats, [1, picture[1], "H", "W"])]
    inputs += [helper.make_tensor_value_info(name, floats, [1]) for name in scalars]
    output = helper.make_tensor_value_info(nodes[-1].output[0], floats, [1, 1, "H", "W"])
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def contract_text(role: str, /, **changes: str) -> dict[str, str]:
    """The metadata of a valid model file."""
    values = {
        "contract": "1", "family": "phase", "role": role, "model": "phase-tiny", "multiple": "4",
        "halo": "12", "planes": "64", "sigma_min": "0.01", "sigma_max": "0.2",
    }  # fmt: skip
    return {f"stegcli.{key}": value for key, value in (values | changes).items()}


def exact_encoder(metadata: dict[str, str] | None = None) -> bytes:
    """targets = 0.8 (secret - 0.5)."""
    nodes = [
        helper.make_node("Sub", ["secret", "half"], ["centred"]),
        helper.make_node("Mul", ["centred", "gain"], ["targets"]),
    ]
    weights = {"half": np.float32([0.5]), "gain": np.float32([GAIN])}
    return build(nodes, ("secret", 1), ["sigma"], weights, metadata or contract_text("encoder"))


def exact_decoder(metadata: dict[str, str] | None = None) -> bytes:
    """revealed = angle / (0.8 turns) + 0.5, the angle by the half-angle formula sin / (1 + cos)."""
    nodes = [
        helper.make_node("Split", ["phase"], ["cos", "sin"], axis=1),
        helper.make_node("Add", ["cos", "one"], ["shifted"]),
        helper.make_node("Div", ["sin", "shifted"], ["tangent"]),
        helper.make_node("Atan", ["tangent"], ["angle"]),
        helper.make_node("Mul", ["angle", "scale"], ["centred"]),
        helper.make_node("Add", ["centred", "half"], ["revealed"]),
    ]
    weights = {
        "one": np.float32([1.00001]),
        "scale": np.float32([1 / (np.pi * GAIN)]),
        "half": np.float32([0.5]),
    }
    return build(nodes, ("phase", 2), ["sigma", "damage"], weights, metadata or contract_text("decoder"))


def plain_isgan(role: str) -> bytes:
    """An encoder that replaces the cover's luma with the secret, and the decoder for it."""
    metadata = contract_text(role, family="isgan", model="isgan-plain", multiple="1", halo="2")
    if role == "decoder":
        node = helper.make_node("Identity", ["stego_luma"], ["revealed"])
        return build([node], ("stego_luma", 1), [], {}, metadata)
    nodes = [helper.make_node("Split", ["planes"], ["cover", "stego_luma"], axis=1)]
    nodes.append(helper.make_node("Identity", ["stego_luma"], ["answer"]))
    return build(nodes, ("planes", 2), [], {}, metadata)


def contrary_cost(strength: float) -> bytes:
    """A correction of -strength times the log of HILL's cost: above 1 it prefers what HILL avoids."""
    nodes = [
        helper.make_node("Split", ["planes"], ["luma", "log_hill"], axis=1),
        helper.make_node("Mul", ["log_hill", "strength"], ["correction"]),
    ]
    metadata = contract_text("cost", multiple="1", halo="0")
    return build(nodes, ("planes", 2), [], {"strength": np.float32([-strength])}, metadata)


def random_network() -> bytes:
    """Two scales, zero padding, no normalisation, as in the real codecs. Receptive radius 12."""
    rng = np.random.default_rng(7)

    def conv(name: str, out: int, into: int, size: int) -> dict[str, np.ndarray]:
        return {
            name: rng.normal(0, 1 / np.sqrt(into * size * size), (out, into, size, size)).astype(np.float32)
        }

    weights = (
        conv("w_head", 8, 4, 3) | conv("w_down", 8, 8, 2) | conv("w_low", 8, 8, 3) | conv("w_up", 32, 8, 1)
        | conv("w_tail", 4, 8, 3)
    )  # fmt: skip
    nodes = [
        helper.make_node("SpaceToDepth", ["secret"], ["x0"], blocksize=2),
        helper.make_node("Conv", ["x0", "w_head"], ["x1"], pads=[1, 1, 1, 1]),
        helper.make_node("LeakyRelu", ["x1"], ["skip"], alpha=0.1),
        helper.make_node("Conv", ["skip", "w_down"], ["x2"], strides=[2, 2]),
        helper.make_node("Conv", ["x2", "w_low"], ["x3"], pads=[1, 1, 1, 1]),
        helper.make_node("LeakyRelu", ["x3"], ["x4"], alpha=0.1),
        helper.make_node("Conv", ["x4", "w_up"], ["x5"]),
        helper.make_node("DepthToSpace", ["x5"], ["x6"], blocksize=2),
        helper.make_node("Add", ["x6", "skip"], ["x7"]),
        helper.make_node("Conv", ["x7", "w_tail"], ["x8"], pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["x8"], ["targets"], blocksize=2),
    ]
    return build(nodes, ("secret", 1), ["sigma"], weights, contract_text("encoder"))


def write_weights(
    folder: Path,
    encoder: bytes,
    decoder: bytes,
    model: str = "phase-tiny",
    extra: str = "",
    cost: bytes | None = None,
) -> Path:
    """A folder with a manifest, as `stegcli train` exports it."""
    (folder / model).mkdir(parents=True, exist_ok=True)
    if cost is not None:
        (folder / model / "cost.onnx").write_bytes(cost)
        digest = hashlib.sha256(cost).hexdigest()
        extra += f'cost = "{model}/cost.onnx"\ncost_sha256 = "{digest}"\n'
    (folder / model / "encoder.onnx").write_bytes(encoder)
    (folder / model / "decoder.onnx").write_bytes(decoder)
    family = model.partition("-")[0]
    (folder / "manifest.toml").write_text(
        f'schema = 1\n\n[models.{model}]\nfamily = "{family}"\ndefault = true\n{extra}'
        f'encoder = "{model}/encoder.onnx"\nencoder_sha256 = "{hashlib.sha256(encoder).hexdigest()}"\n'
        f'decoder = "{model}/decoder.onnx"\ndecoder_sha256 = "{hashlib.sha256(decoder).hexdigest()}"\n',
        encoding="utf-8",
    )
    return folder


@pytest.fixture(scope="session")
def exact_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the exact pair."""
    return write_weights(tmp_path_factory.mktemp("weights"), exact_encoder(), exact_decoder())


@pytest.fixture(scope="session")
def plain_isgan_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with an ISGAN whose stego shows the secret, but which is exact."""
    graphs = (plain_isgan(role) for role in ("encoder", "decoder"))
    return write_weights(tmp_path_factory.mktemp("isgan"), *graphs, model="isgan-plain")


@pytest.fixture
def make_weights(tmp_path: Path) -> Callable[..., Path]:
    """Folder with the exact pair, to damage or change: keyword arguments of `write_weights`."""

    def make(encoder: bytes | None = None, decoder: bytes | None = None, **options: Any) -> Path:
        return write_weights(
            tmp_path / "weights", encoder or exact_encoder(), decoder or exact_decoder(), **options
        )

    return make


@pytest.fixture(scope="session")
def network_bytes() -> bytes:
    """The random network as an ONNX file."""
    return random_network()


@pytest.fixture(scope="session")
def cost_bytes() -> Callable[[float], bytes]:
    """Make a cost network that corrects HILL's costs by a power of themselves."""
    return contrary_cost


@pytest.fixture(scope="session")
def encoder_bytes() -> Callable[..., bytes]:
    """Make the exact encoder with changes to its contract."""
    return lambda **changes: exact_encoder(contract_text("encoder", **changes))


@pytest.fixture(scope="session")
def good_metadata() -> dict[str, str]:
    """The metadata of a valid encoder."""
    return contract_text("encoder")
