"""A run's folder: run.json, checkpoints, samples. Everything appears whole or not at all.

RUN/run.json            what was trained on what data and hardware, and how far
RUN/checkpoint.pt       the state to resume from (tensors and plain values; loaded with weights_only)
RUN/events.*            TensorBoard
RUN/samples/*.png       picture grids
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stegcli.cores import cores
from stegcli.errors import TrainingError
from stegcli.lab.provenance import commit
from stegcli.pictures.drafts import explained, replacing
from stegcli.pictures.writing import save_text

FORMAT = 1
OPTIMISERS = ("optimisers", "muon", "adam")
"""Names under which tasks store their optimisers."""
LIBRARIES = ("torch", "accelerate", "numpy", "pillow", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Run:
    """A training run's folder."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        """Path of the latest state."""
        return self.folder / "checkpoint.pt"

    def save(self, model: str, step: int, recipe: dict[str, Any], state: dict[str, Any]) -> None:
        """Write a checkpoint after `step` finished steps."""
        content = {"format": FORMAT, "model": model, "step": step, "recipe": recipe, "state": state}
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.checkpoint, force=True) as draft, explained(self.checkpoint):
            torch.save(content, draft.file)

    def load(self, model: str | None = None, device: str | torch.device = "cpu") -> dict[str, Any]:
        """Return the checkpoint's content; TrainingError if it is missing, damaged, or of another model."""
        try:
            content = torch.load(self.checkpoint, map_location=device, weights_only=True)
        except FileNotFoundError:
            raise TrainingError(f"no checkpoint in {self.folder}", hint="name the folder of a run") from None
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise TrainingError(
                f"{self.checkpoint} cannot be read: {type(error).__name__}",
                hint="train again, or restore a copy of it",
            ) from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise TrainingError(
                f"{self.checkpoint} was written by another version of stegcli", hint="train it again"
            )
        if model is not None and content["model"] != model:
            raise TrainingError(
                f"{self.checkpoint} holds {content['model']}, not {model}", hint=f"name a run of {model}"
            )
        return content

    def without_optimisers(self) -> bytes:
        """Return the checkpoint with its optimisers' state cleared: a third of the size."""
        content = self.load()
        state = {name: value for name, value in content["state"].items() if name not in OPTIMISERS}
        file = io.BytesIO()
        torch.save({**content, "state": state}, file)
        return file.getvalue()

    def model_id(self) -> str:
        """Return an id for exported files: the folder's name, and 8 digits of the checkpoint's SHA-256."""
        try:
            digest = hashlib.sha256(self.checkpoint.read_bytes()).hexdigest()
        except OSError:
            raise TrainingError(f"no checkpoint in {self.folder}", hint="name the folder of a run") from None
        name = re.sub(r"[^a-z0-9.-]+", "-", self.folder.resolve().name.lower()).strip("-.") or "run"
        return f"{name}-{digest[:8]}"

    def facts(self) -> dict[str, Any]:
        """Return what run.json says; empty if there is none."""
        path = self.folder / "run.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def write_json(self, **facts: object) -> None:
        """Merge facts into run.json."""
        path = self.folder / "run.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        save_text(path, json.dumps({**self.facts(), **facts}, indent=2) + "\n", force=True)

    def save_grid(self, name: str, step: int, grid: Tensor) -> None:
        """Write a (1 or 3, H, W) grid in 0..1 as samples/NAME-STEP.png."""
        folder = self.folder / "samples"
        folder.mkdir(exist_ok=True)
        pixels = (grid.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(np.squeeze(pixels)).save(folder / f"{name}-{step:06d}.png")


def environment(device: torch.device) -> dict[str, object]:
    """Return versions, hardware and the commit, for run.json."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"commit": commit(), "versions": versions, "hardware": hardware(device)}


def hardware(device: torch.device) -> str:
    """Return the name of the GPU, or the number of cores."""
    return torch.cuda.get_device_name() if device.type == "cuda" else f"{cores()} CPU cores"
