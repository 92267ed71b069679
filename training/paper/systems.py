"""What the tables compare: a model's files as users run them, or the networks of a run.

cover, secret ─ hide ─> stego.png ─ read again ─ reveal ─> revealed, 8 bits
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stegcli import pipeline
from stegcli.errors import ModelError, TrainingError
from stegcli.methods import isgan
from stegcli.models import store
from stegcli.models.loading import Models
from stegcli.pictures import luma, reading, writing
from stegcli.training.isgan.export import trained_generator
from stegcli.training.isgan.generator import FAMILIES
from stegcli.training.loop.checkpoint import Run

U8 = NDArray[np.uint8]


class System(Protocol):
    """One column of a table."""

    name: str
    """As the table shows it."""
    like: str
    """The paper's system that it stands beside: a key of `paper.TABLE_5`'s rows."""
    facts: dict[str, object]
    """What it is, for the JSON."""

    def exchange(self, cover_rgb: U8, secret_gray: U8, path: Path) -> tuple[U8, U8]:
        """Hide into the PNG at `path` -> the stego as read from it, (H,W,3), and what it reveals, (H,W)."""
        ...

    def stego(self, cover_rgb: U8, secret_gray: U8) -> U8:
        """The stego's pixels alone, without a header: what a steganalyzer is shown."""
        ...


class ModelSystem:
    """An exported model of family `isgan` as `stegcli hide` runs it, header included."""

    def __init__(self, files: store.ModelFiles, weights: str | None) -> None:
        if files.entry.family != "isgan":
            raise TrainingError(
                f"{files.entry.id} is of family {files.entry.family}", "the tables are about isgan"
            )
        self.name, self.files, self.weights = files.entry.id, files, weights
        self.models = Models(weights)
        self.like = "isgan-basic" if "basic" in files.entry.id else "isgan"
        self.facts: dict[str, object] = {"model": self.name, "sha256": dict(files.entry.sha256)}

    def exchange(self, cover_rgb: U8, secret_gray: U8, path: Path) -> tuple[U8, U8]:
        """See System."""
        report = pipeline.hide(
            cover_rgb, secret_gray, path, model=self.name, weights=self.weights, force=True
        )
        return report.stego_rgb, report.revealed_gray

    def stego(self, cover_rgb: U8, secret_gray: U8) -> U8:
        """See System."""
        return isgan.draw(cover_rgb, secret_gray, self.models.network(self.files, "encoder"))


class RunSystem:
    """The networks of a run, without a header: also those that are not exported (Rehman et al., Baluja)."""

    def __init__(self, folder: Path, device: str | torch.device = "cpu") -> None:
        content = Run(folder).load()
        if content["model"] not in FAMILIES:
            raise TrainingError(f"{folder} holds {content['model']}", f"one of {', '.join(FAMILIES)}")
        self.device = torch.device(device)
        self.generator = trained_generator(content).to(self.device)
        self.name = f"{content['recipe']['name']} (step {content['step']})"
        self.like = content["model"]
        self.facts: dict[str, object] = {
            "run": folder.name,
            "model": content["model"],
            "step": content["step"],
            "recipe": content["recipe"],
        }

    def exchange(self, cover_rgb: U8, secret_gray: U8, path: Path) -> tuple[U8, U8]:
        """See System."""
        writing.save_stego(path, self.stego(cover_rgb, secret_gray), None, None, None, force=True)
        stego_rgb = reading.load_stego(path).rgb
        return stego_rgb, self.reveal(stego_rgb)

    @torch.no_grad()
    def stego(self, cover_rgb: U8, secret_gray: U8) -> U8:
        """See System."""
        secret = self._tensor(secret_gray[..., None]) / 255
        stego = self.generator.hide(self._tensor(cover_rgb), secret)
        return stego[0].permute(1, 2, 0).to(torch.uint8).cpu().numpy()

    @torch.no_grad()
    def reveal(self, stego_rgb: U8) -> U8:
        """(H,W,3) -> (H,W)."""
        carrier = self.generator.carrier(self._tensor(stego_rgb))
        revealed = self.generator.decoder(carrier)[0, 0].float().cpu().numpy()
        return luma.to_uint8(255 * revealed)

    def _tensor(self, pixels: U8) -> Tensor:
        """(H,W,C) uint8 -> (1,C,H,W) float32, grey levels."""
        planes = torch.from_numpy(np.array(pixels)).to(self.device)  # a copy: torch wants to own it
        return planes.permute(2, 0, 1)[None].float()


def open_system(name: str, weights: str | None, device: str = "cpu") -> System:
    """A run's folder, or the id of a model in `weights` (None: the program's own) -> the system."""
    if (Path(name) / "checkpoint.pt").is_file():
        return RunSystem(Path(name), device)
    try:
        return ModelSystem(store.find(name, weights), weights)
    except ModelError as error:
        raise TrainingError(
            f"{name} is neither a run's folder nor a model: {error.message}", error.hint
        ) from error


def bundled_systems(weights: str | None) -> list[System]:
    """Every model of family isgan in `weights` (None: the program's own)."""
    make = partial(ModelSystem, weights=weights)
    return [make(files) for files in store.catalog(weights) if files.entry.family == "isgan"]
