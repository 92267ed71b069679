"""ISGAN's encoder and decoder (Zhang, Dong, Liu 2019, Tables 1 and 2): a gray secret in the luma of a cover.

    cover luma ─┬─> Encoder ─> stego luma ─(+ cover's chroma, as 8-bit RGB)─> luma ─> Decoder ─> revealed
    secret ─────┘

Both are fully convolutional at full resolution: any size from one pixel up, no padding to a multiple. A value
depends on nothing beyond `HALO` pixels, so that tiles that overlap by that much leave no seams.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stegcli.training.isgan.layers import (
    LEAK,
    BatchNorm,
    ConvBlock,
    check_fits,
    fold_into,
    full_precision,
    xavier,
)

HEADROOM = 1.25
"""Range of the encoder's tanh relative to that of luma, which is clipped to 8 bits later: black and white,
which a bare tanh reaches only at infinity, are then as easy to output as gray."""

EncoderOrDecoder = TypeVar("EncoderOrDecoder", "Encoder", "Decoder")


class InceptionBlock(nn.Module):
    """Four branches over the input, side by side, added to a projection of it (Fig. 3).

        x ─┬─ 1x1 ────────────── BN, LeakyReLU ─┐
           ├─ 1x1, BN, LeakyReLU ─ 3x3, BN, .. ─┤
           ├─ 1x1, BN, LeakyReLU ─ 5x5, BN, .. ─┼─ concatenate ─ + ─> y
           ├─ 3x3 max-pool ─ 1x1 ─ BN, ........ ─┘               │
           └─ 1x1 ────────────────────────────────────────────────┘

    Each branch has a quarter of the output's planes. The paper only draws the figure; our choices are the
    widths of the leading 1x1 layers (a quarter, too, which gives the encoder 0.41 M parameters) and that
    nothing follows the sum, so that the cover has a linear path through the whole network.

    The four 1x1 convolutions of x run as one (`entry`), as do the batch normalisations side by side: the same
    arithmetic with less memory traffic.
    """

    def __init__(self, planes_in: int, planes_out: int) -> None:
        super().__init__()
        if planes_out % 4:
            raise ValueError(f"an InceptionBlock's output planes are a multiple of 4, not {planes_out}")
        quarter = planes_out // 4
        self.splits = (quarter, quarter, quarter, planes_out)
        self.entry = nn.Conv2d(planes_in, sum(self.splits), 1, bias=False)
        self.entry_norm: nn.Module = BatchNorm(3 * quarter)
        self.three = nn.Conv2d(quarter, quarter, 3, padding=1, bias=False)
        self.five = nn.Conv2d(quarter, quarter, 5, padding=2, bias=False)
        self.pooled = nn.Conv2d(planes_in, quarter, 1, bias=False)
        self.branch_norm: nn.Module = BatchNorm(3 * quarter)

    def forward(self, x: Tensor) -> Tensor:
        """(B,planes_in,H,W) -> (B,planes_out,H,W)."""
        quarter = self.splits[0]
        entered, shortcut = self.entry(x).split([3 * quarter, 4 * quarter], dim=1)
        entered = F.leaky_relu(self.entry_norm(entered), LEAK)
        one, before_three, before_five = entered.split(self.splits[:3], dim=1)
        pooled = self.pooled(F.max_pool2d(x, 3, stride=1, padding=1))
        branches = torch.cat([self.three(before_three), self.five(before_five), pooled], dim=1)
        branches = F.leaky_relu(self.branch_norm(branches), LEAK)
        return torch.cat([one, branches], dim=1) + shortcut

    def initialise(self) -> None:
        """Initialise each of the convolutions by Xavier, those inside `entry` one by one."""
        self.apply(xavier)
        for part in self.entry.weight.split(self.splits):
            nn.init.xavier_uniform_(part)

    def fold(self) -> None:
        """Fold both batch normalisations into the convolutions before them."""
        if not isinstance(self.entry_norm, BatchNorm) or not isinstance(self.branch_norm, BatchNorm):
            return
        scale, shift = self.entry_norm.affine_in_eval()
        shortcut = self.splits[-1]
        fold_into(self.entry, F.pad(scale, (0, shortcut), value=1.0), F.pad(shift, (0, shortcut)))
        scale, shift = self.branch_norm.affine_in_eval()
        for convolution, s, b in zip(
            (self.three, self.five, self.pooled), scale.chunk(3), shift.chunk(3), strict=True
        ):
            fold_into(convolution, s, b)
        self.entry_norm = nn.Identity()
        self.branch_norm = nn.Identity()

    @torch.no_grad()
    def unfold(self, given: InceptionBlock) -> None:
        """Undo `fold`: give the same values as `given`, a folded block, in evaluation."""
        for name in ("entry", "three", "five", "pooled"):
            getattr(self, name).weight.copy_(getattr(given, name).weight)
        normalised = 3 * self.splits[0]
        entry = given.entry.bias
        if entry[normalised:].any():
            raise RuntimeError("there is no place for a bias of the shortcut in entry.bias")
        self.entry_norm.become_shift(entry[:normalised])
        self.branch_norm.become_shift(torch.cat([given.three.bias, given.five.bias, given.pooled.bias]))


class Encoder(nn.Module):
    """The encoder of Table 1.

    cover luma, secret (2 planes) ─ 3x3 to 16 ─ InceptionBlocks to 32, 64, 128, 256, 128, 64, 32
        ─ 3x3 to 16 ─ 1x1, tanh ─> stego luma
    """

    WIDTHS = (16, 32, 64, 128, 256, 128, 64, 32)
    HALO = 1 + 2 * 7 + 1
    """Reach in pixels: one for each 3x3 convolution, two for each InceptionBlock's 5x5."""

    def __init__(self) -> None:
        super().__init__()
        self.first = ConvBlock(2, self.WIDTHS[0], reads_pixels=True)
        self.blocks = nn.Sequential(
            *(InceptionBlock(a, b) for a, b in zip(self.WIDTHS, self.WIDTHS[1:], strict=False))
        )
        self.last = ConvBlock(self.WIDTHS[-1], 16)
        self.output = nn.Conv2d(16, 1, 1)
        self.apply(xavier)
        for block in self.blocks:
            block.initialise()

    def forward(self, planes: Tensor) -> Tensor:
        """(B,2,H,W), cover luma and secret in 0..1 -> stego luma (B,1,H,W) float32, in -1/8..9/8."""
        x = self.last(self.blocks(self.first(2 * planes - 1)))
        return 0.5 + 0.5 * HEADROOM * torch.tanh(full_precision(self.output, x))


