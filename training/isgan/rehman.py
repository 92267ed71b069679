"""Rehman et al.'s encoder-decoder CNN ("Atique's model", arXiv 1711.07201): a gray secret in a colour cover.

    cover  (3) ─ 3x3 ─┬─ 3x3 ─ 3x3 ─┬─ 3x3 ─ 3x3 ─┬─ 3x3 ─ 3x3 ─┬─ 1x1 to 16 ─ 1x1 to 8 ─ 1x1 to 3 ─> stego
    secret (1) ─ 3x3 ─┴─ 3x3 ─ 3x3 ─┴─ 3x3 ─ 3x3 ─┴─ 3x3 ─ 3x3 ─┘      (all others 16 planes wide, ReLU)

    stego (3) ─ 3x3 to 16, 16, 8, 8, 3, 3 ─ 3x3 to 1 ─> revealed

The features of the secret join those of the cover after every second layer. There is no batch normalisation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stegcli.training.isgan.layers import full_precision, xavier


def _convolution(planes_in: int, planes_out: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(planes_in, planes_out, kernel, padding=kernel // 2)


class RehmanEncoder(nn.Module):
    """Host and guest branch of seven layers each, then three 1x1 convolutions."""

    HALO = 7
    DEPTH = 7
    WIDTH = 16

    def __init__(self) -> None:
        super().__init__()
        width = self.WIDTH
        self.host = nn.ModuleList(
            _convolution(3 if i == 0 else width * (1 + i % 2), width) for i in range(self.DEPTH)
        )
        self.guest = nn.ModuleList(_convolution(1 if i == 0 else width, width) for i in range(self.DEPTH))
        self.merge = nn.Sequential(
            _convolution(2 * width, 16, 1), nn.ReLU(), _convolution(16, 8, 1), nn.ReLU()
        )
        self.output = _convolution(8, 3, 1)
        self.apply(xavier)

    def forward(self, planes: Tensor) -> Tensor:
        """(B,4,H,W), cover and secret in 0..1 -> stego (B,3,H,W) float32, about 0..1."""
        host, guest = planes.split([3, 1], dim=1)
        for i, (host_layer, guest_layer) in enumerate(zip(self.host, self.guest, strict=True)):
            host = F.relu(full_precision(host_layer, host) if i == 0 else host_layer(host))
            guest = F.relu(full_precision(guest_layer, guest) if i == 0 else guest_layer(guest))
            if i % 2 == 0:
                host = torch.cat([host, guest], dim=1)
        return full_precision(self.output, self.merge(host))


class RehmanDecoder(nn.Module):
    """Seven 3x3 convolutions."""

    HALO = 7
    WIDTHS = (3, 16, 16, 8, 8, 3, 3)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _convolution(a, b) for a, b in zip(self.WIDTHS, self.WIDTHS[1:], strict=False)
        )
        self.output = _convolution(self.WIDTHS[-1], 1)
        self.apply(xavier)

    def forward(self, stego: Tensor) -> Tensor:
        """(B,3,H,W) in 0..1 -> revealed (B,1,H,W) float32, about 0..1."""
        x = F.relu(full_precision(self.layers[0], stego))
        for layer in self.layers[1:]:
            x = F.relu(layer(x))
        return full_precision(self.output, x)
