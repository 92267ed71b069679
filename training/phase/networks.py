"""The codec of the luma-phase family: one picture <-> one phase per pixel.

    secret (B,1,H,W) 0..1 ──┬── 0.8 (secret - 0.5) ─────────┐
                            └── UNet(+ sigma plane) ── + ───┴─> targets (B,1,H,W), grey levels, unwrapped
    targets + channel error ──> (cos, sin) of 2 pi phi (B,2,H,W) ── UNet(+ sigma, damage planes) ──> revealed

A progressive codec is also told how many of the map's 64 planes are sent (stegcli.methods.phase.planes),
which it sees as a mask; phases that are not sent, or known to be lost, are (0, 0).

Both networks are U-Nets that start at half resolution (pixel-unshuffle 2) and have no normalisation layer, so
that a tile of any size gives the same values as the whole picture. Neither ever sees a cover: the channel
adds the same kind of wrapped error to every code, whose strength (sigma) both are told. Only the decoder is
told which share of the symbols was destroyed, since only the receiver can know.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stegcli.methods.phase.planes import ALL_PLANES, PLANE_OF_PLACE
from stegcli.training.config import NetworkSettings

CARRIER_GAIN = 0.8
"""Slope of the code's linear start: black to white spans 0.8 of the circle, so nothing wraps initially."""

IN_A_BLOCK = re.compile(r"unet\.(descend|ascend)\.\d+\.\d+\.")
"""Beginning of the names of a residual block's weights."""

SIGMA_REFERENCE = 0.0278
"""Channel error of the balanced setting in grey levels, at which the sigma plane is 0."""


class ResidualBlock(nn.Module):
    """x + conv3x3(LeakyReLU(conv3x3(x))); the second convolution starts near zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, a=0.1)
        nn.init.zeros_(self.first.bias)
        nn.init.normal_(self.second.weight, std=0.1 / math.sqrt(9 * width))
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,h,w) -> (B,C,h,w)."""
        return x + self.second(F.leaky_relu(self.first(x), 0.1))


class UNet(nn.Module):
    """(B,C_in,H,W) + constant planes -> (B,C_out,H,W); H, W multiples of `shape.multiple`."""

    def __init__(self, planes_in: int, conditions: int, planes_out: int, shape: NetworkSettings) -> None:
        super().__init__()
        widths = shape.widths
        self.conditions = conditions
        self.head = nn.Conv2d(4 * planes_in + conditions, widths[0], 3, padding=1)
        self.descend = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(w) for _ in range(n)))
            for w, n in zip(widths, shape.blocks, strict=True)
        )
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.grow = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.ascend = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(w) for _ in range(n)))
            for w, n in zip(widths[:-1], shape.blocks[:-1], strict=True)
        )
        self.tail = nn.Conv2d(widths[0], 4 * planes_out, 3, padding=1)

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        """X (B,C_in,H,W), conditions (B,K) -> (B,C_out,H,W)."""
        x = F.pixel_unshuffle(x, 2)
        batch, _, height, width = x.shape
        planes = conditions.to(x.dtype)[:, :, None, None].expand(batch, -1, height, width)
        x = self.head(torch.cat([x, planes], dim=1))
        skips = []
        for descend, shrink in zip(self.descend, self.shrink, strict=False):
            x = descend(x)
            skips.append(x)
            x = shrink(x)
        x = self.descend[-1](x)
        for ascend, grow, skip in zip(
            reversed(self.ascend), reversed(self.grow), reversed(skips), strict=True
        ):
            x = ascend(F.pixel_shuffle(grow(x), 2) + skip)
        return F.pixel_shuffle(self.tail(x), 2)


def sigma_condition(sigma: Tensor) -> Tensor:
    """(B,) grey levels -> (B,1): octaves above the balanced channel's error."""
    return torch.log2(sigma / SIGMA_REFERENCE)[:, None]


def damage_condition(damage: Tensor) -> Tensor:
    """(B,) share of destroyed symbols, 0..1 -> (B,1): 0 for none, about 0.5 at 0.3 %, 1.7 at 10 %."""
    return torch.log2(1 + 1000 * damage)[:, None] / 4


