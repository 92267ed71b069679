"""Training of the image-in-image networks in two stages: the basic model, then against a steganalyzer.

    step ─ generator: mixed loss (+ adversarial loss in the second stage), Adam
         └ every few steps of the second stage, the steganalyzer: cross entropy, SGD

A steganalyzer that loses (both accuracies near 0.5) shows in the `steganalyzer_*` scalars. One that wins or
collapses has nothing more to teach: the log says so, and training continues without it (`adversary.Watch`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from stegcli.training import gradients
from stegcli.training.data.feeds import step_generator
from stegcli.training.isgan.adversary import Adversary
from stegcli.training.isgan.generator import Generator, Hidden
from stegcli.training.isgan.layers import freeze_statistics, measure_statistics
from stegcli.training.isgan.losses import ssim, weighted_sum
from stegcli.training.isgan.networks import unfold
from stegcli.training.isgan.quantise import luma
from stegcli.training.isgan.recipe import IsganRecipe
from stegcli.training.loop.captured import CapturedStep, load_optimiser, set_rate
from stegcli.training.loop.fit import Batch, Networks
from stegcli.training.loop.muon import Muon

log = logging.getLogger(__name__)

ADVERSARY_STREAM = 2
PIXEL_PLANES = 4
"""A convolution from or to at most this many planes reads or writes pixels."""
RESIDUAL_GAIN = 10
"""Factor by which residuals are amplified around gray in the sample grids."""


Updated = tuple[Tensor, dict[str, Tensor]]
"""Stego (B,3,H,W), whole numbers in 0..255, and scalars by name."""


@dataclass(frozen=True)
class Manner:
    """Properties in which generator steps differ."""

    frozen: bool
    """Whether to normalise with the running statistics."""
    ms_ssim: bool
    """Whether MS-SSIM has its share of the loss."""
    adversary: bool
    """Whether the steganalyzer's verdict is used."""


