"""The "basic model": encoder, 8-bit stego and decoder in one graph, with every term of the loss.

    cover (RGB) ─ carrier ─┬─ Encoder ─ merge, round to 8 bits ─┬─> stego ─ carrier ─ Decoder ─> revealed
    secret ────────────────┘                                    └─ against cover      └─ against secret

The carrier is what the secret is hidden in: the luma (ISGAN), or the three colour planes (Rehman et al.,
Baluja). This graph is compiled and, with several processes, wrapped; a steganalyzer is not part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stegcli.training.isgan.baluja import BalujaDecoder, BalujaEncoder
from stegcli.training.isgan.losses import Pictures, loss_terms
from stegcli.training.isgan.networks import Decoder, Encoder
from stegcli.training.isgan.quantise import luma, stego_from_luma, to_8_bits
from stegcli.training.isgan.rehman import RehmanDecoder, RehmanEncoder


@dataclass(frozen=True)
class Family:
    """A pair of networks, and the carrier that they use."""

    encoder: type[nn.Module]
    """(B,C+1,H,W), carrier and secret in 0..1 -> stego carrier (B,C,H,W)."""
    decoder: type[nn.Module]
    """Stego carrier (B,C,H,W) in 0..1 -> revealed (B,1,H,W)."""
    in_luma: bool
    """Whether the carrier is the luma; otherwise it is RGB."""


FAMILIES = {
    "isgan": Family(Encoder, Decoder, in_luma=True),
    "isgan-basic": Family(Encoder, Decoder, in_luma=True),
    "rehman": Family(RehmanEncoder, RehmanDecoder, in_luma=False),
    "baluja": Family(BalujaEncoder, BalujaDecoder, in_luma=False),
}


class Hidden(NamedTuple):
    """Output of a generator."""

    stego_rgb: Tensor
    """(B,3,H,W) float32, whole numbers 0..255, with a gradient."""
    revealed: Tensor
    """(B,1,H,W) float32, about 0..1, from the rounded stego."""
    terms: dict[str, Tensor]
    """Terms of `losses.loss_terms`: cover against stego in the carrier, secret against revealed."""


class Generator(nn.Module):
    """The basic model of a family."""

    def __init__(self, model: str) -> None:
        super().__init__()
        family = FAMILIES[model]
        self.encoder = family.encoder()
        self.decoder = family.decoder()
        self.in_luma = family.in_luma

    def forward(self, cover: Tensor, secret: Tensor) -> Hidden:
        """Hide and reveal; cover (B,3,H,W) uint8, secret (B,1,H,W) uint8."""
        cover_rgb, wanted = cover.float(), secret.float() / 255
        stego_rgb = self.hide(cover_rgb, wanted)
        revealed = self.decoder(self.carrier(stego_rgb))
        pictures = Pictures(self.carrier(cover_rgb), self.carrier(stego_rgb), wanted, revealed)
        return Hidden(stego_rgb, revealed, loss_terms(pictures))

    def hide(self, cover_rgb: Tensor, secret: Tensor) -> Tensor:
        """Cover (B,3,H,W) in 0..255, secret (B,1,H,W) in 0..1 -> stego (B,3,H,W), whole numbers in 0..255."""
        stego = 255 * self.encoder(torch.cat([self.carrier(cover_rgb), secret], dim=1))
        return stego_from_luma(cover_rgb, stego) if self.in_luma else to_8_bits(stego)

    def carrier(self, rgb: Tensor) -> Tensor:
        """(B,3,H,W) in 0..255 -> the carrier's planes, in 0..1."""
        return (luma(rgb) if self.in_luma else rgb) / 255
