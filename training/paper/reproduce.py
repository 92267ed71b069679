"""The paper's tables measured anew: its figure, ours, the budget and the data, as JSON and Markdown.

python -m stegcli.training.paper --table 5 --budget 2 --data-root DIR

    4  five losses: the basic model is trained for BUDGET minutes with each, then measured for BUDGET minutes
       at most (or on --pairs N)
    5  quality of the models in the box (or of --system RUN|ID ...): BUDGET minutes for each row and system
    6  a steganalyzer learns for BUDGET minutes from the basic model's stegos and judges ISGAN's: the paper's
       design, and with high-pass filters (--seeds N: N of each). The stegos take BUDGET minutes at most
       unless their numbers are given; without --basic and --isgan, these are trained for BUDGET minutes each

Every figure is of pictures that no training has seen, and of 8-bit pixels; tables 4 and 5 read them from
PNG files.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stegcli.errors import ExitCode, StegError, TrainingError
from stegcli.lab.data.photos import SIDE
from stegcli.lab.statistics import bootstrap_interval
from stegcli.pictures.metrics import psnr
from stegcli.pictures.writing import save_text
from stegcli.training.detectors.paper import BATCH_PAIRS, JudgeSettings, judge_pairs, rights, train_judge
from stegcli.training.isgan.losses import TABLE_4
from stegcli.training.loop.checkpoint import environment
from stegcli.training.paper import tables, trials
from stegcli.training.paper.measuring import Measurement, first_exchanges, held_out_pairs, measure
from stegcli.training.paper.report import markdown
from stegcli.training.paper.sheets import GAIN, save_sheet
from stegcli.training.paper.steganalysis import load_covers
from stegcli.training.paper.systems import RunSystem, System, bundled_systems, open_system

COVERS, TEST_COVERS = 500, 200
"""Of table 6, where the budget allows as many stegos."""

TIMED_STEGOS = 2

LEAST_SIDE = 64
"""Pixels: below, the steganalyzer's pyramid has less than a pixel to a cell."""


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for."""

    budget: float
    """Minutes; of what, says the head of this file."""
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
        """The device that will be used: "cpu" or "cuda"."""
        cuda = torch.cuda.is_available() and self.device != "cpu"
        return "cuda" if cuda else "cpu"


Row = dict[str, Any]
U8 = NDArray[np.uint8]


def table_4(wishes: Wishes) -> Row:
    """Train the basic model with each of the five losses and measure it."""
    pairs = held_out_pairs(wishes.dataset, wishes.dataset, wishes.data_root, wishes.pairs or 64)
    rows = []
    for loss, settings in TABLE_4.items():
        folder = wishes.out / "table-4-runs" / loss
        recipe = trials.recipe("table4", wishes, loss=settings, name=f"table4-{loss}")
        trials.train(recipe, folder, wishes)
        system = RunSystem(folder, wishes.torch_device)
        found = measure(system, pairs, None if wishes.pairs else wishes.budget)
        rows.append({"loss": loss, "paper": tables.TABLE_4[loss], **_measured(system, found)})
        save_sheet(
            wishes.out / f"table-4-{loss}.png",
            [(loss, pair) for pair in first_exchanges(system, pairs, wishes.sheet_pairs)],
        )
    return {"what": "losses of the basic model", "data": pairs.facts(), "rows": rows}


def table_5(wishes: Wishes) -> Row:
    """Measure systems on every combination of data sets in the paper's table; figures 4 to 7 beside it."""
    systems = [open_system(name, wishes.weights, wishes.torch_device) for name in wishes.systems]
    systems = systems or bundled_systems(wishes.weights)
    if not systems:
        raise TrainingError("there is no model of family isgan here", "give --weights DIR or --system RUN")
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
            found = measure(system, pairs, wishes.budget)
            row = {"pairs": name, "paper": theirs.get(system.like), "paper_system": system.like}
            rows.append({**row, **_measured(system, found), "data": pairs.facts()})
            shown += [(system.name, pair) for pair in first_exchanges(system, pairs, wishes.sheet_pairs)]
        save_sheet(wishes.out / f"figure-{covers}-{secrets}.png", shown)
    return {"what": "quality by data set", "residual_gain_of_the_sheets": GAIN, "rows": rows}


def table_6(wishes: Wishes) -> Row:
    """Train steganalyzers on the basic model's stegos and let them judge every system's."""
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
    """Covers to learn from and to judge: as wished, or as many as the systems hide in within the budget."""
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
    """A row for each system's stegos, the basic model's first: means over the trainings of a steganalyzer."""
    right: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in shown}
    steps, own = [], []
    for seed in range(1, wishes.seeds + 1):
        settings = JudgeSettings(high_pass, wishes.budget, seed, wishes.steps)
        judge, count = train_judge(*pairs, settings, wishes.torch_device)
        steps.append(count)
        own.append(judge_pairs(judge, *pairs).accuracy)
        for name, stegos in shown.items():
            right[name].append(rights(judge, covers, stegos))
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
    """The basic model and what came of it: as given, or trained with the budget."""
    if wishes.basic or wishes.isgan:
        if not (wishes.basic and wishes.isgan):
            raise TrainingError("table 6 compares two stages", "give both --basic and --isgan, or neither")
        opened = [open_system(n, wishes.weights, wishes.torch_device) for n in (wishes.basic, *wishes.isgan)]
        return opened[0], opened[1:]
    folders = trials.train_both_stages(wishes.out / "table-6-runs", wishes)
    basic, isgan = (RunSystem(folder, wishes.torch_device) for folder in folders)
    return basic, [isgan]


