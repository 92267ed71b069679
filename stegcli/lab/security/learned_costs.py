"""The program's costs, and those of a network under test, as functions that a subject can hold.

Each process that compares subjects opens the network itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stegcli.errors import UsageError
from stegcli.methods.coded.costs import coded_cost
from stegcli.methods.phase.costs import learned_cost, model_cost
from stegcli.models.contract import COST
from stegcli.models.loading import Loader, Models
from stegcli.models.session import Network, open_network

__all__ = ["LearnedCost", "SharedCost", "joint_cost", "program_cost"]

F32 = NDArray[np.float32]


def program_cost(luma_levels: F32) -> F32:
    """(H, W) luma in grey levels -> (H, W) float32 costs > 0: those that `phase` uses."""
    return model_cost(luma_levels, _program())


def joint_cost(luma_levels: F32) -> F32:
    """(H, W) luma in grey levels -> (H, W) float32 costs > 0: those that `hide --model coded` uses."""
    return coded_cost(luma_levels, _program())


@dataclass(frozen=True)
class SharedCost:
    """The program's costs with another share of the network's correction.

    Attributes:
        share: 0 for none, which leaves HILL.
    """

    share: float

    def __call__(self, luma_levels: F32) -> F32:
        """(H, W) luma in grey levels -> (H, W) float32 costs > 0."""
        return model_cost(luma_levels, _program(), self.share)


@lru_cache(maxsize=1)
def _program() -> Loader:
    return Models(device="cpu").find("phase")


@dataclass(frozen=True)
class LearnedCost:
    """Costs from an ONNX file that `python -m stegcli.training costs --export` wrote.

    Attributes:
        path: path of the file.
    """

    path: str

    def __call__(self, luma_levels: F32) -> F32:
        """(H, W) luma in grey levels -> (H, W) float32 costs > 0."""
        return learned_cost(luma_levels, _opened(self.path))


@lru_cache(maxsize=1)
def _opened(path: str) -> Network:
    network = open_network(Path(path).read_bytes(), Path(path).name, "cpu")
    if network.contract.role != COST:
        raise UsageError(
            f"{path} is a {network.contract.role}, not a network of costs",
            "Give a file that `python -m stegcli.training costs --export` wrote.",
        )
    return network
