"""Training of the paper's steganalyzer on pairs, and its accuracy on others: arrays in, figures out."""

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
    """Settings of a steganalyzer's training."""

    high_pass: bool
    minutes: float
    """Minutes of training; they may not suffice for one pass over the pairs."""
    seed: int = 1
    steps: int | None = None
    """Number of steps instead of `minutes`, for a result that does not depend on the machine's speed."""


@dataclass(frozen=True)
class Judged:
    """Shares of pictures that the steganalyzer classified correctly."""

    accuracy: float
    covers_right: float
    stegos_right: float

    def facts(self) -> dict[str, float]:
        """Return the figures for a JSON file."""
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
    report: Callable[[int, float], None] | None = None,
) -> tuple[Steganalyzer, int]:
    """Train a steganalyzer on pairs; return it, and its number of steps.

    The optimiser is the SGD of the second stage, without noisy labels. Both pictures of a pair are in one
    batch, mirrored alike. The learning rate follows a cosine.
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
        if report is not None and step % 50 == 0:
            report(step, float(loss.detach()))
        share = _share(settings, step, time.monotonic() - begun)
    return judge.eval(), step


EPOCHS, TRAIN_SHARE = 12, 5 / 7
"""The training share is the paper's: 5,000 pictures to train, 2,000 to test."""


def accuracy(covers: U8, stegos: U8, seed: int) -> float:
    """Return the accuracy of the paper's steganalyzer, without high-pass filters, on held-out pairs."""
    split = round(len(covers) * TRAIN_SHARE)
    settings = JudgeSettings(False, minutes=0.0, seed=seed, steps=EPOCHS * (split // BATCH_PAIRS))
    judge, _ = train_judge(covers[:split], stegos[:split], settings)
    return judge_pairs(judge, covers[split:], stegos[split:]).accuracy


def _share(settings: JudgeSettings, step: int, seconds: float) -> float:
    return step / settings.steps if settings.steps else seconds / (60 * settings.minutes)


def _batch(covers: U8, stegos: U8, generator: torch.Generator) -> Tensor:
    """Draw a batch, (2 B,3,H,W) float32: covers, then their stegos."""
    rows = torch.randperm(len(covers), generator=generator)[:BATCH_PAIRS].numpy()
    pictures = torch.from_numpy(np.concatenate([covers[rows], stegos[rows]])).permute(0, 3, 1, 2).float()
    flips = torch.rand(2, generator=generator) < 0.5
    return pictures.flip([axis for axis, flip in zip((2, 3), flips, strict=True) if flip])


def judge_pairs(judge: Steganalyzer, covers: U8, stegos: U8) -> Judged:
    """Return the shares of covers and stegos that the steganalyzer classifies correctly."""
    covers_right, stegos_right = correct(judge, covers, stegos).mean(axis=0).tolist()
    return Judged((covers_right + stegos_right) / 2, covers_right, stegos_right)


@torch.no_grad()
def correct(judge: Steganalyzer, covers: U8, stegos: U8) -> NDArray[np.bool_]:
    """Return (N, 2): whether each pair's cover and stego are classified correctly."""
    return np.stack([_votes(judge, covers) == COVER, _votes(judge, stegos) == STEGO], axis=1)


def _votes(judge: Steganalyzer, rgb: U8) -> NDArray[np.int64]:
    where = next(judge.parameters()).device
    parts = [
        judge(torch.from_numpy(rgb[i : i + EVALUATION_BATCH]).permute(0, 3, 1, 2).to(where)).argmax(1)
        for i in range(0, len(rgb), EVALUATION_BATCH)
    ]
    return torch.cat(parts).cpu().numpy()
