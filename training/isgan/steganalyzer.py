"""The steganalyzer, which tells covers from stegos (Zhang, Dong, Liu 2019, Table 3, after XuNet).

    RGB ─ 3x3, |.|, BN, LeakyReLU, pool ─> 8 x H/2 ─ 3x3, BN, LeakyReLU, pool ─> 16 x H/4
        ─ 1x1, BN, pool ─> 32 x H/8 ─ 1x1, BN, pool ─> 64 x H/16 ─ 1x1, BN, LeakyReLU, pool ─> 128 x H/32
        ─ spatial pyramid 4x4 + 2x2 + 1x1 (2,688 values) ─ 128 ─ 2 logits (cover, stego)

The table names no pooling for its 1x1 blocks, but its sizes halve there; we pool as in the other blocks.
`high_pass` adds fixed filters in front, without which detectors of small changes hardly learn at all
(Fridrich & Kodovsky 2012; truncation after Ye, Ni, Yi 2017). The paper's own steganalyzer has none.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stegcli.pictures.luma import WEIGHTS
from stegcli.training.isgan.layers import LEAK, BatchNorm, full_precision, xavier

COVER, STEGO = 0, 1
"""Classes: index of each logit."""

PYRAMID = (4, 2, 1)
"""Cells per side of each level of the spatial pyramid (He et al. 2015)."""

TRUNCATION = 3.0
"""Residuals of the high-pass filters are truncated at this many grey levels."""


def _along(coefficients: tuple[int, ...], step: tuple[int, int]) -> Tensor:
    """Return a 5x5 filter with `coefficients` along direction `step`, the largest of them at the centre."""
    kernel = torch.zeros(5, 5)
    centre = max(range(len(coefficients)), key=lambda i: abs(coefficients[i]))
    for i, value in enumerate(coefficients):
        kernel[2 + (i - centre) * step[0], 2 + (i - centre) * step[1]] = value
    return kernel / kernel.abs().max()


def _turns(kernel: list[list[int]], count: int) -> list[Tensor]:
    """Return `kernel`, padded to 5x5 with its largest coefficient scaled to 1, in `count` quarter turns."""
    framed = torch.zeros(5, 5)
    margin = (5 - len(kernel)) // 2
    framed[margin : 5 - margin, margin : 5 - margin] = torch.tensor(kernel, dtype=torch.float32)
    framed /= framed.abs().max()
    return [torch.rot90(framed, turn) for turn in range(count)]


def high_pass_filters() -> Tensor:
    """Return (30,1,5,5): the linear filters of the spatial rich model, in all their directions.

    First (8), second (4) and third (8) differences, the 3x3 and 5x5 squares (1 + 1) and their edges (4 + 4).
    """
    half = [(0, 1), (1, 1), (1, 0), (1, -1)]
    every = half + [(-a, -b) for a, b in half]
    kernels = [_along((-1, 1), step) for step in every]
    kernels += [_along((1, -2, 1), step) for step in half]
    kernels += [_along((1, -3, 3, -1), step) for step in every]
    square3 = [[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]
    edge3 = [[-1, 2, -1], [2, -4, 2], [0, 0, 0]]
    square5 = [
        [-1, 2, -2, 2, -1],
        [2, -6, 8, -6, 2],
        [-2, 8, -12, 8, -2],
        [2, -6, 8, -6, 2],
        [-1, 2, -2, 2, -1],
    ]
    edge5 = [*square5[:3], [0] * 5, [0] * 5]
    kernels += _turns(square3, 1) + _turns(square5, 1) + _turns(edge3, 4) + _turns(edge5, 4)
    return torch.stack(kernels)[:, None]


class HighPass(nn.Module):
    """RGB -> luma -> 30 fixed residuals, truncated. Grey levels in, grey levels out."""

    PLANES = 30

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", high_pass_filters(), persistent=False)
        weights = torch.tensor(WEIGHTS, dtype=torch.float32).reshape(1, 3, 1, 1) / 1000
        self.register_buffer("luma_weights", weights, persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:
        """(B,3,H,W) grey levels -> (B,30,H,W) in -3..3."""
        luma = (rgb * self.luma_weights).sum(dim=1, keepdim=True)
        padded = F.pad(luma, (2, 2, 2, 2), mode="reflect")
        return F.conv2d(padded, self.filters).clamp(-TRUNCATION, TRUNCATION)


class JudgeBlock(nn.Module):
    """Convolution, optional |.|, BN, optional LeakyReLU, then a 5x5 average with stride 2 as in XuNet."""

    def __init__(
        self,
        planes_in: int,
        planes_out: int,
        kernel: int,
        *,
        absolute: bool = False,
        activated: bool = True,
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(planes_in, planes_out, kernel, padding=kernel // 2, bias=False)
        self.norm = BatchNorm(planes_out)
        self.absolute = absolute
        self.activated = activated

    def forward(self, x: Tensor) -> Tensor:
        """(B,planes_in,H,W) -> (B,planes_out,ceil(H/2),ceil(W/2))."""
        x = self.convolution(x)
        x = self.norm(x.abs() if self.absolute else x)
        x = F.leaky_relu(x, LEAK) if self.activated else x
        return F.avg_pool2d(x, 5, stride=2, padding=2, count_include_pad=False)


class SpatialPyramid(nn.Module):
    """Averages over 4x4, 2x2 and 1x1 cells, whatever the size: detection uses statistics, not maxima."""

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,h,w) -> (B,21 C)."""
        return torch.cat([F.adaptive_avg_pool2d(x, cells).flatten(1) for cells in PYRAMID], dim=1)


class Steganalyzer(nn.Module):
    """The network of Table 3, for pictures of any size from 32x32."""

    def __init__(self, *, high_pass: bool = False) -> None:
        super().__init__()
        self.high_pass = HighPass() if high_pass else None
        self.first = JudgeBlock(HighPass.PLANES if high_pass else 3, 8, 3, absolute=True)
        self.blocks = nn.Sequential(
            JudgeBlock(8, 16, 3),
            JudgeBlock(16, 32, 1, activated=False),
            JudgeBlock(32, 64, 1, activated=False),
            JudgeBlock(64, 128, 1),
        )
        self.pyramid = SpatialPyramid()
        self.hidden = nn.Linear(128 * sum(cells * cells for cells in PYRAMID), 128)
        self.output = nn.Linear(128, 2)
        self.apply(xavier)

    def forward(self, rgb: Tensor) -> Tensor:
        """(B,3,H,W), grey levels 0..255 -> logits (B,2) float32 for (cover, stego)."""
        rgb = rgb.float()
        x = rgb / 127.5 - 1 if self.high_pass is None else full_precision(self.high_pass, rgb)
        x = self.pyramid(self.blocks(full_precision(self.first, x)))
        return self.output(F.leaky_relu(self.hidden(x), LEAK)).float()
