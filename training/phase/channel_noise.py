"""The luma-phase channel in training: an additive error on the targets, and destroyed symbols.

The error at spread 1 is the writer's own, tabulated by stegcli.carriers.phases.choice.noise_table, so that
the rule is defined only once.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from stegcli.carriers.phases.choice import noise_table
from stegcli.training.config import ChannelSettings


class Noise(NamedTuple):
    """A draw of the channel for a batch: what is added, what is destroyed, what the networks are told."""

    error: Tensor
    """(B,1,H,W) float32, grey levels, added to the targets, including the shift of destroyed symbols."""
    sigma: Tensor
    """(B,) float32, grey levels: root mean square error of the symbols that were not destroyed."""
    damage: Tensor
    """(B,) float32: share of symbols destroyed without being known, as the receiver estimates it."""
    erased: Tensor
    """(B,1,H,W) bool: symbols that the receiver treats as lost."""


class ChannelNoise:
    """Draws `Noise` for a batch from a torch.Generator, so that a step is a function of its seed."""

    def __init__(self, settings: ChannelSettings, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        tables = [torch.from_numpy(noise_table(lam)) for lam in settings.lambdas]
        self.tables = torch.stack(tables).float().to(device)
        self.sigmas = self.tables.square().mean(dim=1).sqrt()

    def draw(self, batch: int, height: int, width: int, generator: torch.Generator) -> Noise:
        """Draw noise according to ChannelSettings for a (batch,1,height,width) map."""
        s, device, shape = self.settings, self.device, (batch, 1, height, width)
        kind = torch.rand(batch, generator=generator, device=device)
        other = torch.randint(len(self.sigmas), (batch,), generator=generator, device=device)
        row = torch.where(kind < s.main_share, torch.zeros_like(other), other)
        gaussian = kind >= s.main_share + s.other_share
        sigma = torch.where(
            gaussian, _log_uniform(s.gaussian_sigma, batch, generator, device), self.sigmas[row]
        )
        residue = torch.randint(self.tables.shape[1], shape, generator=generator, device=device)
        tabulated = self.tables[row[:, None, None, None], residue]
        normal = torch.randn(shape, generator=generator, device=device) * sigma[:, None, None, None]
        error = torch.where(gaussian[:, None, None, None], normal, tabulated)
        damaged = torch.rand(batch, generator=generator, device=device) < s.damage_share
        damage = _log_uniform(s.damage, batch, generator, device) * damaged
        lost = torch.rand(shape, generator=generator, device=device) < damage[:, None, None, None]
        error = torch.where(lost, torch.rand(shape, generator=generator, device=device), error)
        known = self._known(damaged, generator)
        erased = torch.rand(shape, generator=generator, device=device) < torch.where(
            lost, known, 0.02 * known
        )
        damage = damage * (1 - known.flatten())
        # The receiver counts wrong parity bits, a few dozen: its estimate is accurate to about 15 %.
        doubt = torch.exp(0.15 * torch.randn(batch, generator=generator, device=device))
        return Noise(error, sigma, damage * doubt, erased)

    def _known(self, damaged: Tensor, generator: torch.Generator) -> Tensor:
        """(B,) bool -> (B,1,1,1): share of the destroyed symbols that the receiver knows to be lost."""
        batch, device = len(damaged), self.device
        knows = torch.rand(batch, generator=generator, device=device) < self.settings.known_share
        share = torch.rand(batch, generator=generator, device=device)
        return (share * (knows & damaged))[:, None, None, None]

    def at(
        self, row: int, shape: tuple[int, int, int, int], generator: torch.Generator, damage: float = 0.0
    ) -> Noise:
        """Return noise of `lambdas[row]` with `damage` of the symbols destroyed, for validation."""
        residue = torch.randint(self.tables.shape[1], shape, generator=generator, device=self.device)
        sigma = self.sigmas[row].expand(shape[0])
        lost = torch.rand(shape, generator=generator, device=self.device) < damage
        error = torch.where(
            lost, torch.rand(shape, generator=generator, device=self.device), self.tables[row][residue]
        )
        return Noise(error, sigma, torch.full_like(sigma, damage), torch.zeros_like(lost))


def _log_uniform(
    bounds: tuple[float, ...], count: int, generator: torch.Generator, device: torch.device
) -> Tensor:
    low, high = bounds
    return low * (high / low) ** torch.rand(count, generator=generator, device=device)
