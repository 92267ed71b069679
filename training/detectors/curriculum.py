"""SRNet learns from large payloads to small ones: each spread starts from what the spread before it taught.

    covers, stegos at spread 1 ─ SRNet ─> at spread 4 ─ the same SRNet ─> at 16 ...

From scratch it finds nothing at large spreads, and that says nothing about the stegos. Both pictures of a
pair are in one batch, cut and turned alike (Boroumand, Chen and Fridrich 2019), so that what differs between
the classes is never the scene. Of each stage the weights that did best on the validation pairs are kept.
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
Told = Callable[[str], None]

TOLD_EVERY = 100
"""Steps between two lines of talk."""


@dataclass(frozen=True)
class StageSettings:
    """How one stage is trained; learning rate and regularisation as in the paper, the schedule is ours."""

    minutes: float
    steps: int | None = None
    """Instead of `minutes`, for a result that does not depend on the machine."""
    seed: int = 0
    batch_pairs: int = 32
    crop: int = 192
    """Side of the square windows that are trained on; whole pictures are judged."""
    learning_rate: float = 1e-3
    """Of Adamax: risen to in the first twentieth, held to `hold`, then a cosine to zero."""
    gain: float = 1.0
    """Changes are so many times as large at first, and as they are from the middle of the stage on."""
    hold: float = 0.4
    l2: float = 2e-4
    """Weight of the L2 regularisation of the convolutions."""
    gradient_clip: float = 5.0
    checks: int = 8
    """Times that the validation pairs are judged, evenly over the part in which the rate falls."""
    half_precision: bool = False
    """bfloat16, but for the first convolution, the normalisations' statistics and the last layer."""
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.minutes <= 0 or (self.steps is not None and self.steps < 1):
            raise ValueError("minutes and steps must be positive")
        if min(self.batch_pairs, self.crop, self.checks) < 1:
            raise ValueError("batch_pairs, crop and checks must be at least 1")

    def rate(self, share: float) -> float:
        """Learning rate when so much of the stage is over, 0..1."""
        falling = max(0.0, share - self.hold) / (1 - self.hold)
        return self.learning_rate * min(1.0, (share + 0.002) * 20) * 0.5 * (1 + math.cos(math.pi * falling))

    def gain_at(self, share: float) -> float:
        """How many times as large changes are when so much of the stage is over."""
        return 1 + (self.gain - 1) * max(0.0, 1 - 2 * share)

    def share(self, step: int, seconds: float) -> float:
        """How much of the stage is over."""
        return min(1.0, step / self.steps if self.steps else seconds / (60 * self.minutes))


@dataclass(frozen=True)
class Pairs:
    """Pictures and their partners on the device: (N,H,W,3) uint8 both, row by row."""

    covers: Tensor
    stegos: Tensor

    def __len__(self) -> int:
        return len(self.covers)

    def draw(self, settings: StageSettings, step: int, gain: float = 1.0) -> Tensor:
        """(2 B,3,crop,crop) float32, channels last: covers, then their stegos, cut and turned as they are."""
        generator = step_generator(settings.seed, step, self.covers.device)
        where = self._windows(settings, generator)
        turned = torch.rand(len(where[0]), 1, 1, 1, generator=generator, device=self.covers.device) < 0.5
        covers, stegos = (_turned(pictures[where], turned).float() for pictures in (self.covers, self.stegos))
        return torch.cat([covers, torch.lerp(covers, stegos, gain)]).permute(0, 3, 1, 2)

    def _windows(self, settings: StageSettings, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Indices that gather a (B,crop,crop) window of each row, mirrored or not along each axis."""
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
    """(B,S,S,3), the chosen ones with rows and columns exchanged."""
    return torch.where(chosen, pictures.transpose(1, 2), pictures)


@dataclass(frozen=True)
class Stage:
    """What a stage did."""

    steps: int
    minutes: float
    validation_auc: float
    threshold: float
    """Of alarm: the best for the validation pairs."""


def train_stage(
    network: SRNet, learned: Pairs, validation: Pairs, settings: StageSettings, told: Told | None = None
) -> Stage:
    """Train `network` from the weights that it has; it ends with the best, those included, by validation."""
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
        if step == 1:  # which chose kernels, or compiled
            begun = time.monotonic()
        if told is not None and step % TOLD_EVERY == 0:
            told(f"step {step}, loss {float(loss.detach()):.4f}, {time.monotonic() - begun:.0f} s")
        share = settings.share(step, time.monotonic() - begun)
        due = int(settings.checks * max(0.0, share - settings.hold) / (1 - settings.hold) + 1e-9)
        if due > checked:
            checked = due
            found = _validated(network, validation, settings)
            if told is not None:
                told(f"step {step}, AUC on validation {found:.4f}")
            if found >= best:
                best, state = found, copy.deepcopy(network.state_dict())
    network.load_state_dict(state)
    threshold = statistics.best_threshold(*scores(network, validation, settings.half_precision, VIEWS))
    return Stage(step, (time.monotonic() - begun) / 60, best, threshold)


def _validated(network: SRNet, validation: Pairs, settings: StageSettings) -> float:
    # Not the loss: right after a change of spread its scale is off, and a network that says nothing has less.
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
    """Parameter groups: kernels are regularised, normalisations and biases are not."""
    kernels = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return [{"params": kernels, "weight_decay": l2}, {"params": others, "weight_decay": 0.0}]


ONE_VIEW = ((False, ()),)
VIEWS = tuple((turn, axes) for turn in (False, True) for axes in ((), (2,), (3,), (2, 3)))
"""A picture in its eight orientations: (rows and columns exchanged, mirrored axes)."""


@torch.no_grad()
def scores(
    network: SRNet,
    pairs: Pairs,
    half_precision: bool = False,
    views: Sequence[tuple[bool, tuple[int, ...]]] = ONE_VIEW,
    batch: int = 64,
) -> tuple[F64, F64]:
    """(N,) of the covers and of the stegos: logits of stego over cover, averaged over the views."""
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
