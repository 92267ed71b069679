"""Gradient clipping before a step: too long a gradient is clipped, a non-finite one is dropped.

A single batch that overflows must not ruin a training: the averages of Adam and Muon would carry its NaN into
every later step, and so into the weights. All tasks end their backward pass here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def clip(network: nn.Module, limit: float) -> Tensor:
    """Clip the gradient of `network` by its norm, or set it to zero if the norm is not finite.

    The decision is made on the device: nothing waits for it, and a CUDA graph can contain it. After a dropped
    gradient the optimisers still move according to earlier ones.

    Args:
        network: network whose parameters have gradients.
        limit: largest norm over all parameters.

    Returns:
        The norm before clipping, a scalar; not finite if the gradient was dropped.
    """
    norm: Tensor = nn.utils.clip_grad_norm_(network.parameters(), limit, foreach=True)
    finite = torch.isfinite(norm)
    for parameter in network.parameters():
        if parameter.grad is not None:
            parameter.grad = torch.where(finite, parameter.grad, 0.0)
    return norm
