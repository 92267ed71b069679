"""Systems that the tables compare: a model's files as users run them, or the networks of a run.

cover, secret ─ hide ─> stego.png ─ read again ─ reveal ─> revealed, 8 bits
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stegcli.errors import ModelError, TrainingError
from stegcli.lab.quality.hiders import Hidden, Hider, ModelHider
from stegcli.methods import isgan
from stegcli.models import store
from stegcli.models.loading import Models
from stegcli.pictures import luma, reading
from stegcli.training.isgan.export import trained_generator
from stegcli.training.isgan.generator import FAMILIES
from stegcli.training.loop.checkpoint import Run

U8 = NDArray[np.uint8]


@dataclass(frozen=True)
class System:
    """One column of a table."""

    hider: Hider
    """Hider for the lab; an exported model writes its header."""
    stego: Callable[[U8, U8], U8]
    """Cover (H,W,3), secret (H,W) -> the stego without a header, as shown to a steganalyzer."""
    like: str
    """The paper's system to compare with: a key in the rows of `tables.TABLE_5`."""
    facts: dict[str, object]
    """Description for the JSON file."""

    @property
    def name(self) -> str:
        """Name in the table."""
        return self.hider.name


class RunHider:
    """The networks of a run for the lab, without a header; they need not be exportable.

    The networks of Rehman et al. and Baluja change all three colour planes; `stegcli hide` cannot run them.
    """

    def __init__(self, folder: Path, device: str | torch.device = "cpu") -> None:
        content = Run(folder).load()
        self.model, self.recipe, self.step = (content[name] for name in ("model", "recipe", "step"))
        if self.model not in FAMILIES:
            raise TrainingError(f"{folder} holds {self.model}", f"one of {', '.join(FAMILIES)}")
        self.device = torch.device(device)
        self.generator = trained_generator(content).to(self.device)
        self.name = f"{self.recipe['name']} (step {self.step})"
        self.identity = f"checkpoint {hashlib.sha256(Run(folder).checkpoint.read_bytes()).hexdigest()}"

    def hide(self, cover_rgb: U8, secret_gray: U8, seed: str, stego_psnr_db: float | None) -> Hidden:
        """Hide the secret at the cover's size, the only one that these networks know."""
        del seed, stego_psnr_db  # nothing is random, and there is no choice
        shape = (secret_gray.shape[0], secret_gray.shape[1])
        resized = reading.resize_gray(secret_gray, (cover_rgb.shape[0], cover_rgb.shape[1]))
        stego = self.stego(cover_rgb, resized)
        return Hidden(stego, lambda stego_rgb: reading.resize_gray(self.reveal(stego_rgb), shape))

    @torch.no_grad()
    def stego(self, cover_rgb: U8, secret_gray: U8) -> U8:
        """Cover (H,W,3), secret (H,W) -> (H,W,3)."""
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
        """(H,W,C) uint8 -> (1,C,H,W) float32."""
        planes = torch.from_numpy(pixels.copy()).to(self.device)  # copied, as torch wants to own the memory
        return planes.permute(2, 0, 1)[None].float()


def run_system(folder: Path, device: str = "cpu") -> System:
    """Return the networks of a run as a system."""
    hider = RunHider(folder, device)
    facts = {"run": folder.name, "model": hider.model, "step": hider.step, "recipe": hider.recipe}
    return System(hider, hider.stego, hider.model, facts)


def open_system(name: str, weights: str | None, device: str = "cpu") -> System:
    """Return a run's folder, or a model by its id in `weights` (None: the program's own), as a system."""
    if Run(Path(name)).checkpoint.is_file():
        return run_system(Path(name), device)
    try:
        return _model_system(store.find(name, weights), weights)
    except ModelError as error:
        raise TrainingError(
            f"{name} is neither a run's folder nor a model: {error.message}", error.hint
        ) from error


def bundled_systems(weights: str | None) -> list[System]:
    """Return every model of the family isgan in `weights` (None: the program's own)."""
    found = store.catalog(weights)
    return [_model_system(files, weights) for files in found if files.entry.family == "isgan"]


def _model_system(files: store.ModelFiles, weights: str | None) -> System:
    """Return an exported model of the family `isgan`, as `stegcli hide` runs it."""
    entry = files.entry
    if entry.family != "isgan":
        raise TrainingError(
            f"{entry.id} belongs to the family {entry.family}", "name a model of the family isgan"
        )
    models = Models(weights)
    return System(
        ModelHider(entry.id, weights, "balanced", "auto"),
        lambda cover, secret: isgan.draw(cover, secret, models.network(files, "encoder")),
        "isgan-basic" if "basic" in entry.id else "isgan",
        {"model": entry.id, "sha256": dict(entry.sha256)},
    )
