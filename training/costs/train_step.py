"""Training of the cost network against a judge, whose loss rewards the choice of pixels.

    cover ─> log HILL + network ─> simulated channel ─> stego ─> judge ─> loss ─> judge learns
                 └──── reward of each change: how much it raised that loss (first order) ────┘

The choice of a pixel is not differentiable, but its probability is: costs are trained by policy gradient with
one reward for each changed pixel, as in SPAR-RL (Tang, Li, Barni, Li, Huang, "An automatic cost learning
framework for image steganography using deep reinforcement learning", IEEE TIFS 16, 2021), whose reward this
is; the game is that of ASDL-GAN (Tang et al. 2017) and UT-GAN (Yang et al. 2020). These fix the payload by an
entropy; here the channel itself fixes it at one symbol per group.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stegcli.lab import statistics
from stegcli.training import gradients
from stegcli.training.config import check_data, positive
from stegcli.training.costs.networks import ColourJudge, CostNetwork
from stegcli.training.costs.simulated_channel import SimulatedChannel, Written
from stegcli.training.data.feeds import step_generator
from stegcli.training.isgan.quantise import luma
from stegcli.training.isgan.steganalyzer import COVER, STEGO
from stegcli.training.loop.fit import Batch

CHANNEL_STREAM = 1


@dataclass(frozen=True)
class CostRecipe:
    """Settings for training the cost network; times in steps."""

    model: str = "phase-cost"
    name: str = "phase-cost"
    seed: int = 1
    steps: int = 2_600
    batch_size: int = 6
    """Number of covers; the judge also sees as many stegos."""
    crop: int = 128
    """Side of the square crops in pixels; even."""
    spreads: tuple[int, ...] = (4, 8)
    """Spreads used in turn; the first one is validated."""
    lam: float = 0.001
    """Lambda of the channel; see `single.LAMBDAS`."""
    learning_rate: float = 3e-4
    """Learning rate of the costs. At 1e-3 they hit their bounds in 100 steps, before the judge can follow."""
    judge_learning_rate: float = 2e-3
    judge_first: int = 200
    """Steps before the costs are trained, in which the judge learns enough to be useful."""
    gradient_clip: float = 1.0
    validate_every: int = 250
    checkpoint_every: int = 250
    validation_covers: int = 48
    data: dict[str, float] = field(default_factory=lambda: {"imagenet": 1.0, "voc2012": 1.0})
    """Data set -> weight: "imagenet", "voc2012", "folder:PATH"."""

    def __post_init__(self) -> None:
        positive(self, "steps", "batch_size", "validate_every", "checkpoint_every")
        if self.judge_first < 0:
            raise ValueError("judge_first must not be negative")
        if self.crop % 2 or not 32 <= self.crop <= 192:
            raise ValueError(f"crop must be even, within 32..192 (got {self.crop})")
        if not self.spreads or min(self.spreads) < 2:
            raise ValueError("spreads: at least one, none below 2, where there is a choice")
        check_data(self.data)


class CostTask:
    """Network, judge, optimisers and validation (the Task protocol); runs on one device, in float32."""

    def __init__(self, recipe: CostRecipe, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device = recipe, device
        self.network, self.judge = CostNetwork().to(device), ColourJudge().to(device)
        self.channel = SimulatedChannel(recipe.lam, device)
        self.optimisers = {
            "network": torch.optim.Adam(self.network.parameters(), recipe.learning_rate),
            "judge": torch.optim.Adam(self.judge.parameters(), recipe.judge_learning_rate),
        }

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Update both, given {"cover": (B,3,H,W) uint8, "log_hill": (B,1,H,W) float32}."""
        self._set_rates(step)
        self.judge.train()
        spread = self.recipe.spreads[step % len(self.recipe.spreads)]
        cover, generator = batch["cover"].float(), self._generator(step)
        correction = self.network(_planes(cover, batch["log_hill"]))
        written = self.channel.write(cover, batch["log_hill"] + correction, spread, generator)
        stego = written.stego.requires_grad_()
        loss, error = self._train_judge(cover, stego)
        if step >= self.recipe.judge_first:
            self._costs_learn(written, stego.grad)
        return {
            "loss": loss,
            f"error_{spread}": error,
            "correction": correction.detach().std(),
        }

    def _train_judge(self, cover: Tensor, stego: Tensor) -> tuple[Tensor, Tensor]:
        """Train the judge for one step; return its loss and error rate; `stego` keeps the loss's gradient."""
        logits = self.judge(torch.cat([cover, stego]))
        truth = torch.tensor([COVER, STEGO], device=self.device).repeat_interleave(len(cover))
        loss = F.cross_entropy(logits, truth)
        loss.backward()  # type: ignore[no-untyped-call]
        self._move("judge", self.judge)
        return loss.detach(), (logits.detach().argmax(1) != truth).float().mean()

    def _costs_learn(self, written: Written, gradient: Tensor | None) -> None:
        """Train the costs for one step: changes that raised the judge's loss become more likely."""
        if gradient is None:
            raise TypeError("the judge's loss must have reached the stego")
        reward, changed = rewards(written, gradient)
        loss = -(reward * written.log_chance).sum() / changed.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        self._move("network", self.network)

    def _move(self, name: str, module: nn.Module) -> None:
        gradients.clip(module, self.recipe.gradient_clip)
        self.optimisers[name].step()
        self.optimisers[name].zero_grad(set_to_none=True)

    def _set_rates(self, step: int) -> None:
        """Keep the judge's rate, or the costs win by its weakness; theirs rises, then decays by a cosine."""
        share = max(0, step - self.recipe.judge_first) / max(1, self.recipe.steps - self.recipe.judge_first)
        rate = self.recipe.learning_rate * min(1.0, 20 * share) * 0.5 * (1 + math.cos(math.pi * share))
        for group in self.optimisers["network"].param_groups:
            group["lr"] = rate

    def _generator(self, step: int) -> torch.Generator:
        return step_generator(self.recipe.seed, step, self.device, CHANNEL_STREAM)

    @torch.no_grad()
    def validate(self, batches: Mapping[str, list[Batch]]) -> dict[str, float]:
        """Return the judge's area under the ROC on unseen covers, for stegos by HILL's and by learned costs.

        It was trained only on the latter, which favours the former: no proof, but a sign of progress.
        """
        self.judge.eval()
        figures = {}
        for name, parts in batches.items():
            scores = [self._scores(part, number) for number, part in enumerate(parts)]
            cover, hill, learned = torch.cat(scores, dim=1).double().cpu().numpy()
            figures[f"{name}/auc_hill"] = statistics.auc(cover, hill)
            figures[f"{name}/auc_learned"] = statistics.auc(cover, learned)
        return figures

    def _scores(self, batch: Batch, number: int) -> Tensor:
        """(3,B) logits of covers, of stegos by HILL's costs, and of stegos by learned ones; the same keys."""
        cover, log_hill = batch["cover"].float(), batch["log_hill"]
        shown = [cover]
        for log_cost in (log_hill, log_hill + self.network(_planes(cover, log_hill))):
            generator = self._generator(-1 - number)
            shown.append(self.channel.write(cover, log_cost, self.recipe.spreads[0], generator).stego)
        logits = torch.stack([self.judge(pictures) for pictures in shown])
        return logits[..., STEGO] - logits[..., COVER]

    @torch.no_grad()
    def samples(self, batch: Batch) -> dict[str, Tensor]:
        """Return a cover, its log HILL cost and the correction side by side; dark is cheap."""
        cover, log_hill = batch["cover"][:1].float(), batch["log_hill"][:1]
        correction = self.network(_planes(cover, log_hill))
        maps = [_stretched(plane[0]).expand(3, -1, -1) for plane in (log_hill, correction)]
        return {"costs": torch.cat([cover[0] / 255, *maps], dim=2)}

    def begin_from(self, state: dict[str, Any]) -> None:
        """Load the networks only."""
        self.network.load_state_dict(state["network"])
        self.judge.load_state_dict(state["judge"])

    def state_dict(self) -> dict[str, Any]:
        """Return networks and optimisers."""
        return {
            "network": self.network.state_dict(),
            "judge": self.judge.state_dict(),
            "optimisers": {name: each.state_dict() for name, each in self.optimisers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.begin_from(state)
        for name, each in self.optimisers.items():
            each.load_state_dict(state["optimisers"][name])


def rewards(written: Written, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return rewards of choices, (B,G), of mean 0 and variance 1 over a picture's changes; and their mask.

    `gradient` (B,3,H,W) is the gradient of the judge's loss with respect to the stego.
    """
    slope = gradient.flatten(2).gather(2, written.pixel[:, None].expand(-1, 3, -1))
    raised = (slope * written.step).sum(dim=1)
    changed = written.step.abs().sum(dim=1) > 0
    count = changed.sum(dim=1, keepdim=True).clamp(min=1)
    centred = (raised - raised.sum(dim=1, keepdim=True) / count) * changed
    spread = (centred.square().sum(dim=1, keepdim=True) / count).sqrt()
    return centred / spread.clamp(min=1e-12), changed


def _planes(cover: Tensor, log_hill: Tensor) -> Tensor:
    """Return the network's input, (B,2,H,W)."""
    return torch.cat([luma(cover), log_hill], dim=1)


def _stretched(plane: Tensor) -> Tensor:
    low, high = plane.aminmax()
    return (plane - low) / (high - low).clamp(min=1e-6)
