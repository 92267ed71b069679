"""How much a stego looks like one: a detector's verdict, by which covers are ranked.

picture ─ up to nine crops ─ residuals ─> (3948,) shares each ─ judge.onnx: weights, offsets ─> ratings

A detector trained on enlarged pictures differs from one trained on shrunk pictures, and a detector of few
changes from one of many. There is therefore a margin for each kind of covers and each amount that is hidden,
and a likeness to each kind, by which the kind is recognised. Phases and coded bits have a judge each. The
margins are ensembles of Fisher discriminants (`stegcli.lab.security.ensemble`), which are linear and so fold
into one sum; `benchmarks/judge.py` trains them on covers and stegos, and measures them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.detection import residuals
from stegcli.models.contract import JUDGE as ROLE
from stegcli.models.loading import Models

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.models.session import Network

    U8 = NDArray[np.uint8]
    F32 = NDArray[np.float32]

__all__ = ["BOUND", "CODED", "PHASES", "Judge", "Stegos", "load", "weigh"]

BOUND: Final = 3.0
"""Standard deviations of covers beyond which a cover counts as unknown."""
CROP: Final = 256
"""Side of a crop in pixels, about that of the pictures on which it was trained."""
_CROPS: Final = 3  # along each axis
_LEAST: Final = 8  # pixels that every residual and co-occurrence fits into


@dataclass(frozen=True)
class Stegos:
    """Stegos that a judge rates.

    Attributes:
        family: family of the judge, see `contract.ROLES`.
        measure: name of what tells how much they hide.
        amounts: values of it for which there are margins, in ascending order. Below the least spread and
            above the highest rate a detector hardly errs, at the other end it nearly guesses.
    """

    family: str
    measure: str
    amounts: tuple[float, ...]

    def pick(self, cover: F32, stego: F32, amount: float) -> tuple[F32, F32]:
        """(n, r) ratings of `Judge.rate` each -> (n,) margins each: those of the cover's kind and the amount.

        Between two amounts it is a weighted mean of theirs, beyond them that of the nearest.
        """
        count = len(self.amounts)
        place = np.interp(np.log2(amount), np.log2(self.amounts), np.arange(count))
        shares = np.clip(1 - np.abs(place - np.arange(count)), 0, 1).astype(np.float32)
        kinds = cover.shape[1] // (count + 1)
        rows, kind = np.arange(len(cover)), cover[:, -kinds:].argmax(axis=1)

        def own(ratings: F32) -> F32:
            picked: F32 = ratings[:, :-kinds].reshape(-1, kinds, count)[rows, kind] @ shares
            return picked

        return own(cover), own(stego)


PHASES: Final = Stegos("judge", "spread", (4, 8, 16))
CODED: Final = Stegos("coded-judge", "rate", (0.5, 1.5))
"""In pixels, by bits of body per pixel."""


@dataclass(frozen=True)
class Judge:
    """Rates stegos of one kind.

    Attributes:
        stegos: what it rates.
        network: its weights.
    """

    stegos: Stegos
    network: Network

    def margins(self, cover_rgb: U8, stego_rgb: U8, amount: float) -> tuple[np.float32, np.float32]:
        """(H, W, 3) uint8 each -> their margins, see `Stegos.pick`."""
        cover, stego = (
            self.rate(_features(rgb)).mean(axis=0, keepdims=True) for rgb in (cover_rgb, stego_rgb)
        )
        before, after = self.stegos.pick(cover, stego, amount)
        return before[0], after[0]

    def rate(self, features: F32) -> F32:
        """(n, d) of `residuals.colour` -> (n, kinds * amounts + kinds).

        First come the margins for each kind and amount, amounts varying faster: the higher, the more like a
        stego; covers of that kind have median 0 and standard deviation 1. Then come the likenesses to each
        kind, of which that of the picture's kind is largest.
        """
        planes = np.ascontiguousarray(features.T)[None, :, None]  # one picture, a pixel for each row
        ratings: F32 = self.network.run(planes, {})[:, 0].T
        return ratings


def load(stegos: Stegos) -> Judge:
    """Load a bundled judge, on the CPU.

    Raises:
        ModelError: its weights are missing or damaged.
    """
    return Judge(stegos, Models(device="cpu").bundled(stegos.family)(ROLE))


def weigh(before: F32 | np.float32, after: F32 | np.float32, root: float = 1.0) -> F32:
    """Margins of covers and of their stegos -> how much to avoid them, in standard deviations of covers.

    What hiding added grows with the root of the cover's size (the square root law: Ker, Pevny, Kodovsky and
    Fridrich 2008); `root` is that of its pixels over those of the covers that the judge was trained on.

    A detector sees only the stego, so both the cover's own margin and what hiding added count. The former
    counts within `BOUND` only: a cover beyond it (drawn, scanned) is of a kind that the judge does not know
    but a detector may, and would otherwise come first or last because of that.
    """
    scores: F32 = root * (after - before) + np.clip(before, -BOUND, BOUND)
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
