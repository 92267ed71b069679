"""How fast a model trains on the device at hand.

python -m stegcli.training.throughput --model isgan --batch 16 --size 256 --steps 30 --compile
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import torch
from accelerate import Accelerator

from stegcli.training.generator import FAMILIES
from stegcli.training.isgan_recipe import IsganRecipe, SteganalyzerSettings
from stegcli.training.isgan_task import IsganTask

WARMUP = 10
"""Steps before the clock starts: they compile, choose kernels and fill the allocator."""


@dataclass(frozen=True)
class Throughput:
    """What a measurement gave."""

    pairs_per_second: float
    gib: float
    """Peak device memory; 0 on a CPU."""


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
    task = IsganTask(recipe, accelerator, compiled=compiled)
    noise = torch.randint(0, 256, (batch, 4, size, size), dtype=torch.uint8, device=accelerator.device)
    pictures = {"cover": noise[:, :3].contiguous(), "secret": noise[:, 3:].contiguous()}
    seconds = _seconds(task, pictures, steps)
    cuda = accelerator.device.type == "cuda"
    return Throughput(batch * steps / seconds, torch.cuda.max_memory_allocated() / 2**30 if cuda else 0.0)


def _seconds(task: IsganTask, pictures: dict[str, torch.Tensor], steps: int) -> float:
    for step in range(WARMUP):
        scalars = task.step(pictures, step)
    scalars["loss"].item()
    begun = time.perf_counter()
    for step in range(WARMUP, WARMUP + steps):
        scalars = task.step(pictures, step)
    scalars["loss"].item()  # waits for the device
    return time.perf_counter() - begun


def main() -> None:
    """Measures once and prints a line."""
    parser = argparse.ArgumentParser(prog="python -m stegcli.training.throughput", description=__doc__)
    parser.add_argument("--model", choices=sorted(FAMILIES), default="isgan")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--precision", choices=("no", "bf16"), default="no")
    parser.add_argument("--compile", action="store_true")
    given = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    found = measure(
        given.model,
        batch=given.batch,
        size=given.size,
        steps=given.steps,
        precision=given.precision,
        compiled=given.compile,
    )
    print(f"{found.pairs_per_second:.1f} pairs/s, {found.gib:.1f} GiB")  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
