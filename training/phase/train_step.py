"""Training of the phase codec: secret -> targets -> channel error -> revealed, without any cover."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from stegcli.methods.phase.planes import ALL_PLANES
from stegcli.training import gradients
from stegcli.training.config import PhaseRecipe
from stegcli.training.data.feeds import step_generator
from stegcli.training.loop.captured import CapturedStep, load_optimiser, set_rate
from stegcli.training.loop.fit import Batch, Networks
from stegcli.training.loop.muon import Muon
from stegcli.training.phase.channel_noise import ChannelNoise, Noise
from stegcli.training.phase.networks import (
    PhaseDecoder,
    PhaseEncoder,
    PlaneMask,
    grown,
    to_phase_planes,
)

NOISE_STREAM = 1
LOG_FLOOR = 1e-7
"""Added to the MSE (of pictures in 0..1) inside the logarithm: 70 dB, beyond which learning is pointless."""


class PhaseCodec(nn.Module):
    """Encoder, channel and decoder in one graph, which is compiled and, with several processes, wrapped."""

    def __init__(self, recipe: PhaseRecipe) -> None:
        super().__init__()
        self.encoder = PhaseEncoder(recipe.encoder, progressive=recipe.progressive)
        self.decoder = PhaseDecoder(recipe.decoder, progressive=recipe.progressive)
        self.mask = PlaneMask()

    def forward(self, secret: Tensor, noise: Noise, planes: Tensor) -> Tensor:
        """Secret (B,1,H,W) in 0..1, planes (B,) sent, 1..64 -> revealed (B,1,H,W), float32."""
        targets = self.encoder(secret, noise.sigma, planes)
        there = (1 + self.mask(planes, secret)) * ~noise.erased
        phase = to_phase_planes(targets + noise.error) * there
        return self.decoder(phase, noise.sigma, noise.damage, planes)


class PhaseTask:
    """The codec's networks, optimisers, loss and validation (the Task protocol).

    On one CUDA device the arithmetic of a step is captured once and replayed (`loop.captured`).
    """

    def __init__(self, recipe: PhaseRecipe, accelerator: Accelerator, *, compiled: bool = False) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.accelerator, self.device = recipe, accelerator, accelerator.device
        self.captures = self.device.type == "cuda" and accelerator.num_processes == 1
        self.codec = PhaseCodec(recipe).to(self.device, memory_format=_layout(self.device))
        wrapped = accelerator.prepare_model(self.codec)
        self.forward = torch.compile(wrapped) if compiled else wrapped
        self.noise = ChannelNoise(recipe.channel, self.device)
        hidden, edges = _by_optimiser(self.codec)
        self.muon = Muon(hidden, self._rate(recipe.muon_learning_rate), weight_decay=recipe.muon_weight_decay)
        self.adam = torch.optim.AdamW(
            edges,
            self._rate(recipe.learning_rate),
            weight_decay=recipe.weight_decay,
            capturable=self.captures,
            fused=self.captures,
        )
        self.updates: dict[bool, CapturedStep[tuple[Tensor, Tensor, Tensor]]] = {}

    def _rate(self, value: float) -> float | Tensor:
        return torch.tensor(value, device=self.device) if self.captures else value

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Do one update from {"secret": (B,1,H,W) uint8}; scalars: loss, psnr_db, gradient_norm, rate."""
        secret = batch["secret"].float() / 255
        generator = step_generator(
            self.recipe.seed, step, self.device, NOISE_STREAM + 2 * self.accelerator.process_index
        )
        noise = self.noise.draw(secret.shape[0], secret.shape[2], secret.shape[3], generator)
        planes = self._draw_planes(len(secret), generator)
        rate = self._set_rates(step)
        plain_mse = step < self.recipe.mse_share * self.recipe.steps
        update = self._captured(plain_mse) if self.captures else partial(self._update, plain_mse)
        loss, mse, norm = update(secret, planes, *noise)
        psnr = -10 * (mse + LOG_FLOOR).log10().mean()
        return {"loss": loss, "psnr_db": psnr, "gradient_norm": norm, "rate": torch.tensor(rate)}

    def _captured(self, plain_mse: bool) -> CapturedStep[tuple[Tensor, Tensor, Tensor]]:
        if plain_mse not in self.updates:
            self.updates = {plain_mse: CapturedStep(partial(self._update, plain_mse))}
        return self.updates[plain_mse]

    def _draw_planes(self, batch: int, generator: torch.Generator) -> Tensor:
        """(B,) planes sent: all of them for `full_share` of the crops, else log-uniform from the fewest."""
        full = torch.full((batch,), float(ALL_PLANES), device=self.device)
        if not self.recipe.progressive:
            return full
        whole, where = torch.rand((2, batch), generator=generator, device=self.device)
        fewest = self.recipe.fewest_planes
        some = (fewest * (ALL_PLANES / fewest) ** where).floor()
        return torch.where(whole < self.recipe.full_share, full, some)

    def _update(
        self, plain_mse: bool, secret: Tensor, planes: Tensor, *noise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run forward, backward and both optimisers; return loss, MSE per picture (B,) and gradient norm.

        `noise` has the fields of a Noise.
        """
        with self.accelerator.autocast():
            revealed = self.forward(secret, Noise(*noise), planes)
        mse = (revealed.float() - secret).square().mean(dim=(1, 2, 3))
        loss = 100 * mse.mean() if plain_mse else (mse + LOG_FLOOR).log().mean() / 10
        self.accelerator.backward(loss)
        norm = gradients.clip(self.codec, self.recipe.gradient_clip)
        for optimiser in (self.muon, self.adam):
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return loss.detach(), mse.detach(), norm

    def _set_rates(self, step: int) -> float:
        """Set warm-up, then a cosine to zero, by the same factor for both optimisers; return the factor."""
        warm = min(1.0, (step + 1) / max(1, self.recipe.warmup_steps))
        rate = warm * 0.5 * (1 + math.cos(math.pi * step / self.recipe.steps))
        for optimiser, base in (
            (self.muon, self.recipe.muon_learning_rate),
            (self.adam, self.recipe.learning_rate),
        ):
            set_rate(optimiser, base * rate)
        return rate

    @torch.no_grad()
    def validate(self, batches: Mapping[str, list[Batch]]) -> dict[str, float]:
        """Return the mean revealed PSNR (dB, 8-bit) per data set, through the channel at the first lambda.

        Apart from the plain case, some symbols are destroyed and, if the codec supports it, planes left out.
        """
        cases = [Case("revealed_psnr_db"), Case("damaged_3_percent_psnr_db", damage=0.03)]
        if self.recipe.progressive:
            cases += [Case(f"{planes}_planes_psnr_db", planes=planes) for planes in (48, 32, 16, 8)]
        figures = {}
        for name, parts in batches.items():
            for case in cases:
                psnr = [self._psnr(part["secret"], index, case) for index, part in enumerate(parts)]
                figures[f"{name}/{case.name}"] = float(torch.cat(psnr).mean())
        return figures

    def _psnr(self, secret: Tensor, index: int, case: Case) -> Tensor:
        revealed = self._reveal(secret, index, case)
        mse = (revealed.float() - secret.float()).square().mean(dim=(1, 2, 3))
        return 10 * torch.log10(255**2 / mse.clamp_min(1e-3))

    def _reveal(self, secret: Tensor, index: int, case: Case) -> Tensor:
        """(B,1,H,W) uint8 -> uint8, through validation noise number `index`."""
        generator = step_generator(self.recipe.seed, index, self.device, 3)
        noise: Noise = self.noise.at(0, tuple(secret.shape), generator, case.damage)
        planes = torch.full((len(secret),), float(case.planes), device=self.device)
        revealed = self.codec(secret.float() / 255, noise, planes)
        return (revealed * 255).round().clamp(0, 255).to(torch.uint8)

    @torch.no_grad()
    def samples(self, batch: Batch) -> dict[str, Tensor]:
        """Return rows of secret, targets (one turn per grey cycle) and revealed for up to four pictures."""
        secret = batch["secret"][:4]
        sigma = self.noise.sigmas[:1].expand(len(secret))
        targets = self.codec.encoder(secret.float() / 255, sigma, torch.full_like(sigma, ALL_PLANES))
        revealed = self._reveal(secret, 0, Case("plain"))
        columns = [secret.float() / 255, targets.remainder(1), revealed.float() / 255]
        grid = torch.cat([torch.cat(list(row), dim=1) for row in columns], dim=2)
        return {"secret_targets_revealed": grid.cpu()}

    def begin_from(self, state: dict[str, Any]) -> None:
        """Start from the networks of another run, grown if these are larger; optimisers start afresh."""
        networks: dict[str, dict[str, Tensor]] = {"encoder": {}, "decoder": {}}
        for name, value in state["codec"].items():
            role, _, own = name.partition(".")
            networks[role][own] = value
        self.begin_from_weights(networks)

    def begin_from_weights(self, networks: Networks) -> None:
        """Start from networks alone, as `begin_from`, each by the names in its own module."""
        for part, state in (
            (self.codec.encoder, networks["encoder"]),
            (self.codec.decoder, networks["decoder"]),
        ):
            part.load_state_dict(grown(dict(state), part))

    def state_dict(self) -> dict[str, Any]:
        """Return networks and both optimisers."""
        return {
            "codec": self.codec.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.codec.load_state_dict(state["codec"])
        load_optimiser(self.muon, state["muon"])
        load_optimiser(self.adam, state["adam"])


@dataclass(frozen=True)
class Case:
    """A validation case: share of the symbols destroyed, and planes sent."""

    name: str
    damage: float = 0.0
    planes: int = ALL_PLANES


def _layout(device: torch.device) -> torch.memory_format:
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def _by_optimiser(codec: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Return (weights for Muon, others for AdamW); the others are first and last layers and biases."""
    hidden, edges = [], []
    for name, parameter in codec.named_parameters():
        inner = parameter.ndim == 4 and ".head." not in name and ".tail." not in name
        (hidden if inner else edges).append(parameter)
    return hidden, edges