class PlaneMask(nn.Module):
    """planes (B,), 1..64 -> (B,1,H,W): 0 where a symbol is sent, -1 where not; H, W multiples of 8."""

    plane_of_place: Tensor

    def __init__(self) -> None:
        super().__init__()
        places = torch.tensor(PLANE_OF_PLACE, dtype=torch.float32)
        self.register_buffer("plane_of_place", places, persistent=False)

    def forward(self, planes: Tensor, like: Tensor) -> Tensor:
        """`like` (B,C,H,W) gives height and width."""
        side = len(PLANE_OF_PLACE)
        unsent = (self.plane_of_place >= planes[:, None, None, None]).to(like.dtype)
        return -unsent.repeat(1, 1, like.shape[2] // side, like.shape[3] // side)


class PhaseEncoder(nn.Module):
    """secret (B,1,H,W) in 0..1, sigma (B,) -> targets (B,1,H,W) float32, grey levels, unwrapped.

    A progressive one takes planes (B,), 1..64, too.
    """

    def __init__(self, shape: NetworkSettings, *, progressive: bool = False) -> None:
        super().__init__()
        self.mask = PlaneMask() if progressive else None
        self.unet = UNet(2 if progressive else 1, 1, 1, shape)

    def forward(self, secret: Tensor, sigma: Tensor, planes: Tensor | None = None) -> Tensor:
        """Encode; see the class."""
        centred = secret - 0.5
        seen = (
            centred if self.mask is None else torch.cat([centred, self.mask(_given(planes), secret)], dim=1)
        )
        return CARRIER_GAIN * centred + self.unet(seen, sigma_condition(sigma)).float()


class PhaseDecoder(nn.Module):
    """phase (B,2,H,W) cos and sin of 2 pi phi, sigma (B,), damage (B,) -> revealed (B,1,H,W), about 0..1.

    A progressive one takes planes (B,), 1..64, too. `damage` refers to wrong symbols, not to missing ones.
    """

    def __init__(self, shape: NetworkSettings, *, progressive: bool = False) -> None:
        super().__init__()
        self.mask = PlaneMask() if progressive else None
        self.unet = UNet(3 if progressive else 2, 2, 1, shape)

    def forward(self, phase: Tensor, sigma: Tensor, damage: Tensor, planes: Tensor | None = None) -> Tensor:
        """Decode; see the class."""
        conditions = torch.cat([sigma_condition(sigma), damage_condition(damage)], dim=1)
        seen = phase if self.mask is None else torch.cat([phase, self.mask(_given(planes), phase)], dim=1)
        return 0.5 + self.unet(seen, conditions).float()


def _given(planes: Tensor | None) -> Tensor:
    if planes is None:
        raise TypeError(f"a progressive codec needs to be told its planes, 1..{ALL_PLANES}")
    return planes


def to_phase_planes(targets: Tensor) -> Tensor:
    """(B,1,H,W) grey levels -> (B,2,H,W): cos and sin of 2 pi targets. One turn is one grey level."""
    angle = (2 * math.pi) * targets.float()
    return torch.cat([torch.cos(angle), torch.sin(angle)], dim=1)


def grown(state: dict[str, Tensor], network: PhaseEncoder | PhaseDecoder) -> dict[str, Tensor]:
    """Turn a smaller network's state into one for `network` that initially computes the same.

    New residual blocks keep their start near zero, and new input planes have zero weights; conditions remain
    the last inputs.

    Raises RuntimeError if anything else differs.
    """
    full = network.state_dict()
    for name in full.keys() - state.keys():
        block = IN_A_BLOCK.match(name)
        if block is None or any(other.startswith(block[0]) for other in state):
            raise RuntimeError(f"{name} is missing")
    for name, value in state.items():
        if name not in full:
            raise RuntimeError(f"there is no place for {name}")
        if value.shape == full[name].shape:
            full[name] = value
        elif name == "unet.head.weight" and value.shape[0] == full[name].shape[0]:
            told = network.unet.conditions
            wide = torch.zeros_like(full[name])
            wide[:, : value.shape[1] - told] = value[:, :-told]
            wide[:, -told:] = value[:, -told:]
            full[name] = wide
        else:
            raise RuntimeError(f"{name} is {tuple(value.shape)}, not {tuple(full[name].shape)}")
    return full
