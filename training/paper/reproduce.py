"""Reproduce the paper's tables: its figure, ours, the budget and the data, as JSON and Markdown.

`python -m stegcli.training reproduce --help` says how long each table takes.

All figures are for pictures that no training has seen, and for 8-bit pixels; tables 4 and 5 read them from
PNG files.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stegcli.errors import TrainingError
from stegcli.lab.data.photos import SIDE
from stegcli.lab.provenance import command
from stegcli.lab.statistics import bootstrap_interval
from stegcli.pictures.metrics import psnr
from stegcli.pictures.writing import save_text
from stegcli.training import choices, config, run
from stegcli.training.detectors.paper import BATCH_PAIRS, JudgeSettings, correct, judge_pairs, train_judge
from stegcli.training.isgan.losses import TABLE_4
from stegcli.training.isgan.recipe import IsganRecipe
from stegcli.training.loop.checkpoint import Run, environment
from stegcli.training.loop.throughput import seconds_per_step
from stegcli.training.paper import tables
from stegcli.training.paper.measuring import Measurement, facts, held_out_pairs, measure_pairs
from stegcli.training.paper.steganalysis import load_covers
from stegcli.training.paper.systems import System, bundled_systems, open_system, run_system
from stegcli.training.paper.tables import GAIN, save_sheet

COVERS, TEST_COVERS = 500, 200
"""Covers for table 6, if the budget allows that many stegos."""

TIMED_STEGOS = 2

CPU_CROP, CPU_BATCH = 48, 4
"""Crop and batch of the short trainings without a GPU: minutes must suffice for some hundred steps."""
TIMED_STEPS = 3
VALIDATED = 2
"""Pictures that a short training itself validates on: the figures are measured from files afterwards."""


@dataclass(frozen=True)
class Wishes:
    """Options of the command line."""

    budget: float
    """Minutes; the command's help says for what."""
    out: Path
    data_root: Path | None = None
    weights: str | None = None
    device: str = "auto"
    dataset: str = "lfw"
    systems: tuple[str, ...] = ()
    basic: str | None = None
    isgan: tuple[str, ...] = ()
    pairs: int | None = None
    steps: int | None = None
    covers: int | None = None
    test_covers: int | None = None
    side: int = SIDE
    seeds: int = 1
    sheet_pairs: int = 2

    @property
    def torch_device(self) -> str:
        """Device to use: "cpu" or "cuda"."""
        cuda = torch.cuda.is_available() and self.device != "cpu"
        return "cuda" if cuda else "cpu"


Row = dict[str, Any]
U8 = NDArray[np.uint8]


def table_4(wishes: Wishes) -> Row:
    """Train the basic model with each of the five losses, and measure it."""
    pairs = held_out_pairs(wishes.dataset, wishes.dataset, wishes.data_root, wishes.pairs or 64)
    rows = []
    for loss, settings in TABLE_4.items():
        folder = wishes.out / "table-4-runs" / loss
        _train(_short_recipe(wishes, loss=settings, name=f"table4-{loss}"), folder, wishes)
        system = run_system(folder, wishes.torch_device)
        minutes = None if wishes.pairs else wishes.budget
        found = measure_pairs(system, pairs, minutes, wishes.sheet_pairs)
        rows.append({"loss": loss, "paper": tables.TABLE_4[loss], **_measured(system, found)})
        save_sheet(wishes.out / f"table-4-{loss}.png", [(loss, *shown) for shown in found.shown])
    return {"what": "losses of the basic model", "data": facts(pairs), "rows": rows}


def table_5(wishes: Wishes) -> Row:
    """Measure systems on every combination of data sets in the paper's table, and draw figures 4 to 7."""
    systems = [open_system(name, wishes.weights, wishes.torch_device) for name in wishes.systems]
    systems = systems or bundled_systems(wishes.weights)
    if not systems:
        raise TrainingError("no model of the family isgan is installed", "give --weights DIR or --system RUN")
    rows = []
    for (covers, secrets), theirs in tables.TABLE_5.items():
        name = f"{covers} / {secrets}"
        try:
            pairs = held_out_pairs(covers, secrets, wishes.data_root, wishes.pairs)
        except TrainingError as error:
            rows.append({"pairs": name, "not_measured": error.message})
            continue
        shown = []
        for system in systems:
            found = measure_pairs(system, pairs, wishes.budget, wishes.sheet_pairs)
            row = {"pairs": name, "paper": theirs.get(system.like), "paper_system": system.like}
            rows.append({**row, **_measured(system, found), "data": facts(pairs)})
            shown += [(system.name, *each) for each in found.shown]
        save_sheet(wishes.out / f"figure-{covers}-{secrets}.png", shown)
    return {"what": "quality by data set", "residual_gain_of_the_sheets": GAIN, "rows": rows}


