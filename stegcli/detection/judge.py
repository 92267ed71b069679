"""How much a stego looks like one: a detector's verdict, by which covers are ranked.

picture ─ up to nine crops ─ residuals ─> (3948,) shares each ─ judge.onnx: weights, offsets ─> ratings

A detector trained on enlarged pictures differs from one trained on shrunk pictures, and a detector of few
changes from one of many. There is therefore a margin for each kind of covers and each spread, and a likeness
to each kind, by which the kind is recognised. The margins are ensembles of Fisher
discriminants (`stegcli.lab.security.ensemble`), which are linear and so fold into one sum;
`benchmarks/judge.py` trains them on covers and stegos of the phase channel, and measures them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.detection import residuals
from stegcli.models.loading import Models

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.models.session import Network

    U8 = NDArray[np.uint8]
    F32 = NDArray[np.float32]

__all__ = ["BOUND", "FAMILY", "SPREADS", "load", "margins", "pick", "rate", "score", "weigh"]

FAMILY: Final = "judge"
"""Family of its model, see `contract.ROLES`."""

SPREADS: Final = (4, 8, 16)
"""Spreads for whose stegos there are margins: below them a detector hardly errs, above them it guesses."""
BOUND: Final = 3.0
"""Standard deviations of covers beyond which a cover counts as unknown."""
CROP: Final = 256
"""Side of a crop in pixels, about that of the pictures on which it was trained."""
_CROPS: Final = 3  # along each axis
_LEAST: Final = 8  # pixels that every residual and co-occurrence fits into


def load() -> Network:
    """Load the bundled judge, on the CPU.

    Raises:
        ModelError: its weights are missing or damaged.
    """
    return Models(device="cpu").bundled(FAMILY)(FAMILY)


def score(cover_rgb: U8, stego_rgb: U8, spread: int, network: Network) -> float:
    """(H, W, 3) uint8 each -> their score, see `weigh`, in standard deviations of covers."""
    return float(weigh(*margins(cover_rgb, stego_rgb, spread, network)))


def margins(cover_rgb: U8, stego_rgb: U8, spread: int, network: Network) -> tuple[np.float32, np.float32]:
    """(H, W, 3) uint8 each -> their margins, see `pick`."""
    cover, stego = (
        rate(_features(rgb), network).mean(axis=0, keepdims=True) for rgb in (cover_rgb, stego_rgb)
    )
    before, after = pick(cover, stego, spread)
    return before[0], after[0]


def rate(features: F32, network: Network) -> F32:
    """(n, d) of `residuals.colour` -> (n, kinds * spreads + kinds).

    First come the margins for each kind and spread, spreads varying faster: the higher, the more like a
    stego; covers of that kind have median 0 and standard deviation 1. Then come the likenesses to each kind,
    of which that of the picture's kind is largest.
    """
    planes = np.ascontiguousarray(features.T)[None, :, None]  # one picture, a pixel for each row
    ratings: F32 = network.run(planes, {})[:, 0].T
    return ratings


def pick(cover: F32, stego: F32, spread: int) -> tuple[F32, F32]:
    """(n, r) ratings of `rate` each -> (n,) margins each: those of the cover's kind and of the spread.

    Between two spreads it is a weighted mean of theirs, beyond them that of the nearest.
    """
    place = np.interp(np.log2(spread), np.log2(SPREADS), np.arange(len(SPREADS)))
    shares = np.clip(1 - np.abs(place - np.arange(len(SPREADS))), 0, 1).astype(np.float32)
    kinds = cover.shape[1] // (len(SPREADS) + 1)
    rows, kind = np.arange(len(cover)), cover[:, -kinds:].argmax(axis=1)

    def own(ratings: F32) -> F32:
        picked: F32 = ratings[:, :-kinds].reshape(-1, kinds, len(SPREADS))[rows, kind] @ shares
        return picked

    return own(cover), own(stego)


def weigh(before: F32 | np.float32, after: F32 | np.float32) -> F32:
    """Margins of covers and of their stegos -> how much to avoid them, in standard deviations of covers.

    A detector sees only the stego, so both the cover's own margin and what hiding added count. The former
    counts within `BOUND` only: a cover beyond it (drawn, scanned) is of a kind that the judge does not know
    but a detector may, and would otherwise come first or last because of that.
    """
    scores: F32 = after - before + np.clip(before, -BOUND, BOUND)
    return scores


def _features(rgb: U8) -> F32:
    return np.stack([residuals.colour(crop) for crop in _crops(rgb)])


def _crops(rgb: U8) -> list[U8]:
    """Return evenly spread crops, or the whole side where they would overlap."""
    height, width = rgb.shape[:2]
    lacking = [(0, max(0, _LEAST - side)) for side in (height, width)]
    padded = np.pad(rgb, [*lacking, (0, 0)], mode="symmetric")
    return [padded[rows, cols] for rows in _spans(padded.shape[0]) for cols in _spans(padded.shape[1])]


def _spans(length: int) -> list[slice]:
    if length <= _CROPS * CROP:
        return [slice(0, length)]
    return [slice(start, start + CROP) for start in np.linspace(0, length - CROP, _CROPS).astype(int)]
