"""The mixed loss of ISGAN (Zhang, Dong, Liu 2019, equations 5 to 12): MSE, SSIM and MS-SSIM, each by name.

    L(a, b) = alpha (1 - SSIM) + (1 - alpha) (1 - MS-SSIM) + beta MSE          (10), (11)
    total   = L(cover, stego) + gamma L(secret, revealed)                      (12); with MSE alone it is (5)

SSIM is that of Wang et al. 2004 (window 11, sigma 1.5, valid area only), MS-SSIM that of Wang et al. 2003.
Everything is float32 and plain arithmetic on shifted planes: a convolution would be rounded to TF32 on recent
GPUs, and the variances here are differences of nearly equal numbers. When compiled, the shifts are fused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from stegcli.lab.quality.similarity import SCALE_WEIGHTS
from stegcli.pictures.metrics import SSIM_SIGMA, SSIM_WINDOW

C1 = 0.01**2
C2 = 0.03**2
"""Stabilisers of equations (6) and (7) for a range of 1; (8) uses C3 = C2 / 2, as usual."""

FLOOR = 0.05
"""Below this value, a scale's similarity is continued by an exponential; see `_positive`."""

TERMS = ("ssim", "ms_ssim", "mse")


@dataclass(frozen=True)
class LossSettings:
    """Weights in equations (10) to (12), and which of the three terms count (the rows of Table 4)."""

    alpha: float = 0.5
    """Share of SSIM relative to MS-SSIM, 0..1."""
    beta: float = 0.3
    """Weight of the MSE, whose pixels are in 0..1."""
    gamma: float = 0.85
    """Weight of the secret's loss relative to the cover's."""
    use_mse: bool = True
    use_ssim: bool = True
    use_ms_ssim: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha is a share in 0..1, not {self.alpha}")
        if self.beta < 0 or self.gamma < 0:
            raise ValueError("beta and gamma are not negative")
        if not any(weight > 0 for weight in self.weights().values()):
            raise ValueError("every term of the loss is switched off")

    def weights(self, *, ms_ssim_yet: bool = True) -> dict[str, float]:
        """Return the weight of each term in L(a, b); before MS-SSIM is used, SSIM takes its share."""
        ssim = self.alpha if self.use_ssim else 0.0
        ms_ssim = 1 - self.alpha if self.use_ms_ssim else 0.0
        if not ms_ssim_yet:
            ssim, ms_ssim = ssim + ms_ssim, 0.0
        return {"ssim": ssim, "ms_ssim": ms_ssim, "mse": self.beta if self.use_mse else 0.0}


TABLE_4 = {
    "mse": LossSettings(use_ssim=False, use_ms_ssim=False),
    "ssim": LossSettings(use_mse=False, use_ms_ssim=False),
    "mse+ssim": LossSettings(use_ms_ssim=False),
    "mse+ms-ssim": LossSettings(use_ssim=False),
    "mse+ssim+ms-ssim": LossSettings(),
}
"""The five losses that the paper compares."""