def table_6(wishes: Wishes) -> Row:
    """Train steganalyzers on the basic model's stegos, and test them on every system's."""
    basic, others = _hiders_of_table_6(wishes)
    learned, judged = load_covers(
        wishes.dataset, wishes.data_root, *_covers_of_table_6([basic, *others], wishes), wishes.side
    )
    pairs = (learned.rgb, learned.stegos(basic))
    shown = {system.name: judged.stegos(system) for system in (basic, *others)}
    rows = [
        {"steganalyzer": "with high-pass filters" if high_pass else "the paper's", **row}
        for high_pass in (False, True)
        for row in _judgements(high_pass, pairs, judged.rgb, shown, wishes)
    ]
    return {
        "what": "accuracy of a steganalyzer trained on the basic model's stegos",
        "data": {
            "set": wishes.dataset,
            "learned": len(learned.rgb),
            "judged": len(judged.rgb),
            "side": judged.rgb.shape[1],
        },
        "seeds": wishes.seeds,
        "systems": [system.facts for system in (basic, *others)],
        "paper": tables.TABLE_6.get(wishes.dataset),
        "isgan_below_basic": _isgan_below_basic(rows),
        "rows": rows,
    }


def _covers_of_table_6(systems: Sequence[System], wishes: Wishes) -> tuple[int, int]:
    """Return covers to train and test on: as requested, or as many as systems hide in within the budget."""
    if wishes.covers and wishes.test_covers:
        return wishes.covers, wishes.test_covers
    few, _ = load_covers(wishes.dataset, wishes.data_root, TIMED_STEGOS, 1, wishes.side)
    begun = time.perf_counter()
    few.stegos(systems[0])
    seconds = (time.perf_counter() - begun) / TIMED_STEGOS
    stegos = min(60 * wishes.budget / seconds, COVERS + len(systems) * TEST_COVERS)
    share = stegos / (COVERS + len(systems) * TEST_COVERS)
    return (
        wishes.covers or max(BATCH_PAIRS, int(share * COVERS)),
        wishes.test_covers or max(BATCH_PAIRS, int(share * TEST_COVERS)),
    )


def _judgements(
    high_pass: bool, pairs: tuple[U8, U8], covers: U8, shown: Mapping[str, U8], wishes: Wishes
) -> list[Row]:
    """Return a row for each system's stegos, the basic model's first: means over the trainings."""
    right: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in shown}
    steps, own = [], []
    for seed in range(1, wishes.seeds + 1):
        settings = JudgeSettings(high_pass, wishes.budget, seed, wishes.steps)
        judge, count = train_judge(*pairs, settings, wishes.torch_device)
        steps.append(count)
        own.append(judge_pairs(judge, *pairs).accuracy)
        for name, stegos in shown.items():
            right[name].append(correct(judge, covers, stegos))
    basic = np.mean(right[next(iter(shown))], axis=(0, 2))
    rows = []
    for name, stegos in shown.items():
        covers_right, stegos_right = np.mean(right[name], axis=(0, 1)).tolist()
        below = basic - np.mean(right[name], axis=(0, 2))
        rows.append(
            {
                "stegos": name,
                "stego_psnr_db": mean(map(psnr, covers, stegos)),
                "accuracy": (covers_right + stegos_right) / 2,
                "accuracy_by_seed": np.mean(right[name], axis=(1, 2)).tolist(),
                "covers_right": covers_right,
                "stegos_right": stegos_right,
                "below_basic": float(below.mean()),
                "below_basic_interval": bootstrap_interval(below, seed=0) if rows else None,
                "steps": round(mean(steps)),
                "accuracy_on_what_it_learned": mean(own),
            }
        )
    return rows