class Decoder(nn.Module):
    """The decoder of Table 2.

    stego luma ─ 3x3 to 32, 64, 128, 64, 32 ─ 1x1, sigmoid ─> revealed
    """

    WIDTHS = (1, 32, 64, 128, 64, 32)
    HALO = 5
    """Reach in pixels: one for each 3x3 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(
                ConvBlock(a, b, reads_pixels=a == 1)
                for a, b in zip(self.WIDTHS, self.WIDTHS[1:], strict=False)
            )
        )
        self.output = nn.Conv2d(self.WIDTHS[-1], 1, 1)
        self.apply(xavier)

    def forward(self, stego_luma: Tensor) -> Tensor:
        """(B,1,H,W) in 0..1 -> revealed (B,1,H,W) float32 in 0..1."""
        return torch.sigmoid(full_precision(self.output, self.layers(2 * stego_luma - 1)))


def folded(network: EncoderOrDecoder) -> EncoderOrDecoder:
    """Return a copy of `network` for inference: evaluation mode, no batch normalisation, same values."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if isinstance(module, ConvBlock | InceptionBlock):
            module.fold()
    return network


def unfold(network: Encoder | Decoder, weights: Mapping[str, Tensor]) -> None:
    """Undo `folded`: give `network` the values of the folded one with these weights, by name.

    Its batch normalisations then only add the biases; measure their statistics before a batch's are used
    (`layers.measure_statistics`). Raises RuntimeError for the weights of another network.
    """
    given = folded(network)
    check_fits(weights, given)
    given.load_state_dict(weights)
    for own, other in zip(network.modules(), given.modules(), strict=True):
        if isinstance(own, ConvBlock | InceptionBlock):
            own.unfold(other)
    network.output.load_state_dict(given.output.state_dict())
