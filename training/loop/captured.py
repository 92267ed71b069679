"""A training step as one CUDA graph, since launching some thousand kernels singly takes longer than they run.

The first calls run normally, and are real training steps, in which networks compile and optimisers allocate
memory. Then a call is recorded; from then on its inputs are copied into the recording's own buffers, and it
is replayed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

Outputs = TypeVar("Outputs")

CAPTURED = ("lr", "capturable", "fused")
"""Settings of an optimiser's groups that concern how it runs, not what it has learned."""


class CapturedStep(Generic[Outputs]):
    """An update with fixed buffers, which is called like the update itself.

    The update must do the same at every call, must not read a value on the device, and must not make
    tensors from values on the host. Its inputs are tensors with constant shapes.
    """

    WARMUP = 3

    def __init__(self, update: Callable[..., Outputs]) -> None:
        self.update = update
        self.calls = 0
        self.graph = torch.cuda.CUDAGraph()
        self.inputs: tuple[Tensor, ...] = ()
        self.outputs: Outputs

    def __call__(self, *inputs: Tensor) -> Outputs:
        """Run the update with `inputs`; its results stay valid until the next call."""
        self.calls += 1
        if self.calls <= self.WARMUP:
            return self._on_side_stream(inputs)
        if self.calls == self.WARMUP + 1:
            self._capture(inputs)
        for buffer, value in zip(self.inputs, inputs, strict=True):
            buffer.copy_(value)
        self.graph.replay()
        return self.outputs

    def _on_side_stream(self, inputs: tuple[Tensor, ...]) -> Outputs:
        """Run on a side stream, as capturing requires of what precedes it."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            outputs = self.update(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        return outputs

    def _capture(self, inputs: tuple[Tensor, ...]) -> None:
        """Record the update without running it."""
        self.inputs = tuple(value.clone() for value in inputs)
        torch.cuda.synchronize()
        with torch.cuda.graph(self.graph):
            self.outputs = self.update(*self.inputs)


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, object]) -> None:
    """Do `optimiser.load_state_dict(state)` for a state from any device.

    How the optimiser runs does not change (`CAPTURED`): a run that began on a CPU continues with a captured
    step.
    """
    own = [{name: group[name] for name in CAPTURED if name in group} for group in optimiser.param_groups]
    groups = state["param_groups"]
    assert isinstance(groups, list)  # noqa: S101 - torch's own format
    mine = [{**group, **kept} for group, kept in zip(groups, own, strict=True)]
    optimiser.load_state_dict({**state, "param_groups": mine})
    for group, kept in zip(optimiser.param_groups, own, strict=True):
        group.update(kept)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all groups; in place if it is a tensor that a recording reads."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
