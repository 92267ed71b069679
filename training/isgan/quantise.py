"""The effect of a PNG on a stego, inside the training loop: the cover's chroma, clamping, rounding to 8 bits.

The rules are those of `stegcli.pictures.luma`, restated for tensors; tests compare the two.
All values are grey levels (0..255) as float32, planes first.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stegcli.pictures.luma import MILLI, WEIGHTS

RED, GREEN, BLUE = (weight / MILLI for weight in WEIGHTS)
CR_SCALE = 0.5 / (1 - RED)
CB_SCALE = 0.5 / (1 - BLUE)
CHROMA_ZERO = 128.0


def luma(rgb: Tensor) -> Tensor:
    """(B,3,H,W) -> (B,1,H,W): BT.601 luma; for whole numbers, the float32 nearest to the exact value."""
    red, green, blue = (plane * weight for plane, weight in zip(rgb.split(1, dim=1), WEIGHTS, strict=True))
    return (red + green + blue) / MILLI


def rgb_to_ycrcb(rgb: Tensor) -> Tensor:
    """(B,3,H,W) -> (B,3,H,W): Y, Cr, Cb, full range."""
    y = luma(rgb)
    cr = (rgb[:, 0:1] - y) * CR_SCALE + CHROMA_ZERO
    cb = (rgb[:, 2:3] - y) * CB_SCALE + CHROMA_ZERO
    return torch.cat([y, cr, cb], dim=1)


def ycrcb_to_rgb(ycrcb: Tensor) -> Tensor:
    """(B,3,H,W) Y, Cr, Cb -> (B,3,H,W) RGB, neither clamped nor rounded."""
    y, cr, cb = ycrcb.split(1, dim=1)
    red = y + (cr - CHROMA_ZERO) / CR_SCALE
    blue = y + (cb - CHROMA_ZERO) / CB_SCALE
    green = (y - RED * red - BLUE * blue) / GREEN
    return torch.cat([red, green, blue], dim=1)


def to_8_bits(x: Tensor) -> Tensor:
    """Clamp to 0..255 and round half to even; the gradient passes as if nothing had happened."""
    rounded = x.detach().clamp(0, 255).round()
    return rounded + (x - x.detach())


def stego_from_luma(cover_rgb: Tensor, stego_luma: Tensor) -> Tensor:
    """Cover (B,3,H,W) with its luma replaced by (B,1,H,W) -> 8-bit stego (B,3,H,W), whole numbers in float32.

    Since the chroma is kept, Y enters R, G and B with weight one: adding the change of luma to all three is
    equivalent to the path through YCrCb and back, without its rounding errors.
    """
    return to_8_bits(cover_rgb + (stego_luma - luma(cover_rgb)))
