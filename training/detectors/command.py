"""Measure how well networks tell covers from stegos of the phase channel: SRNet and the paper's.

First, on a machine with the program and the photographs (ten pictures per second and processor):

    python -m stegcli.training detectors --prepare pairs.npz --dataset imagenet,voc2012 --data-root photos

Then, on any machine with torch, numpy, Pillow and Typer; a GPU is needed to finish within minutes:

    python -m stegcli.training detectors --data pairs.npz --judge srnet --minutes 1,1.3,1.3,0.7 --out s.json
    python -m stegcli.training detectors --data pairs.npz --judge paper --minutes 0.3 --out paper.json

SRNet is trained from the smallest spread to the largest, each stage from the weights of the one before (see
`curriculum`). Fixed shares of the covers are for training, for choosing weights and threshold, and for
the figures. A last stage is trained to tell covers from other covers, from the same weights with the same
code, and must end at 0.5 on pictures that it was not trained on.

The paper's steganalyzer (Zhang, Dong and Liu 2019, Table 6) starts from scratch at each spread and is trained
on five pictures in seven, as in the paper; its figure is its accuracy on the other two.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stegcli.errors import UsageError
from stegcli.lab import statistics
from stegcli.lab.provenance import command
from stegcli.lab.security import verdicts
from stegcli.pictures import metrics
from stegcli.pictures.writing import save_text
from stegcli.training.detectors import curriculum, pair_file
from stegcli.training.detectors.curriculum import Pairs, StageSettings
from stegcli.training.detectors.networks import SRNet
from stegcli.training.detectors.pair_file import PairSet
from stegcli.training.detectors.paper import TRAIN_SHARE, JudgeSettings, correct, judge_pairs, train_judge
from stegcli.training.loop.checkpoint import environment

U8 = NDArray[np.uint8]
Rows = list[dict[str, Any]]

FIRST = {"learning_rate": 1e-3, "gain": 4.0}
LATER = {"learning_rate": 5e-4}
"""Settings of SRNet's first stage, and of those that continue from its weights. With twice the rate, or
without the gain, short first stages ended at chance or near it."""
LEARNED, VALIDATION = 0.65, 0.1
"""Shares of the covers for SRNet; the figures come from the rest."""


@dataclass(frozen=True)
class Wishes:
    """Options of the command line."""

    judge: str
    out: Path
    spreads: tuple[int, ...]
    """Ascending; empty for those in the data."""
    minutes: tuple[float, ...]
    """Minutes for each spread's training, or one for all."""
    control_minutes: float
    steps: int | None
    seed: int
    device: torch.device
    batch_pairs: int
    crop: int
    full_precision: bool
    compiled: bool

    def stage(self, minutes: float, *, first: bool) -> StageSettings:
        """Return the settings of one of SRNet's stages."""
        return StageSettings(
            **(FIRST if first else LATER),
            minutes=minutes,
            steps=self.steps,
            seed=self.seed,
            batch_pairs=self.batch_pairs,
            crop=self.crop,
            half_precision=self.device.type == "cuda" and not self.full_precision,
            compiled=self.compiled,
        )


def judged_by_srnet(pairs: PairSet, wishes: Wishes, written: Callable[[Rows], None]) -> None:
    """Train SRNet with a curriculum, then the control; `written` is called with the rows after each stage."""
    parts = _parts(len(pairs.covers), (LEARNED, VALIDATION), wishes.seed)
    torch.manual_seed(wishes.seed)
    network = SRNet().to(wishes.device)
    if wishes.device.type == "cuda":
        network = network.to(memory_format=torch.channels_last)
    rows: Rows = []
    covers = torch.from_numpy(pairs.covers).to(wishes.device)
    places = [torch.from_numpy(part).to(wishes.device) for part in parts]
    for spread, minutes in zip(wishes.spreads, wishes.minutes, strict=True):
        stegos = torch.from_numpy(pairs.stegos[spread]).to(wishes.device)
        sides = [Pairs(covers[part], stegos[part]) for part in places]
        psnr = _psnr(pairs.covers[parts[2]], pairs.stegos[spread][parts[2]])
        rows.append(
            _stage(f"phase, spread {spread}", network, sides, wishes.stage(minutes, first=not rows), psnr)
        )
        written(rows)
    if wishes.control_minutes:
        sides = [_halves(covers[part]) for part in places]
        settings = wishes.stage(wishes.control_minutes, first=False)
        rows.insert(0, _stage(verdicts.COVER_CONTROL, network, sides, settings, None))
        written(rows)


def _stage(
    name: str, network: SRNet, sides: Sequence[Pairs], settings: StageSettings, psnr_db: float | None
) -> dict[str, Any]:
    learned, validation, held_out = sides
    stage = curriculum.train_stage(
        network, learned, validation, settings, lambda line: _say(f"{name}: {line}")
    )
    half = settings.half_precision
    own = curriculum.scores(
        network, Pairs(learned.covers[: len(held_out)], learned.stegos[: len(held_out)]), half
    )
    found = curriculum.scores(network, held_out, half, curriculum.VIEWS)
    row = verdicts.row(
        name,
        found[0],
        found[1],
        settings.seed,
        stego_psnr_db=psnr_db,
        threshold=stage.threshold,
    )
    interval = f"{row.error_low:.3f} to {row.error_high:.3f}"
    _say(f"{name}: P_E {row.detection_error:.3f} ({interval}), AUC {row.auc:.3f}, {stage.steps} steps")
    return {
        **asdict(row),
        "auc_on_what_it_learned": statistics.auc(*own),
        **asdict(stage),
        "settings": asdict(settings),
    }


