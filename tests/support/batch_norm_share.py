"""One of two processes that normalise a batch together: in a module that a new process can import by name."""

import warnings

import torch
from torch import distributed

from stegcli.training.isgan.layers import BatchNorm


def both_halves():
    """(4,3,6,6): the whole batch."""
    return torch.rand(4, 3, 6, 6, generator=torch.Generator().manual_seed(3))


def share(rank, port, results):
    """Run two rows forward and backward, in step with the other process, and put the results into a queue."""
    warnings.simplefilter("error")  # a new process does not inherit pytest's filters
    distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    layer = BatchNorm(3)
    x = both_halves()[2 * rank : 2 * rank + 2].requires_grad_()
    y = layer(x)
    (y * both_halves()[2 * rank : 2 * rank + 2].square()).sum().backward()
    results.put((rank, y.detach().numpy(), x.grad.numpy(), layer.running_var.numpy()))
    distributed.barrier()
    distributed.destroy_process_group()