def _hiders_of_table_6(wishes: Wishes) -> tuple[System, list[System]]:
    """Return the basic model and those trained further from it: as given, or trained within the budget."""
    if wishes.basic or wishes.isgan:
        if not (wishes.basic and wishes.isgan):
            raise TrainingError("table 6 compares two stages", "give both --basic and --isgan, or neither")
        opened = [open_system(n, wishes.weights, wishes.torch_device) for n in (wishes.basic, *wishes.isgan)]
        return opened[0], opened[1:]
    folders = _train_both_stages(wishes.out / "table-6-runs", wishes)
    basic, isgan = (run_system(folder, wishes.torch_device) for folder in folders)
    return basic, [isgan]


def _isgan_below_basic(rows: Sequence[Row]) -> dict[str, bool]:
    """Return, by steganalyzer, whether all ISGAN stegos are detected less often, by the 95 % interval."""
    found: dict[str, bool] = {}
    for row in rows:
        below = row["below_basic_interval"] is None or row["below_basic_interval"][0] > 0
        found[row["steganalyzer"]] = found.get(row["steganalyzer"], True) and below
    return found


def _measured(system: System, found: Measurement) -> Row:
    return {
        "system": system.name,
        "ours": found.means(),
        "intervals": found.intervals(),
        "measured_pairs": len(found.rows),
        "seconds": round(found.seconds, 1),
        "facts": system.facts,
    }


def _short_recipe(wishes: Wishes, **changes: Any) -> IsganRecipe:  # noqa: ANN401 - a recipe's settings
    """Return the recipe of table 4 with the requested data, as long as the budget allows on this device."""
    found = config.build(IsganRecipe, config.read_table("table4"))
    if wishes.torch_device == "cpu":
        changes |= {"crop": CPU_CROP, "batch_size": CPU_BATCH}
    changes |= {"data": {wishes.dataset: 1.0}, "validation_images": VALIDATED}
    found = dataclasses.replace(found, **changes)
    steps = wishes.steps
    if steps is None:
        pace = seconds_per_step(found, run.make_accelerator(wishes.device), TIMED_STEPS)
        steps = max(20, round(60 * wishes.budget / pace))
    return choices.with_steps(found, steps)  # type: ignore[return-value]


def _train(recipe: IsganRecipe, folder: Path, wishes: Wishes) -> None:
    """Train in `folder`; a finished run is kept, and an unfinished one resumed."""
    options = run.TrainOptions(data_root=wishes.data_root, device=wishes.device)
    if not (folder / "checkpoint.pt").exists():
        run.start(recipe, folder, options)
    elif Run(folder).load()["step"] < run.recipe_of(folder).steps:  # type: ignore[union-attr]
        run.resume(folder, options)


def _train_both_stages(folder: Path, wishes: Wishes) -> tuple[Path, Path]:
    """Return runs of the basic model, and of ISGAN trained equally long from it against a steganalyzer.

    The steganalyzer's head start is at most a tenth of its stage.
    """
    basic, isgan = folder / "basic", folder / "isgan"
    first = _short_recipe(wishes, name="table6-basic")
    _train(first, basic, wishes)
    if not (isgan / "checkpoint.pt").exists():
        judge = first.steganalyzer
        judge = dataclasses.replace(judge, warmup_steps=min(judge.warmup_steps, first.steps // 10))
        second = dataclasses.replace(
            first, model="isgan", name="table6-isgan", basic_steps=0, adversarial_steps=first.steps,
            ssim_only_steps=0, steganalyzer=judge,
        )  # fmt: skip
        isgan.mkdir(parents=True)
        state = Run(basic).load("isgan-basic")["state"]
        Run(isgan).save(second.model, 0, config.as_table(second), state)
    _train(first, isgan, wishes)
    return basic, isgan


TABLES = {4: table_4, 5: table_5, 6: table_6}


def reproduce(table: int, wishes: Wishes) -> Path:
    """Measure a table and write table-N.json and table-N.md; return the path of the Markdown file."""
    wishes.out.mkdir(parents=True, exist_ok=True)
    name = f"table-{table}" if table != 6 else f"table-6-{wishes.dataset.replace(':', '-').replace('/', '-')}"
    name += f"-{wishes.side}" if table == 6 and wishes.side != SIDE else ""
    content = {
        "table": table,
        "command": command("python", "-m", "stegcli.training"),
        "budget_minutes": wishes.budget,
        "steps": wishes.steps,
        "environment": environment(torch.device(wishes.torch_device)),
        **TABLES[table](wishes),
    }
    save_text(wishes.out / f"{name}.json", json.dumps(content, indent=2) + "\n", force=True)
    path = wishes.out / f"{name}.md"
    save_text(path, tables.report(content), force=True)
    return path