def _halves(covers: torch.Tensor) -> Pairs:
    """Return pairs of the first half with the second."""
    half = len(covers) // 2
    return Pairs(covers[:half], covers[half : 2 * half])


def judged_by_paper(pairs: PairSet, wishes: Wishes, written: Callable[[Rows], None]) -> None:
    """Train the paper's steganalyzer at each spread; `written` is called with the rows after each."""
    learned, held_out = _parts(len(pairs.covers), (TRAIN_SHARE,), wishes.seed)
    rows: Rows = []
    for spread, minutes in zip(wishes.spreads, wishes.minutes, strict=True):
        begun = time.monotonic()
        settings = JudgeSettings(high_pass=False, minutes=minutes, seed=wishes.seed, steps=wishes.steps)
        covers, stegos = pairs.covers, pairs.stegos[spread]
        judge, steps = train_judge(covers[learned], stegos[learned], settings, wishes.device.type, _loss_line)
        found = correct(judge, covers[held_out], stegos[held_out])
        low, high = statistics.bootstrap_interval(found.mean(axis=1), wishes.seed)
        own = judge_pairs(judge, covers[learned[: len(held_out)]], stegos[learned[: len(held_out)]])
        covers_right, stegos_right = found.mean(axis=0).tolist()
        rows.append(
            {
                "subject": f"phase, spread {spread}",
                "pairs": len(held_out),
                "stego_psnr_db": _psnr(covers[held_out], stegos[held_out]),
                "accuracy": float(found.mean()),
                "accuracy_low": low,
                "accuracy_high": high,
                "covers_right": covers_right,
                "stegos_right": stegos_right,
                "accuracy_on_what_it_learned": own.accuracy,
                "steps": steps,
                "minutes": (time.monotonic() - begun) / 60,
            }
        )
        _say(f"spread {spread}: accuracy {found.mean():.3f} ({low:.3f} to {high:.3f}), {steps} steps")
        written(rows)


def _loss_line(step: int, loss: float) -> None:
    if step % 500 == 0:
        _say(f"step {step}, loss {loss:.4f}")


def _parts(count: int, shares: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Return shuffled indices of pictures in parts with these shares; the last part is what remains."""
    ends = np.round(np.cumsum(shares) * count).astype(int)
    return np.split(np.random.default_rng(seed).permutation(count), ends)


def _psnr(covers: U8, stegos: U8) -> float:
    return float(np.mean([metrics.psnr(c, s) for c, s in zip(covers, stegos, strict=True)]))


JUDGES: dict[str, Callable[[PairSet, Wishes, Callable[[Rows], None]], None]] = {
    "srnet": judged_by_srnet,
    "paper": judged_by_paper,
}


def measure(paths: Sequence[Path], wishes: Wishes) -> None:
    """Train and judge on the pairs in these files, and write the JSON again after each row.

    Raises:
        UsageError: the data lack a spread, or there are not as many times as spreads.
    """
    begun = time.monotonic()
    pairs = pair_file.load(paths)
    _say(f"{len(pairs.covers)} covers, read in {time.monotonic() - begun:.0f} s")
    wishes = _suited(wishes, pairs)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True  # crops have one size, so that the search for a kernel pays
    begun = time.monotonic()
    facts = {
        "command": command("python", "-m", "stegcli.training", "detectors"),
        "what": "security",
        "version": pairs.version,
        "detector": {"srnet": "SRNet, by curriculum", "paper": "the paper's steganalyzer"}[wishes.judge],
        "sources": list(pairs.sources),
        "covers": len(pairs.covers),
        "covers_sha256": pairs.digest,
        "learned": round((LEARNED if wishes.judge == "srnet" else TRAIN_SHARE) * len(pairs.covers)),
        "seed": wishes.seed,
        "environment": environment(wishes.device),
    }

    def written(rows: Rows) -> None:
        minutes = (time.monotonic() - begun) / 60
        text = json.dumps({**facts, "minutes": minutes, "rows": rows}, indent=2) + "\n"
        save_text(wishes.out, text, force=True)

    JUDGES[wishes.judge](pairs, wishes, written)


def _suited(wishes: Wishes, pairs: PairSet) -> Wishes:
    """Return the options with every spread and its minutes filled in."""
    spreads = wishes.spreads or tuple(sorted(pairs.stegos))
    if not set(spreads) <= set(pairs.stegos):
        raise UsageError(
            "the data lack some of the spreads", f"Choices: {', '.join(map(str, pairs.stegos))}."
        )
    minutes = wishes.minutes * len(spreads) if len(wishes.minutes) == 1 else wishes.minutes
    if len(minutes) != len(spreads):
        raise UsageError(
            f"--minutes has {len(minutes)} numbers for {len(spreads)} spreads",
            "Give one number for each spread, or one for all.",
        )
    return replace(wishes, spreads=spreads, minutes=minutes)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a command's talk
