"""Which codec: the smallest that reaches the wish, or the best that fits; and the way back.

Drafts of each codec say which one will win, and only that one is encoded with care. Where a lossless file is
smaller than a lossy one of the wanted quality, as for text, line art and QR codes, it comes back exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from PIL import Image

from stegcli import metrics
from stegcli.codecs import plain, search
from stegcli.codecs.base import (
    MAX_PIXELS,
    Budget,
    Chroma,
    Codec,
    CodecId,
    Encoded,
    FileSecret,
    Picture,
    Rate,
    Secret,
    SecretError,
    Shape,
    Target,
    Wishes,
    check_picture,
)
from stegcli.codecs.files import AvifCodec, WebpCodec, WebpLosslessCodec, has_avif
from stegcli.codecs.search import Found, Trials
from stegcli.errors import UsageError

__all__ = ["decode", "encode", "resized"]

_LOSSLESS: Final = WebpLosslessCodec()
_DECODERS: Final[dict[CodecId, Codec]] = {
    CodecId.WEBP_LOSSLESS: _LOSSLESS,
    CodecId.WEBP: WebpCodec(),
    CodecId.AVIF: AvifCodec(),
}
_CHROMAS: Final[dict[Chroma, tuple[Literal["4:4:4", "4:2:0"], ...]]] = {
    "best": ("4:4:4", "4:2:0"),
    "4:4:4": ("4:4:4",),
    "4:2:0": ("4:2:0",),
}

_CLEAR: Final = 1.6
"""A draft that is longer by this factor loses for certain: lossless ones shrink by a fifth at the most."""
_FLOOR: Final = 3
"""The lowest level at full size: below it half the size reveals as well in as many bytes."""
_SMALLEST_SCALE: Final = 1 / 16
_STEP_DOWN: Final = 0.8


@dataclass(frozen=True)
class _Draft:
    """Where the drafts of a codec ended."""

    trials: Trials
    found: Found

    @property
    def encoded(self) -> Encoded:
        return self.trials.at(self.found.level, draft=True)


def encode(secret: Secret, wishes: Wishes | None = None) -> Encoded:
    """A secret as bytes, and what the reader will see of it. Wishes are for pictures: files travel exactly.

    Raises:
        UsageError: it cannot be encoded (too large, too long), or nothing of it fits in the budget.
    """
    if isinstance(secret, FileSecret):
        return plain.encode(secret)
    check_picture(secret)
    wishes = wishes or Wishes()
    goal = wishes.goal
    if isinstance(goal, Target):
        return _smallest(secret, goal.psnr_db, wishes)
    return _best_within(secret, _budget(goal, secret), wishes)


def decode(codec_id: int, payload: bytes, shape: Shape) -> Secret:
    """What `encode` made, from its three results. The caller holds `shape` against his own limit first.

    Raises:
        SecretError: damaged, hostile, or of a newer stegcli.
        MissingExtraError: the installed Pillow or Python lacks the decoder.
    """
    if codec_id not in {int(known) for known in CodecId}:
        raise SecretError(f"codec {codec_id} is not known")
    codec = _DECODERS.get(CodecId(codec_id))
    picture = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
    if (codec is None and len(shape) != 1) or (codec is not None and not picture):
        raise SecretError("a codec and a shape that do not go together")
    if codec is None:
        return plain.decode(CodecId(codec_id), payload, shape)
    if min(shape) < 1 or shape[0] * shape[1] > MAX_PIXELS:
        raise SecretError(f"a picture of {shape[1]}x{shape[0]}")
    return codec.decode(payload, shape)


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """Gray or colour to `size` = (height, width) by Lanczos; itself if it has that size."""
    if picture.shape[:2] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize((size[1], size[0]), Image.Resampling.LANCZOS))


def _budget(goal: Budget | Rate, picture: Picture) -> int:
    """In bytes."""
    if isinstance(goal, Budget):
        return goal.max_bytes
    return max(1, int(goal.bits_per_pixel * picture.shape[0] * picture.shape[1] / 8))


def _lossy(picture: Picture, wishes: Wishes) -> Sequence[Codec]:
    if not has_avif():
        return (WebpCodec(),)
    chromas = _CHROMAS[wishes.chroma] if picture.ndim == 3 else ("4:4:4",)
    return [AvifCodec(chroma, wishes.looks) for chroma in chromas]


# --- the fewest bytes of a quality -


def _smallest(picture: Picture, psnr_db: float, wishes: Wishes) -> Encoded:
    every = [Trials.of(codec, picture) for codec in _lossy(picture, wishes)]
    drafts = [(trials, search.reaching(trials, psnr_db, draft=True)) for trials in every]
    reached = [_Draft(trials, found) for trials, found in drafts if found is not None]
    draft = min(reached, key=lambda each: len(each.encoded.payload), default=None)
    found = _candidates(Trials.of(_LOSSLESS, picture), draft, psnr_db, quick=wishes.quick)
    best = min(found, key=lambda each: len(each.payload))
    return replace(best, encodes=sum(each.encodes for each in every))


def _candidates(lossless: Trials, draft: _Draft | None, psnr_db: float, *, quick: bool) -> list[Encoded]:
    """The lossless file and the lossy one, without those that their drafts rule out."""
    exact_bytes = len(lossless.at(0, draft=True).payload)
    if draft is None or exact_bytes * _CLEAR < len(draft.encoded.payload):
        return [lossless.at(0)]
    final = draft.found if quick else search.reaching(draft.trials, psnr_db, near=draft.found)
    found = [] if final is None else [draft.trials.at(final.level, draft=quick)]
    if not found or exact_bytes < len(draft.encoded.payload) * _CLEAR:
        found.append(lossless.at(0))
    return found


# --- the best quality in so many bytes -


def _best_within(picture: Picture, max_bytes: int, wishes: Wishes) -> Encoded:
    lossless = Trials.of(_LOSSLESS, picture)
    if len(lossless.at(0, draft=True).payload) < max_bytes * _CLEAR:
        exact = lossless.at(0)
        if len(exact.payload) <= max_bytes:
            return exact
    every = [Trials.of(codec, picture) for codec in _lossy(picture, wishes)]
    found = _best_fitting(every, max_bytes, _FLOOR, quick=wishes.quick)
    return _reduced(picture, every, max_bytes, quick=wishes.quick) if found is None else found


def _best_fitting(every: Sequence[Trials], max_bytes: int, floor: int, *, quick: bool) -> Encoded | None:
    """The best of the codecs by their drafts, then with care; None below the level `floor`."""
    drafts = [(trials, search.fitting(trials, max_bytes, draft=True)) for trials in every]
    fitting = [_Draft(trials, found) for trials, found in drafts if found is not None]
    if not fitting:
        return None
    draft = max(fitting, key=lambda each: each.encoded.psnr_db)
    final = draft.found if quick else search.fitting(draft.trials, max_bytes, near=draft.found)
    if final is None or final.level < floor:
        return None
    best = draft.trials.at(final.level, draft=quick)
    return replace(best, encodes=sum(each.encodes for each in every))


def _reduced(picture: Picture, every: Sequence[Trials], max_bytes: int, *, quick: bool) -> Encoded:
    """A smaller picture, judged as the reader sees it: back at its own size."""
    size = (picture.shape[0], picture.shape[1])
    codec, full = every[0].codec, len(every[0].at(_FLOOR, draft=True).payload)
    scale = min(_STEP_DOWN, (max_bytes / full) ** 0.5)
    encodes = sum(each.encodes for each in every)
    while scale >= _SMALLEST_SCALE:
        small = resized(picture, (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))))
        trials = Trials(codec, small, lambda seen: _judged(picture, resized(seen, size)))
        found = _best_fitting([trials], max_bytes, 0, quick=quick)
        encodes += trials.encodes
        if found is not None:
            return replace(found, encodes=encodes)
        scale *= _STEP_DOWN
    raise UsageError(
        f"a secret of {size[1]}x{size[0]} pixels does not fit in {max_bytes:,} bytes, however coarse",
        f"Take a larger cover or a smaller secret; about {full:,} bytes hold a coarse version of this one.",
    )


def _judged(picture: Picture, seen: Picture) -> tuple[Picture, float]:
    return seen, metrics.psnr(picture, seen)
