"""Baluja's three networks ("Hiding Images in Plain Sight", NIPS 2017), here with a gray secret.

    secret (1) ─ Preparation ─┐
    cover  (3) ───────────────┴─ Hiding ─> stego (3) ─ Reveal ─> revealed (1)

Each consists of Columns: chains of 3x3, 4x4 and 5x5 convolutions, 50 filters each, side by side, with ReLU.
The paper gives the filters and five layers; that the chains meet before the fifth is the usual reading.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stegcli.training.isgan.layers import full_precision, xavier

FILTERS = 50
KERNELS = (3, 4, 5)


class PaddedConv(nn.Conv2d):
    """A convolution and ReLU that keep the size; an even kernel reaches one pixel further right and down."""

    def __init__(self, planes_in: int, planes_out: int, kernel: int) -> None:
        super().__init__(planes_in, planes_out, kernel)
        before, after = (kernel - 1) // 2, kernel // 2
        self.margins = (before, after, before, after)

    def forward(self, x: Tensor) -> Tensor:
        """(B,planes_in,H,W) -> (B,planes_out,H,W)."""
        return F.relu(super().forward(F.pad(x, self.margins)))


class Columns(nn.Module):
    """Three chains of four layers, concatenated, then one layer of the three kernels, concatenated again."""

    DEPTH = 4
    PLANES = FILTERS * len(KERNELS)

    def __init__(self, planes_in: int) -> None:
        super().__init__()
        self.first = nn.ModuleList(PaddedConv(planes_in, FILTERS, k) for k in KERNELS)
        self.chains = nn.ModuleList(
            nn.Sequential(*(PaddedConv(FILTERS, FILTERS, k) for _ in range(self.DEPTH - 1))) for k in KERNELS
        )
        self.mixed = nn.ModuleList(PaddedConv(self.PLANES, FILTERS, k) for k in KERNELS)

    def forward(self, x: Tensor) -> Tensor:
        """(B,planes_in,H,W) -> (B,150,H,W)."""
        columns = [
            chain(full_precision(first, x)) for first, chain in zip(self.first, self.chains, strict=True)
        ]
        x = torch.cat(columns, dim=1)
        return torch.cat([layer(x) for layer in self.mixed], dim=1)


class BalujaEncoder(nn.Module):
    """Preparation and hiding network."""

    HALO = 20
    """Reach in pixels: two for each 5x5 layer, five layers in each of the two networks."""

    def __init__(self) -> None:
        super().__init__()
        self.preparation = Columns(1)
        self.hiding = Columns(3 + Columns.PLANES)
        self.output = nn.Conv2d(Columns.PLANES, 3, 1)
        self.apply(xavier)

    def forward(self, planes: Tensor) -> Tensor:
        """(B,4,H,W), cover and secret in 0..1 -> stego (B,3,H,W) float32, about 0..1."""
        cover, secret = planes.split([3, 1], dim=1)
        x = torch.cat([cover, self.preparation(secret)], dim=1)
        return full_precision(self.output, self.hiding(x))


class BalujaDecoder(nn.Module):
    """Reveal network."""

    HALO = 10
    """Reach in pixels: two for each 5x5 layer."""

    def __init__(self) -> None:
        super().__init__()
        self.columns = Columns(3)
        self.output = nn.Conv2d(Columns.PLANES, 1, 1)
        self.apply(xavier)

    def forward(self, stego: Tensor) -> Tensor:
        """(B,3,H,W) in 0..1 -> revealed (B,1,H,W) float32, about 0..1."""
        return full_precision(self.output, self.columns(stego))
