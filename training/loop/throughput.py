"""Measure how fast a model trains on this device, on noise (`python -m stegcli.training throughput`)."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from accelerate import Accelerator

from stegcli.training.isgan.recipe import IsganRecipe, SteganalyzerSettings
from stegcli.training.isgan.train_step import IsganTask
from stegcli.training.loop.checkpoint import hardware

WARMUP = 10
"""Steps before timing starts, in which networks compile, kernels are chosen and memory is allocated."""

QUICK = {"cuda": (16, 128, 30), "cpu": (4, 48, 5)}
"""Batch, crop and steps that take seconds: crops of the recipes on a GPU, of table 4 without one."""


@dataclass(frozen=True)
class Throughput:
    """Result of a measurement."""

    pairs_per_second: float
    gib: float
    """Peak device memory; 0 on a CPU."""
    model: str
    batch: int
    size: int
    """Side of the crops in pixels."""
    device: str


def measure(
    model: str, *, batch: int, size: int, steps: int, precision: str = "no", compiled: bool = False
) -> Throughput:
    """Train on noise; `isgan` in its second stage. `precision` is Accelerate's: "no", "bf16"."""
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
    """Return the time of a step of the recipe on noise, including the steganalyzer's when it is due."""
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
