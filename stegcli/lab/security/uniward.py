"""S-UNIWARD of luma, from the package conseal, as an alternative to HILL as the base of costs.

Holub, Fridrich and Denemark, "Universal distortion function for steganography in an arbitrary domain",
EURASIP Journal on Information Security 2014:1: the relative change of directional wavelet residuals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers.costs import hill_cost
from stegcli.lab.extras import load
from stegcli.lab.security.learned_costs import program_cost

__all__ = ["corrected_uniward_cost", "uniward_cost"]

F32 = NDArray[np.float32]


def uniward_cost(luma_levels: F32) -> F32:
    """(H, W) luma in grey levels -> (H, W) float32 costs > 0, in arbitrary units.

    Raises:
        MissingExtraError: conseal is not installed.
    """
    adjusted = load("conseal", "S-UNIWARD").suniward.compute_cost_adjusted
    up, down = adjusted(luma_levels)  # they differ only at 0 and 255, where `samples` forbids steps anyway
    cost: F32 = np.minimum(up, down).astype(np.float32)
    return cost


def corrected_uniward_cost(luma_levels: F32) -> F32:
    """Return S-UNIWARD corrected by the program's network, which was trained on HILL's costs instead."""
    correction = program_cost(luma_levels) / hill_cost(luma_levels)
    return uniward_cost(luma_levels) * correction
