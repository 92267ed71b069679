"""What a step costs at each pixel, when bits are coded in joint steps of the three channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stegcli.methods.phase.costs import model_cost

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stegcli.models.loading import Loader

    F32 = NDArray[np.float32]

__all__ = ["SHARE", "coded_cost"]

SHARE: Final = 0.6
"""How much of the network's correction of HILL's costs is applied.

The network learned where steps of luma alone show. Joint steps have prices of their own for what the channels
share, and the whole correction drives too many of them into the same texture, where CRM finds them
(benchmarks/shares.py, on covers that no table uses).
"""


def coded_cost(luma_levels: F32, load: Loader) -> F32:
    """(H, W) luma in grey levels -> (H, W) float32 costs > 0, by the models' own network or the program's."""
    return model_cost(luma_levels, load, SHARE)
