"""Train SRNet from large payloads to small ones: each spread starts from the weights of the one before.

    covers, stegos at spread 1 ─ SRNet ─> at spread 4 ─ the same SRNet ─> at 16 ...

From scratch it detects nothing at large spreads, which says nothing about the stegos. Both pictures of a
pair are in one batch, cropped and rotated alike (Boroumand, Chen and Fridrich 2019), so that the scene never
distinguishes the classes. Each stage keeps the weights that did best on the validation pairs.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from stegcli.lab import statistics
from stegcli.training import gradients
from stegcli.training.data.feeds import step_generator
from stegcli.training.detectors.networks import COVER, STEGO, SRNet

F64 = NDArray[np.float64]
Report = Callable[[str], None]

REPORT_EVERY = 100
"""Steps between two lines of output."""


@dataclass(frozen=True)
class StageSettings:
    """Settings of a stage; learning rate and regularisation as in the paper, with our own schedule."""

    minutes: float
    steps: int | None = None
    """Number of steps instead of `minutes`, for a result that does not depend on the machine."""
    seed: int = 0
    batch_pairs: int = 32
    crop: int = 192
    """Side of the square training crops in pixels; whole pictures are judged."""
    learning_rate: float = 1e-3
    """Peak rate of Adamax: reached in the first twentieth, kept until `hold`, then decayed by a cosine."""
    gain: float = 1.0
    """Initial factor by which changes are amplified; from the middle of the stage on, it is 1."""
    hold: float = 0.4
    l2: float = 2e-4
    """Weight of the L2 regularisation of the convolutions."""
    gradient_clip: float = 5.0
    checks: int = 8
    """Number of validations, evenly spread over the part in which the rate decays."""
    half_precision: bool = False
    """Whether to use bfloat16, except in the first and last layers and in normalisation statistics."""
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.minutes <= 0 or (self.steps is not None and self.steps < 1):
            raise ValueError("minutes and steps must be positive")
        if min(self.batch_pairs, self.crop, self.checks) < 1:
            raise ValueError("batch_pairs, crop and checks must be at least 1")

    def rate(self, share: float) -> float:
        """Return the learning rate at a share, 0..1, of the stage."""
        falling = max(0.0, share - self.hold) / (1 - self.hold)
        return self.learning_rate * min(1.0, (share + 0.002) * 20) * 0.5 * (1 + math.cos(math.pi * falling))

    def gain_at(self, share: float) -> float:
        """Return the factor by which changes are amplified at a share of the stage."""
        return 1 + (self.gain - 1) * max(0.0, 1 - 2 * share)

    def share(self, step: int, seconds: float) -> float:
        """Return the share of the stage that is over."""
        return min(1.0, step / self.steps if self.steps else seconds / (60 * self.minutes))


@dataclass(frozen=True)
class Pairs:
    """Pictures and their partners on the device, row by row: (N,H,W,3) uint8 both."""

    covers: Tensor
    stegos: Tensor

    def __len__(self) -> int:
        return len(self.covers)

    def draw(self, settings: StageSettings, step: int, gain: float = 1.0) -> Tensor:
        """Return (2 B,3,crop,crop) float32, channels last: covers, then their stegos, cropped alike."""
        generator = step_generator(settings.seed, step, self.covers.device)
        where = self._windows(settings, generator)
        turned = torch.rand(len(where[0]), 1, 1, 1, generator=generator, device=self.covers.device) < 0.5
        covers, stegos = (_turned(pictures[where], turned).float() for pictures in (self.covers, self.stegos))
        return torch.cat([covers, torch.lerp(covers, stegos, gain)]).permute(0, 3, 1, 2)

    def _windows(self, settings: StageSettings, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return indices that gather a (B,crop,crop) crop from each row, mirrored or not along each axis."""
        device, count, crop = self.covers.device, settings.batch_pairs, settings.crop
        rows = torch.randint(len(self), (count, 1, 1), generator=generator, device=device)
        along = torch.arange(crop, device=device)
        places = []
        for side in self.covers.shape[1:3]:
            start = torch.randint(side - crop + 1, (count, 1), generator=generator, device=device)
            mirrored = torch.rand(count, 1, generator=generator, device=device) < 0.5
            places.append(start + torch.where(mirrored, crop - 1 - along, along))
        return rows, places[0][:, :, None], places[1][:, None, :]


