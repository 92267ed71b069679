"""Costs corrected by a network: HILL estimates where changes are hidden well, and the network corrects it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers.costs import hill_cost
from stegcli.models.contract import COST
from stegcli.models.session import run_tiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.models.loading import Loader
    from stegcli.models.session import Network
    from stegcli.models.tiling import Tile

    F32 = NDArray[np.float32]

__all__ = ["learned_cost", "model_cost"]

_FAMILY: Final = "phase"

TILE_PIXELS: Final = 1 << 20
"""Largest number of pixels in a tile; per pixel the network takes more memory than codecs."""


def model_cost(luma_levels: F32, load: Loader, share: float = 1.0) -> F32:
    """(H, W) luma in grey levels -> (H, W) float32 costs > 0: by the model's own network, or the program's.

    Costs depend on the cover and not on the code: a model trained elsewhere needs no network for them.
    `share` is as for `learned_cost`.
    """
    own = load if load.has(COST) else load.models.bundled(_FAMILY)
    return learned_cost(luma_levels, own(COST), share)


def learned_cost(luma_levels: F32, network: Network, share: float = 1.0) -> F32:
    """(H, W) luma in grey levels -> (H, W) float32 costs > 0: HILL's times exp(share * correction).

    The correction is the network's; `share`, 0..1, is how much of it is applied.
    """
    hill = hill_cost(luma_levels)

    def planes(tile: Tile) -> F32:
        seen = np.stack([luma_levels[tile.rows, tile.cols], np.log(hill[tile.rows, tile.cols])])
        missing = [(0, whole - there) for whole, there in zip(tile.shape, seen.shape[1:], strict=True)]
        padded: F32 = np.pad(seen, [(0, 0), *missing], mode="edge")[None]
        return padded

    cost = np.empty_like(hill)
    for rows, cols, correction in run_tiled(network, planes, hill.shape, {}, budget=TILE_PIXELS):
        cost[rows, cols] = hill[rows, cols] * np.exp(np.float32(share) * correction[0])
    return cost