def _gaussian() -> tuple[float, ...]:
    taps = [math.exp(-((i - SSIM_WINDOW // 2) ** 2) / (2 * SSIM_SIGMA**2)) for i in range(SSIM_WINDOW)]
    return tuple(tap / sum(taps) for tap in taps)


TAPS = _gaussian()


def _blur_along(planes: Tensor, dim: int) -> Tensor:
    """Gaussian average along one dimension, which shrinks by SSIM_WINDOW - 1."""
    size = planes.shape[dim] - SSIM_WINDOW + 1
    blurred = TAPS[SSIM_WINDOW // 2] * planes.narrow(dim, SSIM_WINDOW // 2, size)
    for i in range(SSIM_WINDOW // 2):
        pair = planes.narrow(dim, i, size) + planes.narrow(dim, SSIM_WINDOW - 1 - i, size)
        blurred = blurred + TAPS[i] * pair
    return blurred


def _luminance_and_structure(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(N,H,W) each -> two (N,H-10,W-10): L of equation (6), and C times S of equations (7) and (8)."""
    planes = torch.stack([x, y, x * x + y * y, x * y])
    mean_x, mean_y, squares, product = _blur_along(_blur_along(planes, -2), -1).unbind()
    mean_squares, mean_product = mean_x * mean_x + mean_y * mean_y, mean_x * mean_y
    luminance = (2 * mean_product + C1) / (mean_squares + C1)
    structure = (2 * (product - mean_product) + C2) / (squares - mean_squares + C2)
    return luminance, structure


def _positive(similarity: Tensor) -> Tensor:
    """Return `similarity` where it is at least FLOOR, and below it a smooth, positive continuation.

    At the start of a training a coarse scale is often uncorrelated or worse. Clipping it to zero, as is
    common, makes MS-SSIM zero without a gradient, and a negative number has no real power.
    """
    below = FLOOR * torch.exp(similarity.clamp(max=FLOOR) / FLOOR - 1)
    return torch.where(similarity >= FLOOR, similarity, below)


def scales_for(height: int, width: int) -> int:
    """Return how many of the five scales a picture permits: the coarsest must still hold a whole window."""
    side = min(height, width)
    if side < SSIM_WINDOW:
        raise ValueError(f"SSIM needs {SSIM_WINDOW}x{SSIM_WINDOW} pixels at least, not {height}x{width}")
    return min(len(SCALE_WEIGHTS), int(math.log2(side // SSIM_WINDOW)) + 1)


def similarities(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(N,H,W) each, range 0..1 -> SSIM (N,) and MS-SSIM (N,).

    Small pictures have fewer scales (three at 64, four at 128, five from 176 on); the weights of these are
    scaled to sum to one.
    """
    x, y = x.float(), y.float()
    count = scales_for(*x.shape[-2:])
    weights = [weight / sum(SCALE_WEIGHTS[:count]) for weight in SCALE_WEIGHTS[:count]]
    luminance, structure = _luminance_and_structure(x, y)
    ssim = (luminance * structure).mean((-2, -1))
    log_total = torch.zeros_like(ssim)
    for scale, weight in enumerate(weights):
        if scale > 0:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
            luminance, structure = _luminance_and_structure(x, y)
        factor = luminance * structure if scale == count - 1 else structure
        log_total = log_total + weight * torch.log(_positive(factor.mean((-2, -1))))
    return ssim, torch.exp(log_total)


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """(B,C,H,W) each, range 0..1 -> (B,): mean over the planes, as the quality figures of the reports."""
    luminance, structure = _luminance_and_structure(x.float().flatten(0, 1), y.float().flatten(0, 1))
    return (luminance * structure).mean((-2, -1)).reshape(x.shape[:2]).mean(1)


class Pictures(NamedTuple):
    """What the loss compares, each (B,C,H,W) in 0..1: one plane for luma, three for RGB."""

    cover: Tensor
    stego: Tensor
    secret: Tensor
    revealed: Tensor


def loss_terms(pictures: Pictures) -> dict[str, Tensor]:
    """Return every term as a scalar: `cover_ssim`, `cover_ms_ssim` (1 - similarity), `cover_mse`, ...

    Both pairs share the same kernels. The cover's terms depend on the encoder alone.
    """
    original = torch.cat([pictures.cover.flatten(0, 1), pictures.secret.flatten(0, 1)]).float()
    result = torch.cat([pictures.stego.flatten(0, 1), pictures.revealed.flatten(0, 1)]).float()
    split = pictures.cover.shape[0] * pictures.cover.shape[1]
    ssims, ms_ssims = similarities(original, result)
    errors = (original - result).square().mean((-2, -1))
    return {
        f"{name}_{term}": values[part].mean()
        for name, part in (("cover", slice(split)), ("secret", slice(split, None)))
        for term, values in zip(TERMS, (1 - ssims, 1 - ms_ssims, errors), strict=True)
    }


def weighted_sum(
    terms: dict[str, Tensor], settings: LossSettings, *, ms_ssim_yet: bool = True
) -> dict[str, Tensor]:
    """Apply equations (10) to (12): `cover_loss`, `secret_loss` and `basic_loss`, their weighted sum."""
    weights = settings.weights(ms_ssim_yet=ms_ssim_yet)
    cover, secret = (
        torch.stack([weight * terms[f"{name}_{term}"] for term, weight in weights.items() if weight]).sum()
        for name in ("cover", "secret")
    )
    return {"cover_loss": cover, "secret_loss": secret, "basic_loss": cover + settings.gamma * secret}
