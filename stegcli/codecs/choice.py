"""Choose the codec: the shortest result that meets the goal, or the best that fits; and decode.

Fast drafts predict which codec will win, and only that one is run at full effort. Where a lossless file is
shorter than a lossy one of the wanted quality, or hardly longer, as for text, line art and QR codes, the
secret comes back exactly.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Final

from stegcli.codecs import plain, search
from stegcli.codecs.base import (
    MAX_PIXELS,
    Budget,
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
from stegcli.pictures import metrics
from stegcli.pictures.reading import resize

__all__ = ["decode", "encode"]

_LOSSLESS: Final = WebpLosslessCodec()
_DECODERS: Final[dict[CodecId, Codec]] = {
    CodecId.WEBP_LOSSLESS: _LOSSLESS,
    CodecId.WEBP: WebpCodec(),
    CodecId.AVIF: AvifCodec(),
}
_EXACT_WORTH: Final = 1.1
"""An exact result may be longer than a lossy one by this factor, since it is worth the bits."""
_CLEAR: Final = 1.6
"""A draft that is longer by this factor loses for certain: lossless files shrink by at most a fifth."""
_FLOOR: Final = 3
"""The lowest level used at full size: below it, half the size looks as good in as many bytes."""
_SMALLEST_SCALE: Final = 1 / 16
_STEP_DOWN: Final = 0.8


def encode(secret: Secret, wishes: Wishes | None = None) -> Encoded:
    """Encode a secret, and decode it as the reader will see it. Wishes are for pictures; files are exact.

    Raises:
        UsageError: it cannot be encoded (too large, too long), or nothing of it fits into the budget.
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
    """Decode what `encode` made, given its three results. The caller first checks `shape` against its limits.

    Raises:
        SecretError: the payload is damaged, hostile, or from a newer stegcli.
        MissingExtraError: the installed Pillow or Python does not support the format.
    """
    if codec_id not in {int(known) for known in CodecId}:
        raise SecretError(f"codec {codec_id} is not known")
    codec = _DECODERS.get(CodecId(codec_id))
    picture = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
    if (codec is None and len(shape) != 1) or (codec is not None and not picture):
        raise SecretError("its codec and its shape do not go together")
    if codec is None:
        return plain.decode(CodecId(codec_id), payload, shape)
    if min(shape) < 1 or shape[0] * shape[1] > MAX_PIXELS:
        raise SecretError(f"a picture cannot have {shape[1]}x{shape[0]} pixels")
    return codec.decode(payload, shape)


def _budget(goal: Budget | Rate, picture: Picture) -> int:
    """Return the budget in bytes."""
    if isinstance(goal, Budget):
        return goal.max_bytes
    return max(1, int(goal.bits_per_pixel * picture.shape[0] * picture.shape[1] / 8))


def _lossy(picture: Picture, wishes: Wishes) -> Trials:
    return Trials.of(AvifCodec(wishes.chroma, wishes.looks) if has_avif() else WebpCodec(), picture)


# --- the fewest bytes for a quality -


def _smallest(picture: Picture, psnr_db: float, wishes: Wishes) -> Encoded:
    """Encode losslessly and lossily, unless drafts rule one of them out, and return the shorter result.

    An exact one may be a little longer, see `_EXACT_WORTH`.
    """
    lossless, lossy = Trials.of(_LOSSLESS, picture), _lossy(picture, wishes)
    draft = search.reaching(lossy, psnr_db, draft=True)
    exact_bytes = len(lossless.at(0, draft=True).payload)
    found: list[Encoded] = []
    if draft is not None:
        lossy_bytes = len(lossy.at(draft.level, draft=True).payload)
        if lossy_bytes < exact_bytes * _CLEAR:
            found += _carefully(lossy, psnr_db, draft, quick=wishes.quick)
    if not found or exact_bytes < lossy_bytes * _CLEAR:
        found.append(lossless.at(0))
    return replace(min(found, key=_weighted_bytes), encodes=lossy.encodes)


def _weighted_bytes(found: Encoded) -> float:
    """Return the length in bytes by which results are compared; see `_EXACT_WORTH`."""
    return len(found.payload) / (_EXACT_WORTH if math.isinf(found.psnr_db) else 1)


def _carefully(lossy: Trials, psnr_db: float, draft: Found, *, quick: bool) -> list[Encoded]:
    final = draft if quick else search.reaching(lossy, psnr_db, near=draft)
    return [] if final is None else [lossy.at(final.level, draft=quick)]


# --- the best quality within a number of bytes -


def _best_within(picture: Picture, max_bytes: int, wishes: Wishes) -> Encoded:
    lossless = Trials.of(_LOSSLESS, picture)
    if len(lossless.at(0, draft=True).payload) < max_bytes * _CLEAR:
        exact = lossless.at(0)
        if len(exact.payload) <= max_bytes:
            return exact
    lossy = _lossy(picture, wishes)
    found = _best_fitting(lossy, max_bytes, _FLOOR, quick=wishes.quick)
    return _reduced(picture, lossy, max_bytes, quick=wishes.quick) if found is None else found


def _best_fitting(lossy: Trials, max_bytes: int, floor: int, *, quick: bool) -> Encoded | None:
    """Search with drafts, then at full effort; None if only levels below `floor` fit."""
    draft = search.fitting(lossy, max_bytes, draft=True)
    if draft is None:
        return None
    final = draft if quick else search.fitting(lossy, max_bytes, near=draft)
    if final is None or final.level < floor:
        return None
    return replace(lossy.at(final.level, draft=quick), encodes=lossy.encodes)


def _reduced(picture: Picture, lossy: Trials, max_bytes: int, *, quick: bool) -> Encoded:
    """Encode a smaller picture, judged as the reader sees it, scaled back to the original size."""
    size = (picture.shape[0], picture.shape[1])
    full = len(lossy.at(_FLOOR, draft=True).payload)
    scale, encodes = min(_STEP_DOWN, (max_bytes / full) ** 0.5), lossy.encodes
    while scale >= _SMALLEST_SCALE:
        small = resize(picture, (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))))
        trials = Trials(lossy.codec, small, partial(_judged, picture))
        found = _best_fitting(trials, max_bytes, 0, quick=quick)
        encodes += trials.encodes
        if found is not None:
            return replace(found, encodes=encodes)
        scale *= _STEP_DOWN
    raise UsageError(
        f"a secret of {size[1]}x{size[0]} pixels does not fit into {max_bytes:,} bytes, however coarse",
        f"Take a larger cover or a smaller secret; a coarse version of this one needs about {full:,} bytes.",
    )


def _judged(picture: Picture, small: Picture) -> tuple[Picture, float]:
    seen = resize(small, (picture.shape[0], picture.shape[1]))
    return seen, metrics.psnr(picture, seen)
