"""How fast a model trains on the device at hand.

python -m stegcli.training.loop.throughput --model isgan --batch 16 --size 256 --steps 30 --compile
python -m stegcli.training.loop.throughput --quick --json
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from dataclasses import dataclass

import torch
from accelerate import Accelerator

from stegcli.training.isgan.generator import FAMILIES
from stegcli.training.isgan.recipe import IsganRecipe, SteganalyzerSettings
from stegcli.training.isgan.train_step import IsganTask

WARMUP = 10
"""Steps before the clock starts: they compile, choose kernels and fill the allocator."""


QUICK = {"cuda": {"batch": 16, "size": 128, "steps": 30}, "cpu": {"batch": 4, "size": 48, "steps": 5}}
"""What takes seconds on each device; the crops of the recipes for a GPU, and of table 4 without one."""


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
    task = IsganTask(recipe, accelerator, compiled=compiled)
    noise = torch.randint(0, 256, (batch, 4, size, size), dtype=torch.uint8, device=accelerator.device)
    pictures = {"cover": noise[:, :3].contiguous(), "secret": noise[:, 3:].contiguous()}
    seconds = _seconds(task, pictures, steps)
    cuda = accelerator.device.type == "cuda"
    peak = torch.cuda.max_memory_allocated() / 2**30 if cuda else 0.0
    name = torch.cuda.get_device_name() if cuda else f"{os.cpu_count()} CPU cores"
    return Throughput(batch * steps / seconds, peak, model, batch, size, name)


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
    parser = argparse.ArgumentParser(prog="python -m stegcli.training.loop.throughput", description=__doc__)
    parser.add_argument("--model", choices=sorted(FAMILIES), default="isgan")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--precision", choices=("no", "bf16"), default="no")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a batch, crop and steps that take seconds here")
    parser.add_argument("--json", action="store_true", help="print one object")
    given = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    size = QUICK["cuda" if torch.cuda.is_available() else "cpu"] if given.quick else vars(given)
    found = measure(
        given.model,
        batch=size["batch"],
        size=size["size"],
        steps=size["steps"],
        precision=given.precision,
        compiled=given.compile,
    )
    line = f"{found.pairs_per_second:.1f} pairs/s, {found.gib:.1f} GiB"
    print(json.dumps(dataclasses.asdict(found)) if given.json else line)  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
