"""The luma-phase channel in the training of costs: which pixel of a group changes, and by how much.

The pixels of a group share its residue, so that the cheapest one changes: only the order of costs matters.
The order is made soft, so that it can be learned: pixel i of a group is chosen with probability

    exp(-log_cost_i / T) / sum over the group of exp(-log_cost_j / T)

T is one step of the channel's cost levels (3 dB), within which its order is as random as the groups.

This is `stegcli.carriers.phases.single`, where each symbol has its own pixels; costs trained here also serve
`joint`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stegcli.carriers.phases.choice import CLIP_CLASSES, COST_LEVELS, NEUTRAL_LEVEL, OFFSETS, ChoiceTable
from stegcli.pictures.luma import MILLI

TEMPERATURE = 0.35
"""Temperature of the choice, in natural logarithms of costs."""


class Written(NamedTuple):
    """A draw of the channel."""

    stego: Tensor
    """(B,3,H,W) float32, whole grey levels 0..255."""
    pixel: Tensor
    """(B,G) int64: raster index of the pixel chosen in each group."""
    step: Tensor
    """(B,3,G) float32: actual change of its channels; all zero if none was needed."""
    log_chance: Tensor
    """(B,G) float32: logarithm of the probability of the choice, with the gradient of the costs."""


class SimulatedChannel:
    """Writes random symbols, with keys drawn from a torch.Generator."""

    def __init__(self, lam: float, device: torch.device) -> None:
        self.device = device
        self.steps = torch.from_numpy(_steps(lam)).to(device)

    def write(self, cover: Tensor, log_cost: Tensor, spread: int, generator: torch.Generator) -> Written:
        """Write one symbol per group of `spread` pixels, scattered over each picture.

        Args:
            cover: (B,3,H,W) float32, whole grey levels.
            log_cost: (B,1,H,W) float32, natural logarithms in any unit.
            spread: pixels per symbol, at least 2.
            generator: determines groups, residues and choices.
        """
        batch, count = len(cover), cover.shape[2] * cover.shape[3]
        keys = torch.rand((batch, count), generator=generator, device=self.device)
        groups = keys.argsort(dim=1)[:, : count // spread * spread].unflatten(1, (-1, spread))
        scores = -log_cost.flatten(1).gather(1, groups.flatten(1)).view_as(groups) / TEMPERATURE
        chosen = _gumbel_choice(scores.detach(), generator)[..., None]
        log_chance = scores.log_softmax(dim=2).gather(2, chosen)[..., 0]
        pixel = groups.gather(2, chosen)[..., 0]
        residue = torch.randint(MILLI, pixel.shape, generator=generator, device=self.device)
        where = pixel[:, None].expand(-1, 3, -1)
        before = cover.flatten(2).gather(2, where)
        after = (before + self.steps[residue].permute(0, 2, 1)).clamp(0, 255)
        stego = cover.flatten(2).scatter(2, where, after).view_as(cover)
        return Written(stego, pixel, after - before, log_chance)


def _gumbel_choice(scores: Tensor, generator: torch.Generator) -> Tensor:
    """(B,G,m) logits -> (B,G) an index for each group, drawn by softmax."""
    uniform = torch.rand(scores.shape, generator=generator, device=scores.device)
    return (scores - torch.log(-torch.log(uniform.clamp(1e-7, 1 - 1e-6)))).argmax(dim=2)


def _steps(lam: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """(1000, 3) float32: the channel's own choice for each residue, without clipping and with rho 1."""
    unclipped = CLIP_CLASSES // 2
    kind = unclipped * COST_LEVELS + NEUTRAL_LEVEL
    table = ChoiceTable.for_kinds(np.array([kind]), lam)
    return OFFSETS[table.offset[kind * MILLI : (kind + 1) * MILLI]].astype(np.float32)
