"""How much a stego looks like one, to rank covers by: what a detector would say of it.

picture ─ up to nine crops ─ residuals ─> (3948,) shares each ─ judge.onnx (a weight each, an offset) ─> mean

The weights are ensembles of Fisher discriminants (`stegcli.lab.ensemble`), which are linear and so fold into
one sum; `benchmarks/judge.py` trains it on covers and stegos of the phase channel, and measures it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli import residuals, store
from stegcli.session import load_network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    F32 = NDArray[np.float32]

__all__ = ["FAMILY", "rate", "score", "weigh"]

FAMILY: Final = "judge"
"""Of its model, see `contract.ROLES`."""

BOUND: Final = 2.0
"""Standard deviations; nineteen of twenty photographs that it learned from are within."""
CROP: Final = 256
"""Side of a crop, about that of the pictures that it learned from."""
_CROPS: Final = 3  # along each axis
_LEAST: Final = 8  # pixels that every residual and co-occurrence fits into


def score(cover_rgb: U8, stego_rgb: U8) -> float:
    """(H, W, 3) uint8 each -> how far the stego is from the median cover, in standard deviations of covers.

    A detector sees the stego alone: what the cover showed already counts, and what hiding added to it. The
    former counts within `BOUND` only: a cover beyond (enlarged, drawn) is of a kind that the judge does not
    know but a detector may, and would win or lose over all others by that alone.

    Raises:
        ModelError: the judge's weights are missing or damaged.
    """
    cover, stego = (rate(_features(rgb)).mean() for rgb in (cover_rgb, stego_rgb))
    return float(weigh(cover, stego))


def rate(features: F32) -> F32:
    """(n, d) of `residuals.colour` -> (n,), the higher, the more like a stego; covers have median 0."""
    network = load_network(store.find(FAMILY), FAMILY, "cpu")
    planes = np.ascontiguousarray(features.T)[None, :, None]  # one picture, a pixel for each row
    return network.run(planes, {}).reshape(-1)


def weigh(cover: F32, stego: F32) -> F32:
    """(n,) ratings each -> (n,) scores, see `score`."""
    return stego - cover + np.clip(cover, -BOUND, BOUND)


def _features(rgb: U8) -> F32:
    return np.stack([residuals.colour(crop) for crop in _crops(rgb)])


def _crops(rgb: U8) -> list[U8]:
    """Parts spread evenly; the whole picture where they would overlap."""
    height, width = rgb.shape[:2]
    lacking = [(0, max(0, _LEAST - side)) for side in (height, width)]
    padded = np.pad(rgb, [*lacking, (0, 0)], mode="symmetric")
    return [padded[rows, cols] for rows in _spans(padded.shape[0]) for cols in _spans(padded.shape[1])]


def _spans(length: int) -> list[slice]:
    if length <= _CROPS * CROP:
        return [slice(0, length)]
    return [slice(start, start + CROP) for start in np.linspace(0, length - CROP, _CROPS).astype(int)]
