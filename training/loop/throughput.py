"""How fast a model trains on the device at hand, on noise (`python -m stegcli.training throughput`)."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from accelerate import Accelerator

from stegcli.training.isgan.recipe import IsganRecipe, SteganalyzerSettings
from stegcli.training.isgan.train_step import IsganTask
from stegcli.training.loop.checkpoint import hardware

WARMUP = 10
"""Steps before the clock starts: they compile, choose kernels and fill the allocator."""

QUICK = {"cuda": (16, 128, 30), "cpu": (4, 48, 5)}
"""Batch, crop and steps that take seconds: the crops of the recipes for a GPU, of table 4 without one."""


@dataclass(frozen=True)
class Throughput:
    """What a measurement gave."""

    pairs_per_second: float
    gib: float
    """Peak device memory; 0 on a CPU."""
    model: str
    batch: int
    size: int
    """Of the crops, pixels a side."""
    device: str


def measure(
    model: str, *, batch: int, size: int, steps: int, precision: str = "no", compiled: bool = False
) -> Throughput:
    """Trains on noise; `isgan` from its second stage on. `precision` is Accelerate's: "no", "bf16"."""
    accelerator = Accelerator(mixed_precision=precision)
    recipe = IsganRecipe(
        model=model,
        basic_steps=0 if model == "isgan" else WARMUP + steps,
        adversarial_steps=WARMUP + steps if model == "isgan" else 0,
        batch_size=batch,
        crop=size,
        ssim_only_steps=0,
        frozen_steps=0,
        steganalyzer=SteganalyzerSettings(warmup_steps=0),
    )
    seconds = seconds_per_step(recipe, accelerator, steps, warmup=WARMUP, compiled=compiled)
    cuda = accelerator.device.type == "cuda"
    peak = torch.cuda.max_memory_allocated() / 2**30 if cuda else 0.0
    return Throughput(batch / seconds, peak, model, batch, size, hardware(accelerator.device))


def seconds_per_step(
    recipe: IsganRecipe, accelerator: Accelerator, steps: int, *, warmup: int = 1, compiled: bool = False
) -> float:
    """How long a step of the recipe takes on noise, the steganalyzer's included where it is due."""
    task = IsganTask(recipe, accelerator, compiled=compiled)
    shape = (recipe.batch_size, 4, recipe.crop, recipe.crop)
    noise = torch.randint(0, 256, shape, dtype=torch.uint8, device=accelerator.device)
    pictures = {"cover": noise[:, :3].contiguous(), "secret": noise[:, 3:].contiguous()}
    for step in range(warmup + steps):
        scalars = task.step(pictures, step)
        if step == warmup - 1:
            scalars["loss"].item()  # waits for the device
            begun = time.perf_counter()
    scalars["loss"].item()
    return (time.perf_counter() - begun) / steps
