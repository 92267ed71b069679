"""The steganalyzer's side of the game: its optimiser, its labels, and a memory of stegos.

Everything random is drawn from the step's generator, so that a resumed run plays the same game.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional as F

from stegcli.training import gradients
from stegcli.training.isgan.recipe import SteganalyzerSettings
from stegcli.training.isgan.steganalyzer import COVER, STEGO, Steganalyzer


class StegoPool:
    """Past stegos, shown again so that the steganalyzer does not forget what the generator did before.

    Half of each batch is swapped for remembered ones (after Shrivastava et al. 2017).
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.pictures = torch.empty(0, dtype=torch.uint8)

    def exchange(self, fresh: Tensor, generator: torch.Generator) -> Tensor:
        """(B,3,H,W), whole numbers in 0..255 -> the same shape, about half of it replaced by past stegos."""
        if self.size == 0:
            return fresh
        if len(self.pictures) < self.size:
            self._fill(fresh)
            return fresh
        count = min(len(fresh), self.size)
        slots = torch.randperm(self.size, generator=generator, device=fresh.device)[:count]
        keep = torch.rand((count, 1, 1, 1), generator=generator, device=fresh.device) < 0.5
        past, present = self.pictures[slots], fresh[:count].to(torch.uint8)
        self.pictures[slots] = torch.where(keep, past, present)
        mixed = torch.where(keep, present, past).to(fresh.dtype)
        return torch.cat([mixed, fresh[count:]])

    def _fill(self, fresh: Tensor) -> None:
        known = self.pictures.to(fresh.device) if len(self.pictures) else fresh[:0].to(torch.uint8)
        self.pictures = torch.cat([known, fresh[: self.size - len(known)].to(torch.uint8)])


class Watch:
    """Detects when a steganalyzer has nothing more to teach.

    It wins if the generator finds no answer: then its verdict hardly depends on the stego any more. It
    collapses if it puts every picture into one class, and then it distinguishes nothing. The figures are
    means over its last steps and over all processes, so that these come to the same decision.
    """

    STEPS = 64
    """Number of its steps that are examined, each time only new ones."""
    SURE = 0.99
    """Share of a class's pictures assigned to it that counts as all; at most 1 - SURE counts as none."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.shares = torch.zeros(self.STEPS, 2, device=accelerator.device)
        self.count = 0

    def see(self, covers_right: Tensor, stegos_right: Tensor) -> str:
        """Shares in the last step, 0..1 -> why the steganalyzer can teach nothing more; empty if it can."""
        self.shares[self.count % self.STEPS] = torch.stack([covers_right, stegos_right])
        self.count += 1
        if self.count % self.STEPS:
            return ""
        covers, stegos = self.accelerator.reduce(self.shares.mean(dim=0), "mean").tolist()
        answers = f"it recognises {covers:.1%} of the covers and {stegos:.1%} of the stegos"
        if min(covers, stegos) >= self.SURE:
            return (
                f"the steganalyzer has won ({answers}), so the generator continues without it: "
                "lower its learning_rate, raise its interval or the adversarial_weight"
            )
        if min(covers, stegos) <= 1 - self.SURE and max(covers, stegos) >= self.SURE:
            return (
                f"the steganalyzer has collapsed ({answers}), so the generator continues without it: "
                "lower its learning_rate, or give it more warmup_steps"
            )
        return ""

    def state_dict(self) -> dict[str, Any]:
        """Return what it has seen."""
        return {"shares": self.shares, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.shares.copy_(state["shares"])
        self.count = int(state["count"])


class Adversary:
    """Steganalyzer, SGD and pool, with a watch that tells whether it is still useful."""

    def __init__(self, settings: SteganalyzerSettings, accelerator: Accelerator, *, compiled: bool) -> None:
        self.settings, self.accelerator = settings, accelerator
        self.network = Steganalyzer(high_pass=settings.high_pass).to(accelerator.device)
        wrapped = accelerator.prepare_model(self.network)
        self.learner = torch.compile(wrapped) if compiled else wrapped
        self.judge = torch.compile(self.network) if compiled else self.network
        self.optimiser = torch.optim.SGD(
            self.network.parameters(), settings.learning_rate, settings.momentum, weight_decay=settings.l2
        )
        self.pool = StegoPool(settings.pool_size)
        self.watch = Watch(accelerator)
        self.stopped = ""
        self.last = {
            f"steganalyzer_{name}": torch.zeros((), device=accelerator.device)
            for name in ("loss", "accuracy_cover", "accuracy_stego", "gradient_norm")
        }

    def verdict_on(self, stego_rgb: Tensor, *, flip_labels: bool) -> Tensor:
        """Return the generator's adversarial loss; its gradient reaches the stego, not the steganalyzer.

        The steganalyzer uses its running statistics here: those of a batch of stegos alone would conceal what
        all of them have in common.
        """
        self.network.eval().requires_grad_(False)
        with self.accelerator.autocast():
            logits = self.judge(stego_rgb)
        self.network.train().requires_grad_(True)
        likelihood = F.log_softmax(logits.float(), dim=1)
        return -likelihood[:, COVER].mean() if flip_labels else likelihood[:, STEGO].mean()

    def learn(
        self, cover: Tensor, stego_rgb: Tensor, generator: torch.Generator, *, in_play: bool = True
    ) -> None:
        """Do one step of SGD on covers and stegos, (B,3,H,W) each in 0..255; figures are stored in `last`.

        `in_play` says whether the generator already uses its verdict: only then can it have won.
        """
        stegos = self.pool.exchange(stego_rgb.detach(), generator)
        truth = torch.arange(2, device=cover.device).repeat_interleave(len(cover))
        swapped = (
            torch.rand(len(truth), generator=generator, device=cover.device) < self.settings.noisy_labels
        )
        labels = torch.where(swapped, 1 - truth, truth)
        with self.accelerator.autocast():
            logits = self.learner(torch.cat([cover.float(), stegos]))
        loss = F.cross_entropy(logits.float(), labels)
        self.accelerator.backward(loss)
        norm = gradients.clip(self.network, self.settings.gradient_clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self._remember(loss, logits, truth, norm)
        if in_play:
            self.stopped = self.watch.see(
                *(self.last[f"steganalyzer_accuracy_{of}"] for of in ("cover", "stego"))
            )

    @torch.no_grad()
    def detection_error(self, cover: Tensor, stego_rgb: Tensor) -> Tensor:
        """(B,3,H,W) each in 0..255 -> (B,): share of each pair that is judged wrongly (0, 0.5, 1)."""
        self.network.eval()
        false_alarm = self.network(cover).argmax(1) != COVER
        missed = self.network(stego_rgb).argmax(1) != STEGO
        self.network.train()
        return (false_alarm.float() + missed.float()) / 2

    def _remember(self, loss: Tensor, logits: Tensor, truth: Tensor, norm: Tensor) -> None:
        right = (logits.detach().argmax(1) == truth).float().chunk(2)
        values = (loss.detach(), right[COVER].mean(), right[STEGO].mean(), norm.detach())
        self.last = dict(zip(self.last, values, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Return network, optimiser, pool and the last figures."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "pool": self.pool.pictures,
            "last": self.last,
            "watch": self.watch.state_dict(),
            "stopped": self.stopped,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.pool.pictures = state["pool"].to(self.accelerator.device, copy=True)
        self.last = dict(state["last"])
        self.stopped = state.get("stopped", "")
        if "watch" in state:
            self.watch.load_state_dict(state["watch"])
