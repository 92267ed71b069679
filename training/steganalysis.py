"""Table 6's protocol: a steganalyzer learns from covers and the basic model's stegos, then judges ISGAN's.

    covers A ─ basic model ─> stegos A ─┐
    covers A ───────────────────────────┴─> Steganalyzer (SGD)
    covers B ─ each system ─> stegos B ───> its accuracy on B: 0.5 is guessing

No cover of B is among A, nor (where the data set has enough) among any training's pictures.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from stegcli import luma
from stegcli.errors import TrainingError
from stegcli.training import datasets
from stegcli.training.feeds import step_generator
from stegcli.training.isgan_recipe import SteganalyzerSettings
from stegcli.training.measuring import rgb_square
from stegcli.training.networks.steganalyzer import COVER, STEGO, Steganalyzer
from stegcli.training.systems import System

U8 = NDArray[np.uint8]
BATCH_PAIRS = 8
EVALUATION_BATCH = 16


@dataclass(frozen=True)
class JudgeSettings:
    """How a steganalyzer is trained."""

    high_pass: bool
    minutes: float
    """Of training; at least one pass over the pairs is not promised."""
    seed: int = 1
    steps: int | None = None
    """Instead of `minutes`, for a result that does not depend on the machine."""


@dataclass(frozen=True)
class Judged:
    """Share of pictures that the steganalyzer put into their class."""

    accuracy: float
    covers_right: float
    stegos_right: float

    def facts(self) -> dict[str, float]:
        """For the JSON."""
        return {
            "accuracy": self.accuracy,
            "covers_right": self.covers_right,
            "stegos_right": self.stegos_right,
        }


@dataclass(frozen=True)
class Covers:
    """Covers and the secrets that go into them, (N,256,256,3) and (N,256,256) uint8."""

    rgb: U8
    gray: U8

    def stegos(self, system: System) -> U8:
        """(N,256,256,3) uint8: 8-bit pixels, which a PNG keeps as they are."""
        return np.stack([system.stego(c, s) for c, s in zip(self.rgb, self.gray, strict=True)])


def load_covers(dataset: str, data_root: Path | None, train: int, test: int) -> tuple[Covers, Covers]:
    """Covers A from the training pictures, covers B from the held-out ones, and more where these are few.

    Secrets are the covers' own pictures, moved on by one.

    Raises TrainingError when the data set holds too few.
    """
    training, held_out = datasets.splits(dataset, data_root)
    if len(training) + len(held_out) < train + test:
        raise TrainingError(
            f"{dataset} holds {len(training) + len(held_out)} pictures, not {train} + {test}",
            hint="give smaller --covers and --test-covers",
        )
    more = max(0, test - len(held_out))
    return (
        _decoded(dataset, training[: min(train, len(training) - more)]),
        _decoded(dataset, [*held_out, *training[len(training) - more :]][:test]),
    )


def _decoded(dataset: str, refs: Sequence[datasets.ImageRef]) -> Covers:
    rgb = np.stack([rgb_square(dataset, ref) for ref in refs])
    return Covers(rgb, np.roll(luma.gray(rgb), 1, axis=0))


def train_judge(
    covers: U8,
    stegos: U8,
    settings: JudgeSettings,
    device: str = "cpu",
    told: Callable[[int, float], None] | None = None,
) -> tuple[Steganalyzer, int]:
    """A steganalyzer that learned from pairs, and its number of steps: SGD as in the second stage, no noise.

    Both pictures of a pair are in one batch, mirrored alike. The rate falls along a cosine.
    """
    torch.manual_seed(settings.seed)
    chosen, where = SteganalyzerSettings(), torch.device(device)
    judge = Steganalyzer(high_pass=settings.high_pass).to(where)
    optimiser = torch.optim.SGD(
        judge.parameters(), chosen.learning_rate, chosen.momentum, weight_decay=chosen.l2
    )
    begun, step, share = time.monotonic(), 0, 0.0
    while share < 1:
        for group in optimiser.param_groups:
            group["lr"] = chosen.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
        pictures = _batch(covers, stegos, step_generator(settings.seed, step, torch.device("cpu"))).to(where)
        truth = torch.tensor([COVER, STEGO], device=where).repeat_interleave(len(pictures) // 2)
        loss = F.cross_entropy(judge(pictures), truth)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(judge.parameters(), chosen.gradient_clip)
        optimiser.step()
        step += 1
        if told is not None and step % 50 == 0:
            told(step, float(loss))
        share = _share(settings, step, time.monotonic() - begun)
    return judge.eval(), step


def _share(settings: JudgeSettings, step: int, seconds: float) -> float:
    return step / settings.steps if settings.steps else seconds / (60 * settings.minutes)


def _batch(covers: U8, stegos: U8, generator: torch.Generator) -> Tensor:
    """(2 B,3,H,W) float32: covers, then their stegos."""
    rows = torch.randperm(len(covers), generator=generator)[:BATCH_PAIRS].numpy()
    pictures = torch.from_numpy(np.concatenate([covers[rows], stegos[rows]])).permute(0, 3, 1, 2).float()
    flips = torch.rand(2, generator=generator) < 0.5
    return pictures.flip([axis for axis, flip in zip((2, 3), flips, strict=True) if flip])


@torch.no_grad()
def judge_pairs(judge: Steganalyzer, covers: U8, stegos: U8) -> Judged:
    """How well the steganalyzer tells covers from stegos."""
    covers_right = float(np.mean(_votes(judge, covers) == COVER))
    stegos_right = float(np.mean(_votes(judge, stegos) == STEGO))
    return Judged((covers_right + stegos_right) / 2, covers_right, stegos_right)


def _votes(judge: Steganalyzer, rgb: U8) -> NDArray[np.int64]:
    where = next(judge.parameters()).device
    parts = [
        judge(torch.from_numpy(rgb[i : i + EVALUATION_BATCH]).permute(0, 3, 1, 2).to(where)).argmax(1)
        for i in range(0, len(rgb), EVALUATION_BATCH)
    ]
    return torch.cat(parts).cpu().numpy()
