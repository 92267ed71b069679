"""Export a run's checkpoint to the two ONNX files that users load, with contract and parity check.

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
from stegcli.models.graphs import check_graph
from stegcli.models.manifest import ModelEntry, render_manifest
from stegcli.models.runtime import load_runtime
from stegcli.pictures.writing import save_bytes, save_text

OPSET = 17
TOLERANCE = 1e-4
"""Largest difference between torch and onnxruntime in an export, in the network's output units."""
HALF_SUFFIX = ".half"
"""Suffix of an initializer that is stored in half precision, before a Cast to its own name."""
SIZES = ((64, 64), (128, 192), (256, 256))
"""Heights and widths for which parity is checked."""


@dataclass(frozen=True)
class Graph:
    """A network to export, with example inputs by name; the first one is the picture."""

    role: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    output: str
    promises: Mapping[str, str] = field(default_factory=dict)
    """Metadata of this graph alone, besides the common contract."""


def write_model(
    folder: Path, model_id: str, graphs: Sequence[Graph], contract: Mapping[str, str], description: str
) -> dict[str, float]:
    """Write folder/{encoder,decoder}.onnx and folder/manifest.toml; return the parity errors by role.

    Raises TrainingError if torch and onnxruntime differ by more than TOLERANCE, and ModelError if a graph
    contains what `hide` and `reveal` refuse to run.
    """
    contents, errors = {}, {}
    for graph in graphs:
        contents[graph.role], errors[graph.role] = checked(graph, {**contract, "model": model_id})
    folder.mkdir(parents=True, exist_ok=True)
    for role, content in contents.items():
        save_bytes(folder / f"{role}.onnx", content, force=True)
    sums = {role: hashlib.sha256(content).hexdigest() for role, content in contents.items()}
    manifest = render_manifest([_entry(model_id, contract, sums, description)])
    save_text(folder / "manifest.toml", manifest, force=True)
    return errors


def checked(graph: Graph, contract: Mapping[str, str]) -> tuple[bytes, float]:
    """Return the file of a graph, and its largest difference from torch.

    Raises TrainingError if that exceeds TOLERANCE, ModelError if `hide` and `reveal` refuse to run it.
    """
    module = graph.module.eval().cpu().to(memory_format=torch.contiguous_format)
    round_weights(module)
    content = to_onnx(module, graph, {**contract, **graph.promises, "role": graph.role})
    check_graph(content, f"{graph.role}.onnx")
    error = parity(module, graph, content)
    if error > TOLERANCE:
        raise TrainingError(
            f"{graph.role}: onnxruntime differs from torch by {error:.2g}, more than {TOLERANCE:.0e}"
        )
    return content, error


@torch.no_grad()
def round_weights(module: nn.Module) -> None:
    """Round every weight to half precision, as in the files, so that torch and onnxruntime agree."""
    for parameter in module.parameters():
        parameter.copy_(parameter.half().float())


def to_onnx(module: nn.Module, graph: Graph, contract: Mapping[str, str]) -> bytes:
    """Return the serialised graph: float16 weights, float32 arithmetic, any height and width, contract."""
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
    """Return the largest absolute difference between torch and onnxruntime over SIZES."""
    session = load_runtime().InferenceSession(content, providers=["CPUExecutionProvider"])
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
    """Store float32 initialisers as float16 before a Cast, which is folded on loading: half the file size."""
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


def _entry(
    model_id: str, contract: Mapping[str, str], sums: Mapping[str, str], description: str
) -> ModelEntry:
    return ModelEntry(
        id=model_id,
        family=contract["family"],
        files={role: f"{role}.onnx" for role in sums},
        sha256=dict(sums),
        default=True,
        progressive=contract.get("fewest_planes", contract.get("planes")) != contract.get("planes"),
        description=description,
    )
