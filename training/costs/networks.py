"""Learned costs: a correction of HILL's costs, and the judge against which it is trained.

    luma ─ 8 high-pass filters, log(1 + |.|) ─┐
    log of HILL's cost ───────────────────────┴─ unshuffle 2 ─> 36 x H/2 ─ 3x3 ─> 24 x H/2
        ─ 4 residual 3x3 convolutions, dilated 1, 2, 4, 1 ─ 3x3 ─> 4 x H/2 ─ shuffle 2 ─ bounded ─> correction

The correction starts at zero everywhere, so that costs start as HILL's and leave them only where the judge
rewards it. There is no normalisation, so that tiles of any size give the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stegcli.training.isgan.layers import LEAK, full_precision
from stegcli.training.isgan.steganalyzer import TRUNCATION, JudgeBlock, high_pass_filters

BOUND = 3.0
"""Largest correction, in natural logarithms: a factor of 20 up or down."""

_WIDTH = 24
_DILATIONS = (1, 2, 4, 1)
_FRONT = (0, 2, 8, 9, 10, 11, 20, 21)
"""Of the 30 filters: first differences across and down, second ones in four directions, both squares."""

FRONT_PLANES = len(_FRONT)
MULTIPLE = 2
HALO = 2 * (1 + sum(_DILATIONS) + 1) + 2 + 2
"""Receptive radius in pixels, a multiple of `MULTIPLE`: of the half resolution, the filters, the shuffles."""


class CostNetwork(nn.Module):
    """Planes (B,2,H,W), luma in grey levels and log of HILL's cost -> correction of that log, -3..3.

    H and W are even. 29,700 weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Conv2d(1, FRONT_PLANES, 5, bias=False, padding=2, padding_mode="reflect")
        self.first = nn.Conv2d(4 * (FRONT_PLANES + 1), _WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=step, dilation=step) for step in _DILATIONS
        )
        self.last = nn.Conv2d(_WIDTH, 4, 3, padding=1)
        with torch.no_grad():
            self.front.weight.copy_(high_pass_filters()[list(_FRONT)])
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)

    def forward(self, planes: Tensor) -> Tensor:
        """(B,2,H,W) -> (B,1,H,W)."""
        luma, log_hill = planes.split(1, dim=1)
        seen = torch.cat([torch.log1p(self.front(luma).abs()), log_hill], dim=1)
        x = F.leaky_relu(self.first(F.pixel_unshuffle(seen, MULTIPLE)), LEAK)
        for block in self.blocks:
            x = x + F.leaky_relu(block(x), LEAK)
        return BOUND * torch.tanh(F.pixel_shuffle(self.last(x), MULTIPLE))


class ColourJudge(nn.Module):
    """Tells covers from stegos by high-pass residuals of each colour channel; sizes from 32x32.

    The luma filters of `Steganalyzer` would miss most: the channel changes luma by at most half a grey level,
    and the colours by whole ones, independently of each other.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", high_pass_filters()[list(_FRONT)], persistent=False)
        self.blocks = nn.Sequential(
            JudgeBlock(3 * FRONT_PLANES, 24, 3, absolute=True),
            JudgeBlock(24, 32, 3),
            JudgeBlock(32, 48, 1),
        )
        self.output = nn.Linear(48, 2)

    def forward(self, rgb: Tensor) -> Tensor:
        """(B,3,H,W), grey levels 0..255 -> logits (B,2) float32 for (cover, stego)."""
        x = full_precision(self.blocks, self.residuals(rgb.float()))
        return self.output(x.mean(dim=(2, 3)))

    def residuals(self, rgb: Tensor) -> Tensor:
        """(B,3,H,W) grey levels -> (B,24,H-4,W-4) in -3..3."""
        planes = F.conv2d(rgb.flatten(0, 1)[:, None], self.filters)
        return planes.unflatten(0, rgb.shape[:2]).flatten(1, 2).clamp(-TRUNCATION, TRUNCATION)
