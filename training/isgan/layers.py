"""Building blocks shared by the networks that hide pictures in pictures.

Batch statistics are where small batches, several processes and exported files usually give different results:

- In training, `BatchNorm` computes statistics over the batches of all processes, so that two processes with
  half the batch compute what one computes with the whole.
- The last steps of a training use the running statistics instead of the batch's (`freeze_statistics`), so
  that the weights settle for the very network that is exported.
- For the export they are folded into the convolutions (`fold_into`), and nothing is left of them. A
  picture's padded border therefore cannot shift them.
- A run that starts from exported weights puts the biases back into layers that otherwise change nothing
  (`become_shift`). Before a batch's statistics are used, these layers measure them once
  (`measure_statistics`), which leaves the network's values unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

LEAK = 0.2
"""Slope of every LeakyReLU below zero (Radford et al. 2016; ISGAN's paper states none)."""


def full_precision(layer: nn.Module, x: Tensor) -> Tensor:
    """Run `layer` in float32 even under autocast.

    Half precision cannot distinguish neighbouring grey levels: layers that touch pixels must not round to it.
    """
    if not torch.is_autocast_enabled(x.device.type):
        return layer(x)
    with torch.autocast(x.device.type, enabled=False):
        return layer(x.float())


def xavier(module: nn.Module) -> None:
    """Initialise a convolution or linear layer by Xavier, for `Module.apply`; biases start at zero."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class _SumOverProcesses(torch.autograd.Function):
    """Sum over the tensors of all processes; the gradient of each is the sum of all their gradients."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation with the statistics of all processes; can be frozen for the last steps."""

    frozen = False

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) -> (B,C,H,W)."""
        if not self.training or self.frozen:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
            return self._over_all_processes(x)
        mean, variance = self.running_mean.clone(), self.running_var.clone()  # the backward pass keeps these
        y = F.batch_norm(x, mean, variance, self.weight, self.bias, True, self.momentum, self.eps)
        self._take_if_finite(mean, variance)
        return y

    @torch.no_grad()
    def _take_if_finite(self, mean: Tensor, variance: Tensor) -> None:
        """Keep the running statistics if a batch overflowed, since NaN would stay for good."""
        finite = torch.isfinite(mean).all() & torch.isfinite(variance).all()
        self.running_mean.copy_(torch.where(finite, mean, self.running_mean))
        self.running_var.copy_(torch.where(finite, variance, self.running_var))

    def _over_all_processes(self, x: Tensor) -> Tensor:
        """Do the forward pass in training; every process must have a batch of the same shape."""
        wide = x.float()
        local = torch.stack([wide.mean((0, 2, 3)), wide.square().mean((0, 2, 3))])
        mean, square = _SumOverProcesses.apply(local) / distributed.get_world_size()
        variance = square - mean.square()
        self._remember(
            mean.detach(), variance.detach(), x.numel() // x.shape[1] * distributed.get_world_size()
        )
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return (wide * scale[:, None, None] + shift[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics as torch does, with the unbiased variance."""
        self._take_if_finite(
            self.running_mean.lerp(mean, self.momentum),
            self.running_var.lerp(variance * count / (count - 1), self.momentum),
        )

    def affine_in_eval(self) -> tuple[Tensor, Tensor]:
        """Return scale and shift per channel that this layer applies with its running statistics, (C,)."""
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias - self.running_mean * scale

    @torch.no_grad()
    def become_shift(self, shift: Tensor) -> None:
        """Make this layer add `shift`, (C,), in evaluation, and do nothing else."""
        self.running_mean.zero_()
        self.running_var.fill_(1 - self.eps)
        self.weight.fill_(1)
        self.bias.copy_(shift)

    @torch.no_grad()
    def measure(self, x: Tensor) -> None:
        """Set the running statistics to those of x, (B,C,H,W), in all processes; the output stays equal."""
        scale, shift = self.affine_in_eval()
        wide = x.float()
        mean, square = _mean_over_processes(
            torch.stack([wide.mean((0, 2, 3)), wide.square().mean((0, 2, 3))])
        )
        self.running_mean.copy_(mean)
        self.running_var.copy_((square - mean.square()).clamp_min(0))
        self.weight.copy_(scale * torch.sqrt(self.running_var + self.eps))
        self.bias.copy_(shift + mean * scale)


def _mean_over_processes(x: Tensor) -> Tensor:
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(x)
        x = x / distributed.get_world_size()
    return x


def measure_statistics(network: nn.Module, forward: Callable[[], object]) -> None:
    """Make every BatchNorm of `network` measure its input while `forward` runs; no value changes."""
    layers = [module for module in network.modules() if isinstance(module, BatchNorm)]
    hooks = [
        layer.register_forward_pre_hook(lambda layer, inputs: layer.measure(*inputs)) for layer in layers
    ]
    freeze_statistics(network)
    try:
        with torch.no_grad():
            forward()
    finally:
        freeze_statistics(network, frozen=False)
        for hook in hooks:
            hook.remove()


def freeze_statistics(network: nn.Module, frozen: bool = True) -> None:
    """Make `network` normalise with its running statistics, which no longer change, even in training."""
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.frozen = frozen


@torch.no_grad()
def fold_into(convolution: nn.Conv2d, scale: Tensor, shift: Tensor) -> None:
    """Make `convolution` compute scale * convolution(x) + shift, per output channel."""
    convolution.weight.mul_(scale[:, None, None, None])
    bias = shift if convolution.bias is None else convolution.bias * scale + shift
    convolution.bias = nn.Parameter(bias.clone())


def check_fits(given: Mapping[str, Tensor], network: nn.Module) -> None:
    """Raise a RuntimeError that names the first weight that is missing, superfluous or misshapen."""
    wanted = network.state_dict()
    for name in sorted(wanted.keys() - given.keys()):
        raise RuntimeError(f"{name} is missing")
    for name in sorted(given.keys() - wanted.keys()):
        raise RuntimeError(f"there is no place for {name}")
    for name, value in given.items():
        if value.shape != wanted[name].shape:
            raise RuntimeError(f"{name} is {tuple(value.shape)}, not {tuple(wanted[name].shape)}")


class ConvBlock(nn.Module):
    """3x3 convolution, batch normalisation, LeakyReLU ("ConvBlock1" of Tables 1 and 2)."""

    def __init__(self, planes_in: int, planes_out: int, *, reads_pixels: bool = False) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(planes_in, planes_out, 3, padding=1, bias=False)
        self.norm: nn.Module = BatchNorm(planes_out)
        self.reads_pixels = reads_pixels

    def forward(self, x: Tensor) -> Tensor:
        """(B,planes_in,H,W) -> (B,planes_out,H,W)."""
        x = full_precision(self.convolution, x) if self.reads_pixels else self.convolution(x)
        return F.leaky_relu(self.norm(x), LEAK)

    def fold(self) -> None:
        """Fold the batch normalisation into the convolution."""
        if isinstance(self.norm, BatchNorm):
            fold_into(self.convolution, *self.norm.affine_in_eval())
            self.norm = nn.Identity()

    @torch.no_grad()
    def unfold(self, given: ConvBlock) -> None:
        """Undo `fold`: give the same values as `given`, a folded block, in evaluation."""
        self.convolution.weight.copy_(given.convolution.weight)
        if isinstance(self.norm, BatchNorm) and given.convolution.bias is not None:
            self.norm.become_shift(given.convolution.bias)
