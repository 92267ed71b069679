"""Train the cost network, and write it as an ONNX graph to try in the lab.

    python -m stegcli.training costs --data-root photos --out runs/phase-cost --minutes 35
    python -m stegcli.training costs --resume runs/phase-cost --data-root photos
    python -m stegcli.training costs --export runs/phase-cost --onnx cost.onnx
    python benchmarks/costs.py --data-root photos --learned cost.onnx

Covers are the lab's (from JPEG, shrunk by a quarter, 256x192), from the part of each data set that
`lab.covers.learning_and_judging` reserves for training; the other part is for judging.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stegcli.carriers.costs import hill_cost
from stegcli.errors import TrainingError
from stegcli.lab.data.covers import COVER_SHAPE, covers_of, learning_and_judging, load_cover
from stegcli.lab.data.photos import ImageRef, digest
from stegcli.models.contract import COST
from stegcli.pictures import luma
from stegcli.pictures.writing import check_absent, save_bytes
from stegcli.training import config
from stegcli.training.costs.networks import HALO, MULTIPLE, CostNetwork
from stegcli.training.costs.train_step import CostRecipe, CostTask
from stegcli.training.data.feeds import step_generator
from stegcli.training.loop.checkpoint import Run, environment
from stegcli.training.loop.export import Graph, checked
from stegcli.training.loop.fit import Batch, Outcome, Plain, Plan, Reporter, fit

MODEL = "phase-cost"
ALL = 10**6
"""Number of covers in a data set: as many as there are."""
VALIDATION_BATCH = 8
CONTRACT = {"contract": "1", "family": "phase", "role": COST, "multiple": str(MULTIPLE), "halo": str(HALO)}
"""Contract of the graph (stegcli.models.contract)."""

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


class CoverFeed:
    """Crops of covers with the log of their HILL costs, mirrored alike; a function of the step."""

    def __init__(
        self, refs: Mapping[str, Sequence[ImageRef]], recipe: CostRecipe, device: torch.device
    ) -> None:
        self.recipe, self.device = recipe, device
        self.keys = {name: digest(found) for name, found in refs.items()}
        covers = {name: np.stack([load_cover(ref) for ref in found]) for name, found in refs.items()}
        held = max(2, recipe.validation_covers // len(covers))
        self.held_out = {name: self._tensors(pictures[:held]) for name, pictures in covers.items()}
        learned = [pictures[held:] for pictures in covers.values()]
        self.counts = torch.tensor([len(part) for part in learned])
        self.weights = torch.tensor([recipe.data[name] for name in covers])
        self.covers, self.log_hill = self._tensors(np.concatenate(learned))

    def _tensors(self, covers: U8) -> tuple[Tensor, Tensor]:
        """(N,H,W,3) uint8 -> (N,3,H,W) uint8 and (N,1,H,W) float32."""
        costs = np.stack([log_hill(cover) for cover in covers])[:, None]
        pictures = torch.from_numpy(covers).permute(0, 3, 1, 2).contiguous()
        return pictures.to(self.device), torch.from_numpy(costs).to(self.device)

    def batch(self, step: int) -> Batch:
        """{"cover": (B,3,crop,crop) uint8, "log_hill": (B,1,crop,crop) float32}."""
        generator, size, crop = self._draws(step), self.recipe.batch_size, self.recipe.crop
        owner = torch.multinomial(self.weights, size, replacement=True, generator=generator)
        first = (self.counts.cumsum(0) - self.counts)[owner]
        rows = first + (torch.rand(size, generator=generator) * self.counts[owner]).long()
        ends = torch.tensor(COVER_SHAPE) - crop + 1
        corners = (torch.rand((size, 2), generator=generator) * ends).long().tolist()
        mirrored = (torch.rand((size, 2), generator=generator) < 0.5).tolist()
        return {
            name: torch.stack(
                [
                    _window(pictures[row], corner, crop, mirror)
                    for row, corner, mirror in zip(rows.tolist(), corners, mirrored, strict=True)
                ]
            )
            for name, pictures in (("cover", self.covers), ("log_hill", self.log_hill))
        }

    def _draws(self, step: int) -> torch.Generator:
        return step_generator(self.recipe.seed, step, torch.device("cpu"))

    def validation(self) -> Mapping[str, list[Batch]]:
        """Return whole covers that are not trained on, by data set."""
        return {
            name: [
                {"cover": cover, "log_hill": cost}
                for cover, cost in zip(*(each.split(VALIDATION_BATCH) for each in parts), strict=True)
            ]
            for name, parts in self.held_out.items()
        }


def _window(picture: Tensor, corner: list[int], crop: int, mirrored: list[bool]) -> Tensor:
    """(C,H,W) -> (C,crop,crop)."""
    top, left = corner
    window = picture[:, top : top + crop, left : left + crop]
    return window.flip([axis for axis, turn in zip((1, 2), mirrored, strict=True) if turn])


def log_hill(cover_rgb: U8) -> F32:
    """(H,W,3) uint8 -> (H,W) float32: natural logarithm of the program's HILL costs."""
    return np.log(hill_cost(luma.luma_levels(cover_rgb)))


def train(
    recipe: CostRecipe,
    folder: Path,
    data_root: Path | None,
    minutes: float | None = None,
    reporter: Reporter | None = None,
    *,
    resumed: bool = False,
) -> Outcome:
    """Train in a new folder, or resume a run with its own recipe."""
    run, device = Run(folder), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    content = run.load(recipe.model) if resumed else None
    if content is None and run.checkpoint.exists():
        raise TrainingError(f"{folder} holds a run already", hint=f"--resume {folder}, or another folder")
    folder.mkdir(parents=True, exist_ok=True)
    refs = {name: covers_of(learning_and_judging(name, data_root)[0], ALL) for name in recipe.data}
    feed, task = CoverFeed(refs, recipe, device), CostTask(recipe, device)
    data = {name: {"sha256": feed.keys[name], "covers": len(found)} for name, found in refs.items()}
    table = config.as_table(recipe)
    run.write_json(model=recipe.model, recipe=table, data=data, **environment(device))
    if content is not None:
        task.load_state_dict(content["state"])
    plan = Plan(recipe.model, table, recipe.steps, recipe.validate_every, recipe.checkpoint_every, minutes)
    return fit(task, feed, run, plan, reporter or Plain(), int(content["step"]) if content else 0)


def export(folder: Path, path: Path) -> float:
    """Write the ONNX graph of a run's network into a new file; return its largest difference from torch.

    Raises TrainingError if that exceeds `export.TOLERANCE`.
    """
    check_absent(path, force=False)
    run = Run(folder)
    network = CostNetwork()
    network.load_state_dict(run.load(MODEL)["state"]["network"])
    graph = Graph(COST, network, {"planes": torch.rand((1, 2, 64, 64))}, "correction")
    content, error = checked(graph, {**CONTRACT, "model": run.model_id()})
    save_bytes(path, content)
    return error
