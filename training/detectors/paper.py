"""The paper's steganalyzer, trained on pairs and asked about others: arrays in, figures out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from stegcli.training import gradients
from stegcli.training.data.feeds import step_generator
from stegcli.training.isgan.recipe import SteganalyzerSettings
from stegcli.training.isgan.steganalyzer import COVER, STEGO, Steganalyzer

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
        gradients.clip(judge, chosen.gradient_clip)
        optimiser.step()
        step += 1
        if told is not None and step % 50 == 0:
            told(step, float(loss.detach()))
        share = _share(settings, step, time.monotonic() - begun)
    return judge.eval(), step


EPOCHS, TRAIN_SHARE = 12, 5 / 7
"""The share is the paper's: 5,000 pictures to train, 2,000 to test."""


def accuracy(covers: U8, stegos: U8, seed: int) -> float:
    """The accuracy of the paper's steganalyzer, without high-pass filters, on pairs that it did not learn."""
    split = round(len(covers) * TRAIN_SHARE)
    settings = JudgeSettings(False, minutes=0.0, seed=seed, steps=EPOCHS * (split // BATCH_PAIRS))
    judge, _ = train_judge(covers[:split], stegos[:split], settings)
    return judge_pairs(judge, covers[split:], stegos[split:]).accuracy


def _share(settings: JudgeSettings, step: int, seconds: float) -> float:
    return step / settings.steps if settings.steps else seconds / (60 * settings.minutes)


def _batch(covers: U8, stegos: U8, generator: torch.Generator) -> Tensor:
    """(2 B,3,H,W) float32: covers, then their stegos."""
    rows = torch.randperm(len(covers), generator=generator)[:BATCH_PAIRS].numpy()
    pictures = torch.from_numpy(np.concatenate([covers[rows], stegos[rows]])).permute(0, 3, 1, 2).float()
    flips = torch.rand(2, generator=generator) < 0.5
    return pictures.flip([axis for axis, flip in zip((2, 3), flips, strict=True) if flip])


def judge_pairs(judge: Steganalyzer, covers: U8, stegos: U8) -> Judged:
    """How well the steganalyzer tells covers from stegos."""
    covers_right, stegos_right = rights(judge, covers, stegos).mean(axis=0).tolist()
    return Judged((covers_right + stegos_right) / 2, covers_right, stegos_right)


@torch.no_grad()
def rights(judge: Steganalyzer, covers: U8, stegos: U8) -> NDArray[np.bool_]:
    """(N, 2): whether each pair's cover and stego were put into their class."""
    return np.stack([_votes(judge, covers) == COVER, _votes(judge, stegos) == STEGO], axis=1)


def _votes(judge: Steganalyzer, rgb: U8) -> NDArray[np.int64]:
    where = next(judge.parameters()).device
    parts = [
        judge(torch.from_numpy(rgb[i : i + EVALUATION_BATCH]).permute(0, 3, 1, 2).to(where)).argmax(1)
        for i in range(0, len(rgb), EVALUATION_BATCH)
    ]
    return torch.cat(parts).cpu().numpy()