class IsganTask:
    """Generator, adversary, their losses and validation (the Task protocol).

    On one CUDA device the generator's step is captured once for each manner and replayed (`loop.captured`).
    """

    def __init__(self, recipe: IsganRecipe, accelerator: Accelerator, *, compiled: bool = False) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.accelerator, self.device = recipe, accelerator, accelerator.device
        layout = torch.channels_last if self.device.type == "cuda" else torch.contiguous_format
        self.generator = Generator(recipe.model).to(self.device, memory_format=layout)
        wrapped = accelerator.prepare_model(self.generator)
        self.forward = torch.compile(wrapped) if compiled else wrapped
        self.captures = self.device.type == "cuda" and accelerator.num_processes == 1
        self.optimisers = _optimisers(self.generator, recipe, captured=self.captures)
        self.updates: dict[Manner, CapturedStep[Updated]] = {}
        self.statistics_are_known = True
        self.adversary = (
            Adversary(recipe.steganalyzer, accelerator, compiled=compiled)
            if recipe.adversarial_steps
            else None
        )

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Do a generator step, and the steganalyzer's when it is due.

        Scalars: loss, its parts and every term by name, stego_psnr_db and revealed_psnr_db of the batch,
        gradient_norm, rate; in the second stage adversarial_loss and the figures of the steganalyzer's last
        step.
        """
        cover, secret = batch["cover"], batch["secret"]
        manner = self._manner(step)
        if not manner.frozen and not self.statistics_are_known:
            measure_statistics(self.generator, lambda: self.generator(cover, secret))
            self.statistics_are_known = True
        freeze_statistics(self.generator, manner.frozen)
        self._set_rates(step)
        stego_rgb, scalars = self._updater(manner)(cover, secret)
        scalars = {**scalars, "rate": torch.tensor(self.recipe.rate(step))}
        scalars |= self._adversary_step(cover, stego_rgb, step)
        return {name: value.detach() for name, value in scalars.items()}

    def _manner(self, step: int) -> Manner:
        """Return the manner of a step: no verdict before the steganalyzer's first steps or after its end."""
        recipe = self.recipe
        heard = step >= recipe.basic_steps + recipe.steganalyzer.warmup_steps
        return Manner(
            frozen=step >= recipe.steps - recipe.frozen_steps,
            ms_ssim=step >= recipe.ssim_only_steps,
            adversary=heard and self.adversary is not None and not self.adversary.stopped,
        )

    def _updater(self, manner: Manner) -> Callable[[Tensor, Tensor], Updated]:
        if not self.captures:
            return partial(self._update, manner)
        if manner not in self.updates:
            self.updates = {manner: CapturedStep(partial(self._update, manner))}
        return self.updates[manner]

    def _update(self, manner: Manner, cover: Tensor, secret: Tensor) -> Updated:
        """Do forward, backward and optimiser steps; return the stego (B,3,H,W), and scalars by name."""
        with self.accelerator.autocast():
            hidden = Hidden(*self.forward(cover, secret))
        sums = weighted_sum(hidden.terms, self.recipe.loss, ms_ssim_yet=manner.ms_ssim)
        adversarial = self._adversarial_loss(hidden.stego_rgb) if manner.adversary else {}
        loss = sums["basic_loss"] + self.recipe.adversarial_weight * adversarial.get("adversarial_loss", 0.0)
        self.accelerator.backward(loss)
        norm = gradients.clip(self.generator, self.recipe.gradient_clip)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        scalars = {"loss": loss, **sums, **hidden.terms, **adversarial, "gradient_norm": norm}
        scalars |= _training_psnr(cover, hidden)
        return hidden.stego_rgb.detach(), {name: value.detach() for name, value in scalars.items()}

    def _adversarial_loss(self, stego_rgb: Tensor) -> dict[str, Tensor]:
        if self.adversary is None:
            return {}
        return {"adversarial_loss": self.adversary.verdict_on(stego_rgb, flip_labels=self.recipe.flip_labels)}

    def _set_rates(self, step: int) -> None:
        bases = (self.recipe.learning_rate, self.recipe.muon_learning_rate)
        for optimiser, base in zip(self.optimisers, bases, strict=False):
            set_rate(optimiser, base * self.recipe.rate(step))

    def _adversary_step(self, cover: Tensor, stego_rgb: Tensor, step: int) -> dict[str, Tensor]:
        """Train the steganalyzer if its step is due; return the figures of its last step."""
        into_stage = step - self.recipe.basic_steps
        if self.adversary is None or into_stage < 0:
            return {}
        settings = self.recipe.steganalyzer
        first = into_stage < settings.warmup_steps
        if not self.adversary.stopped and (first or into_stage % settings.interval == 0):
            stream = ADVERSARY_STREAM + 4 * self.accelerator.process_index
            generator = step_generator(self.recipe.seed, step, self.device, stream)
            self.adversary.learn(cover, stego_rgb, generator, in_play=not first)
            if self.adversary.stopped:
                log.warning("step %d: %s", step, self.adversary.stopped)
        stopped = torch.tensor(float(bool(self.adversary.stopped)))
        return {**self.adversary.last, "steganalyzer_stopped": stopped}

    @torch.no_grad()
    def validate(self, batches: Mapping[str, list[Batch]]) -> dict[str, float]:
        """Return figures by data set, from 8-bit pixels, in float32 and with running statistics.

        They are PSNR (dB) and SSIM of stego against cover (RGB; SSIM of luma, too) and of revealed against
        secret, and the steganalyzer's detection error.
        """
        figures: dict[str, float] = {}
        for name, parts in batches.items():
            rows: dict[str, list[Tensor]] = {}
            for part in parts:
                for figure, values in self._figures(part).items():
                    rows.setdefault(figure, []).append(values)
            figures |= {
                f"{name}/{figure}": float(torch.cat(values).mean()) for figure, values in rows.items()
            }
        return figures

    def _figures(self, batch: Batch) -> dict[str, Tensor]:
        """Return figure -> (B,)."""
        cover, secret = batch["cover"].float(), batch["secret"].float()
        stego, revealed = self._hide_and_reveal(batch)
        figures = {
            "stego_psnr_db": psnr_db(stego, cover),
            "stego_ssim": ssim(stego / 255, cover / 255),
            "stego_luma_ssim": ssim(luma(stego) / 255, luma(cover) / 255),
            "revealed_psnr_db": psnr_db(revealed, secret),
            "revealed_ssim": ssim(revealed / 255, secret / 255),
        }
        if self.adversary is not None:
            figures["detection_error"] = self.adversary.detection_error(cover, stego)
        return figures

    def _hide_and_reveal(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return stego (B,3,H,W) and revealed (B,1,H,W): whole numbers in 0..255, float32."""
        generator = self.generator
        generator.eval()
        stego = generator.hide(batch["cover"].float(), batch["secret"].float() / 255)
        revealed = generator.decoder(generator.carrier(stego))
        generator.train()
        return stego, (255 * revealed).clamp(0, 255).round()

    @torch.no_grad()
    def samples(self, batch: Batch) -> dict[str, Tensor]:
        """Return a grid of up to four rows: cover, stego, secret, revealed; residuals are amplified."""
        batch = {name: pictures[:4] for name, pictures in batch.items()}
        cover, secret = batch["cover"].float(), batch["secret"].float()
        stego, revealed = self._hide_and_reveal(batch)
        columns = [
            *(cover, stego, 127.5 + RESIDUAL_GAIN * (stego - cover)),
            *(secret, revealed, 127.5 + RESIDUAL_GAIN * (revealed - secret)),
        ]
        row = torch.cat([column.expand(-1, 3, -1, -1) for column in columns], dim=3)
        grid = torch.cat(list(row), dim=1) / 255
        return {f"cover_stego_secret_revealed_residuals_x{RESIDUAL_GAIN}": grid.clamp(0, 1).cpu()}

    def begin_from(self, state: dict[str, Any]) -> None:
        """Load the state of another run, with its optimisers if its checkpoint has them."""
        own = {"optimisers": [optimiser.state_dict() for optimiser in self.optimisers]}
        self.load_state_dict({**own, **state})

    def begin_from_weights(self, networks: Networks) -> None:
        """Load the networks alone; their batch normalisation is folded in exported files (`isgan.unfold`)."""
        unfold(self.generator.encoder, networks["encoder"])
        unfold(self.generator.decoder, networks["decoder"])
        self.statistics_are_known = False

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the generator, of its optimisers, and of the adversary if there is one."""
        state = {
            "generator": self.generator.state_dict(),
            "statistics_are_known": self.statistics_are_known,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
        }
        return state if self.adversary is None else {**state, "adversary": self.adversary.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what `state_dict` returned; given a basic model's state, the adversary stays untrained."""
        self.generator.load_state_dict(state["generator"])
        self.statistics_are_known = state.get("statistics_are_known", True)
        for optimiser, part in zip(self.optimisers, state["optimisers"], strict=True):
            load_optimiser(optimiser, part)
        if self.adversary is not None and "adversary" in state:
            self.adversary.load_state_dict(state["adversary"])


def psnr_db(a: Tensor, b: Tensor) -> Tensor:
    """(B,C,H,W) each in 0..255 -> (B,) PSNR in dB, peak 255; 108 for equal pictures."""
    return 10 * torch.log10(255**2 / (a - b).square().mean((1, 2, 3)).clamp_min(1e-6))


@torch.no_grad()
def _training_psnr(cover: Tensor, hidden: Hidden) -> dict[str, Tensor]:
    """Return PSNR from the mean squared errors of the batch."""
    stego_mse = (hidden.stego_rgb - cover).square().mean() / 255**2
    return {
        "stego_psnr_db": -10 * torch.log10(stego_mse.clamp_min(1e-10)),
        "revealed_psnr_db": -10 * torch.log10(hidden.terms["secret_mse"].clamp_min(1e-10)),
    }


def _optimisers(network: nn.Module, recipe: IsganRecipe, *, captured: bool) -> list[torch.optim.Optimizer]:
    """Return Adam, and Muon for the inner convolutions if the recipe gives Muon a rate.

    Convolutions that Adam trains are regularised; biases and batch normalisation are not.
    """

    def rate(value: float) -> float | Tensor:
        return torch.tensor(value, device=convolutions[0].device) if captured else value

    convolutions = [p for p in network.parameters() if p.ndim == 4]
    others = [p for p in network.parameters() if p.ndim != 4]
    inner = [p for p in convolutions if min(p.shape[:2]) > PIXEL_PLANES] if recipe.muon_learning_rate else []
    known = {id(p) for p in inner}
    edges = [p for p in convolutions if id(p) not in known]
    adam = torch.optim.Adam(
        [{"params": edges, "weight_decay": recipe.l2}, {"params": others, "weight_decay": 0.0}],
        lr=rate(recipe.learning_rate),
        betas=(recipe.betas[0], recipe.betas[1]),
        fused=others[0].is_cuda,
        capturable=captured,
    )
    if not inner:
        return [adam]
    return [adam, Muon(inner, rate(recipe.muon_learning_rate), weight_decay=recipe.muon_weight_decay)]