def _isgan_below_basic(rows: Sequence[Row]) -> dict[str, bool]:
    """For each steganalyzer: whether every ISGAN's stegos are found less often, by the 95 % interval."""
    found: dict[str, bool] = {}
    for row in rows:
        below = row["below_basic_interval"] is None or row["below_basic_interval"][0] > 0
        found[row["steganalyzer"]] = found.get(row["steganalyzer"], True) and below
    return found


def _measured(system: System, found: Measurement) -> Row:
    return {
        "system": system.name,
        "ours": found.means(),
        "measured_pairs": len(found.rows),
        "seconds": round(found.seconds, 1),
        "facts": system.facts,
    }


TABLES = {4: table_4, 5: table_5, 6: table_6}


def reproduce(table: int, wishes: Wishes) -> Path:
    """Measure a table and write table-N.json and table-N.md; returns the Markdown's path."""
    wishes.out.mkdir(parents=True, exist_ok=True)
    name = f"table-{table}" if table != 6 else f"table-6-{wishes.dataset.replace(':', '-').replace('/', '-')}"
    name += f"-{wishes.side}" if table == 6 and wishes.side != SIDE else ""
    content = {
        "table": table,
        "command": command(table, wishes),
        "budget_minutes": wishes.budget,
        "steps": wishes.steps,
        "environment": environment(torch.device(wishes.torch_device)),
        **TABLES[table](wishes),
    }
    save_text(wishes.out / f"{name}.json", json.dumps(content, indent=2) + "\n", force=True)
    path = wishes.out / f"{name}.md"
    save_text(path, "\n".join(markdown(content)) + "\n", force=True)
    return path


def command(table: int, wishes: Wishes) -> str:
    """What to type for this table again; of paths only the last part, which names no machine."""
    named = [("--system", name) for name in wishes.systems] + [("--isgan", name) for name in wishes.isgan]
    given = {
        "--budget": f"{wishes.budget:g}",
        "--dataset": wishes.dataset if table != 5 else None,
        "--steps": wishes.steps,
        "--pairs": wishes.pairs,
        "--covers": wishes.covers if table == 6 else None,
        "--test-covers": wishes.test_covers if table == 6 else None,
        "--side": wishes.side if table == 6 else None,
        "--seeds": wishes.seeds if table == 6 else None,
        "--data-root": wishes.data_root and "DATA",
        "--weights": wishes.weights and Path(wishes.weights).name,
        "--basic": wishes.basic and Path(wishes.basic).name,
    }
    words = [f"{name} {value}" for name, value in given.items() if value is not None]
    words += [f"{option} {Path(name).name}" for option, name in named]
    return f"python -m stegcli.training.paper --table {table} {' '.join(words)}"


def parse(arguments: Sequence[str] | None = None) -> tuple[int, Wishes]:
    """The command line -> table and wishes."""
    parser = argparse.ArgumentParser(
        prog="python -m stegcli.training.paper",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--table", type=int, choices=sorted(TABLES), required=True)
    parser.add_argument("--budget", type=float, default=2.0, metavar="MINUTES")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--data-root", type=Path, help="where the data sets lie; else they are downloaded")
    parser.add_argument("--weights", help="folder of models (default: the program's own)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--dataset", default="lfw", help="of tables 4 and 6: lfw, voc2012, imagenet, folder:PATH"
    )
    parser.add_argument(
        "--system", action="append", default=[], metavar="RUN|ID", help="table 5: what to measure"
    )
    parser.add_argument("--basic", metavar="RUN|ID", help="table 6: the basic model")
    parser.add_argument(
        "--isgan", action="append", default=[], metavar="RUN|ID", help="table 6: what came of it"
    )
    parser.add_argument("--pairs", type=int, help="tables 4 and 5: at most this many pairs")
    parser.add_argument("--steps", type=int, help="instead of minutes, for each training of tables 4 and 6")
    parser.add_argument(
        "--covers",
        type=int,
        help=f"table 6: covers to learn from (the paper: 5000; default: {COVERS}, or what BUDGET allows)",
    )
    parser.add_argument(
        "--test-covers",
        type=int,
        help=f"table 6: covers to judge (the paper: 2000; default: {TEST_COVERS}, or what BUDGET allows)",
    )
    parser.add_argument(
        "--side", type=int, default=SIDE, help="table 6: cut covers to their centre (the paper: 256)"
    )
    parser.add_argument("--seeds", type=int, default=1, help="table 6: trainings of each steganalyzer")
    parser.add_argument("--sheet-pairs", type=int, default=2, help="tables 4 and 5: rows of each sheet")
    given = vars(parser.parse_args(arguments))
    table, systems, isgan = given.pop("table"), given.pop("system"), given.pop("isgan")
    if given["budget"] <= 0 or given["seeds"] < 1:
        parser.error("--budget and --seeds must be positive")
    if not LEAST_SIDE <= given["side"] <= SIDE:
        parser.error(f"--side must be within {LEAST_SIDE}..{SIDE}")
    return table, Wishes(systems=tuple(systems), isgan=tuple(isgan), **given)


def main() -> None:
    """Measure, print the Markdown."""
    table, wishes = parse()
    try:
        path = reproduce(table, wishes)
    except StegError as error:
        print(f"error: {error.message}\n  {error.hint}", file=sys.stderr)  # noqa: T201 - a command's output
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    print(path.read_text(encoding="utf-8"))  # noqa: T201
