"""Batches for both families: one secret per row for the codec, cover and secret for the image networks."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stegcli.errors import TrainingError
from stegcli.pictures.luma import WEIGHTS
from stegcli.training.data import datasets, pool
from stegcli.training.loop.fit import Batch

MIN_HELD_OUT = 2
"""A cover and a secret: with fewer pictures, validation is impossible."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pool:
    """A data set in memory."""

    name: str
    weight: float
    train: NDArray[np.uint8]
    held_out: NDArray[np.uint8]
    digest: str
    """SHA-256 over the names of the training pictures, or over what determines the pages."""


def load_pool(dataset: str, weight: float, data_root: Path | None, mode: str, validation_images: int) -> Pool:
    """Load a data set of photographs; `mode` is "L" or "RGB"."""
    train, held_out = datasets.splits(dataset, data_root)
    tiles = pool.load(train, pool.training_tiles(dataset), mode)
    judged = pool.load(held_out[:validation_images], pool.evaluation_tiles(dataset), mode, minimum=0)
    log.info("%s: %d pictures to train, %d to validate", dataset, len(train), len(judged))
    if len(judged) < MIN_HELD_OUT:
        log.warning("%s is too small to hold pictures out: it is validated on what it trains on", dataset)
        judged = tiles[:validation_images]
    return Pool(dataset, weight, tiles, judged, datasets.digest(train))


def load_page_pool(count: int, weight: float, seed: int, fonts: list[Path], validation_images: int) -> Pool:
    """Draw `count` pages for training, and others (with the same fonts) for validation."""
    drawn = pool.load_pages(count + validation_images, seed, fonts)
    names = ",".join(font.name for font in fonts) or "Pillow's own"
    return Pool("pages", weight, drawn[:count], drawn[count:], f"seed {seed}, fonts {names}")


class Drawer:
    """Draws rows from pools by weight, as random crops; `rank` of `world` processes gets its share."""

    def __init__(self, pools: list[Pool], device: torch.device, rank: int, world: int) -> None:
        self.device, self.rank, self.world = device, rank, world
        self.cropper = pool.Cropper(np.concatenate([p.train for p in pools]), device)
        self.counts = torch.tensor([len(p.train) for p in pools], device=device)
        self.starts = self.counts.cumsum(0) - self.counts
        self.weights = torch.tensor([p.weight for p in pools], dtype=torch.float32, device=device)

    def draw(self, batch_size: int, crop: int, generator: torch.Generator) -> Tensor:
        """Return (B / world, crop, crop[, 3]) uint8: this process's rows of the global batch."""
        owner = torch.multinomial(self.weights, batch_size, replacement=True, generator=generator)
        where = torch.rand(batch_size, generator=generator, device=self.device)
        rows = self.starts[owner] + (where * self.counts[owner]).long()
        return self.cropper.draw(rows, crop, generator)[self.rank :: self.world]


class CropFeed:
    """Random crops from the same pools at every step; subclasses decide what makes up a batch."""

    def __init__(
        self,
        pools: list[Pool],
        batch_size: int,
        crop: int,
        seed: int,
        device: torch.device,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch_size % world:
            raise TrainingError(
                f"{world} processes cannot share batches of {batch_size} evenly",
                hint=f"give --batch-size a multiple of {world}",
            )
        self.batch_size, self.crop, self.seed, self.device = batch_size, crop, seed, device
        self.drawer = Drawer(pools, device, rank, world)
        self.held_out = {p.name: torch.from_numpy(p.held_out).to(device) for p in pools}


class PhaseFeed(CropFeed):
    """{"secret": (B,1,crop,crop) uint8} from gray pools."""

    def batch(self, step: int) -> Batch:
        """Return this process's rows of the step's batch."""
        generator = step_generator(self.seed, step, self.device)
        return {"secret": self.drawer.draw(self.batch_size, self.crop, generator)[:, None]}

    def validation(self) -> Mapping[str, list[Batch]]:
        """Return whole held-out pictures by data set, in batches of eight."""
        return {
            name: [{"secret": part[:, None]} for part in held.split(8)]
            for name, held in self.held_out.items()
        }


class PairFeed(CropFeed):
    """{"cover": (B,3,crop,crop), "secret": (B,1,crop,crop)} uint8: two draws of colour pools, row by row."""

    def batch(self, step: int) -> Batch:
        """Return this process's rows of the step's batch."""
        generator = step_generator(self.seed, step, self.device)
        cover = self.drawer.draw(self.batch_size, self.crop, generator)
        secret = self.drawer.draw(self.batch_size, self.crop, generator)
        return {"cover": cover.permute(0, 3, 1, 2).contiguous(), "secret": gray(secret)}

    def validation(self) -> Mapping[str, list[Batch]]:
        """Return held-out pairs by data set, in batches of four: first half covers, second half secrets."""
        pairs = {}
        for name, held in self.held_out.items():
            half = len(held) // 2
            cover, secret = held[:half].permute(0, 3, 1, 2).contiguous(), gray(held[half : 2 * half])
            pairs[name] = [
                {"cover": c, "secret": s} for c, s in zip(cover.split(4), secret.split(4), strict=True)
            ]
        return pairs


def gray(rgb: Tensor) -> Tensor:
    """(B,H,W,3) uint8 -> (B,1,H,W) uint8 with the exact rule of stegcli.pictures.luma.gray."""
    milli = (rgb.int() * torch.tensor(WEIGHTS, device=rgb.device, dtype=torch.int32)).sum(dim=-1)
    return ((milli + 500) // 1000).to(torch.uint8)[:, None]


def step_generator(seed: int, step: int, device: torch.device, stream: int = 0) -> torch.Generator:
    """Return the random generator of a step, the same after a resume, whatever was drawn before."""
    # The seed is hashed, since the CPU's generator uses only its last 32 bits.
    name = hashlib.sha256(f"{seed} {stream} {step}".encode()).digest()
    generator = torch.Generator(device=device)
    generator.manual_seed(int.from_bytes(name[:8], "little"))
    return generator
