"""Starting points of a new run: the networks of another run, or the files of a model.

RUN/checkpoint.pt ─────────────────────────> state ────> task.begin_from
DIR or model's id ─> encoder.onnx, decoder.onnx ─> initializers by name ─> task.begin_from_weights

An exported file contains what hiding and revealing need: weights rounded to half precision, no optimiser, and
(for ISGAN) no batch normalisation, which is folded into the convolutions. The inverse is exact: exported
again without training, the networks give the same initializers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor

from stegcli.errors import ModelError, TrainingError, UsageError, one_line
from stegcli.models import store
from stegcli.models.contract import ROLES, parse_contract
from stegcli.training.loop.checkpoint import Run
from stegcli.training.loop.export import HALF_SUFFIX
from stegcli.training.loop.fit import Networks, Task

FAMILY_OF_MODEL = {"isgan": "isgan", "isgan-basic": "isgan", "phase": "phase"}
"""Model that a recipe trains -> family of weights from which it can start."""

_CURE = "name a run, a folder that `stegcli export` wrote, or a model that `stegcli models` lists"


def begin(task: Task, model: str, initial: str | Path) -> None:
    """Load the networks of `initial` into a new task.

    Args:
        task: task of the model; its networks are replaced, its optimisers only by those of another run.
        model: model to train, such as `isgan`.
        initial: a run's folder, a folder with encoder.onnx and decoder.onnx, or the id of a bundled model.

    Raises:
        TrainingError: nothing has that name, or it belongs to another family or other networks.
    """
    folder = Path(initial)
    try:
        if Run(folder).checkpoint.exists():
            task.begin_from(_run_of(model, folder)["state"])
        else:
            task.begin_from_weights(read_weights(model, initial))
    except (KeyError, RuntimeError, ValueError) as error:
        raise TrainingError(
            f"{initial} does not fit the recipe: {one_line(error)}",
            hint="start from networks with the recipe's widths and blocks, or change those in the recipe",
        ) from error


def _run_of(model: str, folder: Path) -> dict[str, Any]:
    """Return the checkpoint of a run with the same networks: ISGAN can also start from its basic model."""
    content = Run(folder).load()
    if model == "isgan" and content["model"] == "isgan-basic":
        return content
    return Run(folder).load(model)


def read_weights(model: str, initial: str | Path) -> Networks:
    """Return the initializers of both networks by role: name in the torch module -> float32 tensor.

    Args:
        model: model to be trained with them.
        initial: as for `begin`, except for runs.

    Raises:
        TrainingError: as for `begin`; also for damaged files, or without a contract
            (stegcli.models.contract).
    """
    family = FAMILY_OF_MODEL.get(model)
    if family is None:
        raise TrainingError(f"{model} has no weights to start from", hint="give --init one of its runs")
    try:
        contents = {role: _content(initial, role) for role in ROLES[family]}
        return {
            role: _initializers(content, family, f"{initial}: {role}") for role, content in contents.items()
        }
    except (ModelError, UsageError) as error:
        raise TrainingError(f"cannot start from {initial}: {error.message}", hint=_CURE) from error


def _content(initial: str | Path, role: str) -> bytes:
    """Return a graph in a folder, with or without its manifest, or of a bundled model."""
    path = Path(initial) / f"{role}.onnx"
    if path.is_file() and not store.is_folder_of_weights(str(initial)):
        return path.read_bytes()
    files = store.find(None, initial) if Path(initial).is_dir() else store.find(str(initial))
    if role not in files.entry.files:
        raise ModelError(f"{files.entry.id} has no {role}: it belongs to the family {files.entry.family}")
    return files.read(role)


def _initializers(content: bytes, family: str, source: str) -> dict[str, Tensor]:
    """Return initializers by name as float32; half-precision ones have a name of their own (`export`)."""
    try:
        graph = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ModelError(f"{source} is not an ONNX file") from error
    found = parse_contract({entry.key: entry.value for entry in graph.metadata_props}, source).family
    if found != family:
        raise ModelError(f"{source} belongs to {found}, but the recipe trains {family}")
    stored = {value.name.removesuffix(HALF_SUFFIX): _tensor(value) for value in graph.graph.initializer}
    # The exporter stores equal tensors once; the others (two biases of zeros) are an Identity of it.
    same = [node for node in graph.graph.node if node.op_type == "Identity" and node.input[0] in stored]
    return {**stored, **{node.output[0]: stored[node.input[0]] for node in same}}


def _tensor(value: onnx.TensorProto) -> Tensor:
    return torch.from_numpy(np.array(numpy_helper.to_array(value), dtype=np.float32))
