"""From a run's checkpoint to the two ONNX files that users load, with their contract and a parity check.

checkpoint.pt ─> torch modules ─> encoder.onnx, decoder.onnx (+ contract in the metadata) ─> manifest.toml
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from stegcli.errors import TrainingError

OPSET = 17
TOLERANCE = 1e-4
"""Largest difference between torch and onnxruntime that an export may show, in the network's output units."""
HALF_SUFFIX = ".half"
"""Of an initializer's name where it is stored in half precision, behind a Cast to its own name."""
SIZES = ((64, 64), (128, 192), (256, 256))
"""Heights and widths on which parity is checked."""


@dataclass(frozen=True)
class Graph:
    """One network to export: its example inputs by name; the first is the picture-like one."""

    role: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    output: str
    promises: Mapping[str, str] = field(default_factory=dict)
    """Of this graph alone, beside the contract of both."""


def write_model(
    folder: Path, model_id: str, graphs: Sequence[Graph], contract: Mapping[str, str], description: str
) -> dict[str, float]:
    """Write folder/{encoder,decoder}.onnx and folder/manifest.toml; returns the parity errors by role.

    Raises TrainingError when torch and onnxruntime differ by more than TOLERANCE.
    """
    contents, errors = {}, {}
    for graph in graphs:
        module = graph.module.eval().cpu().to(memory_format=torch.contiguous_format)
        round_weights(module)
        content = to_onnx(
            module, graph, {**contract, **graph.promises, "role": graph.role, "model": model_id}
        )
        errors[graph.role] = parity(module, graph, content)
        if errors[graph.role] > TOLERANCE:
            raise TrainingError(
                f"{graph.role}: onnxruntime differs from torch by {errors[graph.role]:.2g}, "
                f"more than {TOLERANCE:.0e}"
            )
        contents[graph.role] = content
    folder.mkdir(parents=True, exist_ok=True)
    for role, content in contents.items():
        (folder / f"{role}.onnx").write_bytes(content)
    sums = {role: hashlib.sha256(content).hexdigest() for role, content in contents.items()}
    manifest = _manifest(model_id, contract, sums, description)
    (folder / "manifest.toml").write_text(manifest, encoding="utf-8")
    return errors


@torch.no_grad()
def round_weights(module: nn.Module) -> None:
    """Round every weight to the nearest half: what the files hold, so that torch and onnxruntime agree."""
    for parameter in module.parameters():
        parameter.copy_(parameter.half().float())


def to_onnx(module: nn.Module, graph: Graph, contract: Mapping[str, str]) -> bytes:
    """The serialised graph: float16 weights, float32 arithmetic, free height and width, contract inside."""
    names = list(graph.inputs)
    free = {2: "height", 3: "width"}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its own deprecation at every call
        torch.onnx.export(
            module,
            tuple(graph.inputs.values()),
            buffer,
            input_names=names,
            output_names=[graph.output],
            dynamic_axes={names[0]: free, graph.output: free},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_model_from_string(buffer.getvalue())
    _store_halves(model)
    for key, value in contract.items():
        model.metadata_props.add(key=f"stegcli.{key}", value=value)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def parity(module: nn.Module, graph: Graph, content: bytes) -> float:
    """Largest absolute difference between torch and onnxruntime over SIZES."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    worst = 0.0
    for height, width in SIZES:
        values = dict(graph.inputs)
        first = next(iter(values))
        values[first] = _example(values[first], height, width)
        with torch.no_grad():
            expected = module(*values.values()).numpy()
        (got,) = session.run(None, {name: value.numpy() for name, value in values.items()})
        worst = max(worst, float(np.abs(np.asarray(got) - expected).max()))
    return worst


def _example(like: Tensor, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.rand((1, like.shape[1], height, width), generator=generator)


def _store_halves(model: onnx.ModelProto) -> None:
    """Keep float32 initialisers as float16 behind a Cast: half the file, folded away when it is loaded."""
    graph = model.graph
    for initializer in list(graph.initializer):
        if initializer.data_type != onnx.TensorProto.FLOAT or len(initializer.dims) < 2:
            continue
        values: NDArray[np.float32] = numpy_helper.to_array(initializer)
        stored = numpy_helper.from_array(values.astype(np.float16), initializer.name + HALF_SUFFIX)
        cast = onnx.helper.make_node(
            "Cast", [stored.name], [initializer.name], f"cast.{initializer.name}", to=onnx.TensorProto.FLOAT
        )
        graph.initializer.remove(initializer)
        graph.initializer.append(stored)
        graph.node.insert(0, cast)


def _manifest(model_id: str, contract: Mapping[str, str], sums: Mapping[str, str], description: str) -> str:
    progressive = contract.get("fewest_planes", contract.get("planes")) != contract.get("planes")
    return f'''schema = 1

[models.{model_id}]
family = "{contract["family"]}"
default = true
progressive = {str(progressive).lower()}
encoder = "encoder.onnx"
encoder_sha256 = "{sums["encoder"]}"
decoder = "decoder.onnx"
decoder_sha256 = "{sums["decoder"]}"
description = "{description}"
'''
