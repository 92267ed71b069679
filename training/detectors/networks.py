"""SRNet, the field's standard detector of stegos, for colour pictures.

    RGB ─ 64 ─ 16 ─ 5 x residual 16 ──────────────────────────────────────> 16 x H
        ─ residual, halved: 16 x H/2, 64 x H/4, 128 x H/8, 256 x H/16
        ─ 512, averaged over the picture ─ 2 logits (cover, stego)

Boroumand, Chen and Fridrich, "Deep residual network for steganalysis of digital images", IEEE Transactions
on Information Forensics and Security 14(5), 2019: layers of their types 1 (64, 16), 2 (residual), 3
(residual, halved) and 4 (512, averaged). Nothing is pooled before the eighth layer, since pooling is a
low-pass filter and a stego's noise is not in the low frequencies; no filter is fixed, all are learned. Their
first layer reads one gray plane, ours three. Convolutions have no bias, since the normalisation after each
would remove it.

One thing differs from the paper: the first layer's random kernels start with their means removed, so that
they pass differences of neighbours and not brightness. With the paper's initialisation, a stego's steps are a
hundredth of the output, and 240 small training steps on stegos at spread 1 ended at chance; with ours, at an
AUC of 0.98. Training is free to change the kernels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stegcli.training.isgan.layers import BatchNorm, full_precision

COVER, STEGO = 0, 1
"""Classes: index of each logit."""

PLAIN_BLOCKS = 5
HALVING_PLANES = (16, 64, 128, 256)
LAST_PLANES = 512


class Convolution(nn.Module):
    """3x3 convolution and batch normalisation."""

    def __init__(self, planes_in: int, planes_out: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(
            planes_in, planes_out, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.norm = BatchNorm(planes_out)

    def forward(self, x: Tensor) -> Tensor:
        """(B,planes_in,H,W) -> (B,planes_out,H/stride,W/stride)."""
        return self.norm(self.convolution(x))


class Activated(Convolution):
    """Type 1: convolution, normalisation, ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """(B,planes_in,H,W) -> (B,planes_out,H,W)."""
        return F.relu(super().forward(x))


class Residual(nn.Module):
    """Type 2: x + convolution(type 1(x))."""

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(Activated(planes, planes), Convolution(planes, planes))

    def forward(self, x: Tensor) -> Tensor:
        """(B,planes,H,W) -> the same shape."""
        return x + self.inner(x)


class HalvingResidual(nn.Module):
    """Type 3: as type 2, with the inner path averaged and halved, the outer a 1x1 convolution of stride 2."""

    def __init__(self, planes_in: int, planes_out: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(Activated(planes_in, planes_out), Convolution(planes_out, planes_out))
        self.outer = Convolution(planes_in, planes_out, kernel=1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B,planes_in,H,W) -> (B,planes_out,ceil(H/2),ceil(W/2))."""
        return F.avg_pool2d(self.inner(x), 3, stride=2, padding=1) + self.outer(x)


class SRNet(nn.Module):
    """4.78 million weights; pictures of any size from 32x32."""

    def __init__(self) -> None:
        super().__init__()
        widths = (16, *HALVING_PLANES)
        self.first = Activated(3, 64)
        self.blocks = nn.Sequential(
            Activated(64, 16),
            *(Residual(16) for _ in range(PLAIN_BLOCKS)),
            *(HalvingResidual(before, after) for before, after in zip(widths, HALVING_PLANES, strict=False)),
            Activated(HALVING_PLANES[-1], LAST_PLANES),
            Convolution(LAST_PLANES, LAST_PLANES),
        )
        self.output = nn.Linear(LAST_PLANES, 2)
        self.apply(_initialise)
        with torch.no_grad():  # see the module's docstring
            kernels = self.first.convolution.weight
            kernels -= kernels.mean(dim=(2, 3), keepdim=True)

    def forward(self, rgb: Tensor) -> Tensor:
        """(B,3,H,W), grey levels 0..255 -> logits (B,2) float32 for (cover, stego)."""
        # The first sums reach hundreds, where half precision cannot represent single grey levels: they stay
        # in float32 until the normalisation has brought them close to one.
        x = self.blocks(full_precision(self.first, rgb.float()))
        return full_precision(self.output, x.mean(dim=(2, 3), dtype=torch.float32))


def _initialise(module: nn.Module) -> None:
    """Initialise as in the paper: He's method for convolutions, a narrow normal for the last layer."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)