def _turned(pictures: Tensor, chosen: Tensor) -> Tensor:
    """(B,S,S,3), with rows and columns of the chosen pictures swapped."""
    return torch.where(chosen, pictures.transpose(1, 2), pictures)


@dataclass(frozen=True)
class Stage:
    """Result of a stage."""

    steps: int
    minutes: float
    validation_auc: float
    threshold: float
    """Threshold of an alarm: the best one for the validation pairs."""


def train_stage(
    network: SRNet, learned: Pairs, validation: Pairs, settings: StageSettings, report: Report | None = None
) -> Stage:
    """Train `network` from its current weights; keep the best by validation, including the initial ones."""
    torch.manual_seed(settings.seed)
    forward = torch.compile(network) if settings.compiled else network
    optimiser = torch.optim.Adamax(_by_decay(network, settings.l2), settings.learning_rate, foreach=True)
    best, state = _validated(network, validation, settings), copy.deepcopy(network.state_dict())
    begun, step, share, checked = time.monotonic(), 0, 0.0, 0
    while share < 1:
        for group in optimiser.param_groups:
            group["lr"] = settings.rate(share)
        pictures = learned.draw(settings, step, settings.gain_at(share))
        loss = _update(network.train(), forward, optimiser, pictures, settings)
        step += 1
        if step == 1:  # it includes choosing kernels or compiling
            begun = time.monotonic()
        if report is not None and step % REPORT_EVERY == 0:
            report(f"step {step}, loss {float(loss.detach()):.4f}, {time.monotonic() - begun:.0f} s")
        share = settings.share(step, time.monotonic() - begun)
        due = int(settings.checks * max(0.0, share - settings.hold) / (1 - settings.hold) + 1e-9)
        if due > checked:
            checked = due
            found = _validated(network, validation, settings)
            if report is not None:
                report(f"step {step}, AUC on validation {found:.4f}")
            if found >= best:
                best, state = found, copy.deepcopy(network.state_dict())
    network.load_state_dict(state)
    threshold = statistics.best_threshold(*scores(network, validation, settings.half_precision, VIEWS))
    return Stage(step, (time.monotonic() - begun) / 60, best, threshold)


def _validated(network: SRNet, validation: Pairs, settings: StageSettings) -> float:
    # Not the loss: after a change of spread its scale is off, and a network that decides nothing has less.
    return statistics.auc(*scores(network, validation, settings.half_precision))


def _update(
    network: SRNet,
    forward: Callable[[Tensor], Tensor],
    optimiser: torch.optim.Optimizer,
    pictures: Tensor,
    settings: StageSettings,
) -> Tensor:
    covers = torch.arange(len(pictures), device=pictures.device) < len(pictures) // 2
    truth = torch.where(covers, COVER, STEGO)
    with torch.autocast(pictures.device.type, torch.bfloat16, enabled=settings.half_precision):
        logits = forward(pictures)
    loss = F.cross_entropy(logits, truth)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    gradients.clip(network, settings.gradient_clip)
    optimiser.step()
    return loss.detach()


def _by_decay(network: nn.Module, l2: float) -> list[dict[str, object]]:
    """Return parameter groups: kernels are regularised, normalisations and biases are not."""
    kernels = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return [{"params": kernels, "weight_decay": l2}, {"params": others, "weight_decay": 0.0}]


ONE_VIEW = ((False, ()),)
VIEWS = tuple((turn, axes) for turn in (False, True) for axes in ((), (2,), (3,), (2, 3)))
"""The eight orientations of a picture: (rows and columns swapped, mirrored axes)."""


@torch.no_grad()
def scores(
    network: SRNet,
    pairs: Pairs,
    half_precision: bool = False,
    views: Sequence[tuple[bool, tuple[int, ...]]] = ONE_VIEW,
    batch: int = 64,
) -> tuple[F64, F64]:
    """Return (N,) for covers and for stegos: logits of stego minus cover, averaged over the views."""
    network.eval()

    def of(pictures: Tensor) -> F64:
        parts = []
        for part in torch.split(pictures, batch):
            with torch.autocast(part.device.type, torch.bfloat16, enabled=half_precision):
                shown = part.permute(0, 3, 1, 2)
                logits = [network((shown.transpose(2, 3) if t else shown).flip(axes)) for t, axes in views]
            mean = torch.stack(logits).mean(dim=0)
            parts.append(mean[:, STEGO] - mean[:, COVER])
        return torch.cat(parts).double().cpu().numpy()

    return of(pairs.covers), of(pairs.stegos)
