"""The last thing before a step: its gradient is cut where it is long, and dropped where it is not a number.

One batch that overflows must not end a training: Adam's and Muon's averages would carry its NaN into every
later step, and the weights with them. All tasks end their backward pass here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def clip(network: nn.Module, limit: float) -> Tensor:
    """Clip the gradient of all of `network` by its norm, or make it zero if that is not finite.

    The decision stays on the device: nothing waits for it, and a CUDA graph can hold it. After a dropped
    gradient the optimisers still move by what they remember of earlier ones.

    Args:
        network: whose parameters have their gradients.
        limit: of the norm over all parameters.

    Returns:
        The norm before clipping, a scalar; not finite where the gradient was dropped.
    """
    norm: Tensor = nn.utils.clip_grad_norm_(network.parameters(), limit, foreach=True)
    finite = torch.isfinite(norm)
    for parameter in network.parameters():
        if parameter.grad is not None:
            parameter.grad = torch.where(finite, parameter.grad, 0.0)
    return norm
