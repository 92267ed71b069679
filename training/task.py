"""What a training loop needs to know of a model: one step, one validation, one state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

Networks = Mapping[str, Mapping[str, Tensor]]
"""Role ("encoder", "decoder") -> name in the torch module -> float32 weights, as exported files hold them."""

Batch = Mapping[str, Tensor]
"""Named tensors; pictures are uint8, (B, C, H, W), on the training device."""


class Feed(Protocol):
    """Batches as a pure function of the step, so that a resumed run sees what an uninterrupted one would."""

    def batch(self, step: int) -> Batch:
        """The global batch of this step, or this process's share of it."""
        ...

    def validation(self) -> Mapping[str, list[Batch]]:
        """Held-out batches by data set."""
        ...


class Task(Protocol):
    """A family of networks under training."""

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """One optimisation step, backward included; returns named detached scalars."""
        ...

    def validate(self, batches: Mapping[str, list[Batch]]) -> dict[str, float]:
        """Mean figures on held-out pictures, from 8-bit rounded pixels; keys as "lfw/revealed_psnr_db"."""
        ...

    def samples(self, batch: Batch) -> dict[str, Tensor]:
        """Named picture grids (3 or 1, H, W) in 0..1 for TensorBoard and the run's folder."""
        ...

    def begin_from(self, state: dict[str, Any]) -> None:
        """Start a new run where another one of the same model ended."""
        ...

    def begin_from_weights(self, networks: Networks) -> None:
        """Start a new run with the networks of exported files; RuntimeError for those that do not fit."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything but the pictures: networks, optimisers, pools."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Undo `state_dict`."""
        ...
