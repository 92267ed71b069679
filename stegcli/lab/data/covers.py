"""Turn pictures into covers for detectors: from JPEG, shrunk by a quarter, 256x192."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stegcli.errors import ImageError, UsageError, one_line
from stegcli.lab.data import photos
from stegcli.pictures.files import DECODER_ERRORS

__all__ = [
    "COVER_SHAPE",
    "MIN_COVERS",
    "SHRINK",
    "covers_of",
    "cut",
    "judging_covers",
    "learning_and_judging",
    "unlearned",
    "load_cover",
    "middle",
]

U8 = NDArray[np.uint8]

SHRINK: Final = 0.75
"""Shrinking by this factor removes the block grid of a JPEG."""
COVER_SHAPE: Final = (192, 256)
MIN_COVERS: Final = 20
LEARNED: Final = ("imagenet", "voc2012")
"""Data sets on which the costs of `phase-v1` were trained."""
JUDGING_SHARE: Final = 0.4
"""Share of a data set for detectors, which need more covers than the tenth held out from codecs."""


def covers_of(refs: Sequence[photos.ImageRef], count: int, shrink: float = SHRINK) -> list[photos.ImageRef]:
    """Return the first pictures that can be decoded and are large enough for `COVER_SHAPE` after shrinking.

    Raises:
        UsageError: there are fewer than `MIN_COVERS`.
    """
    least = (COVER_SHAPE[0] / shrink, (COVER_SHAPE[1] - 1) / shrink)
    found = list(islice(photos.decodable(refs, least), count))
    if len(found) < MIN_COVERS:
        raise UsageError(
            f"only {len(found)} pictures are large enough to be covers",
            f"Give {MIN_COVERS} of {COVER_SHAPE[1] / shrink:.0f}x{COVER_SHAPE[0] / shrink:.0f} or more.",
        )
    return found


def learning_and_judging(
    dataset: str, data_root: Path | None
) -> tuple[list[photos.ImageRef], list[photos.ImageRef]]:
    """Split a data set into pictures to train costs on, and pictures to judge the result with.

    The latter include the pictures on which no model of the project is trained (`photos.splits`), and more.
    """
    return photos.split(photos.find(dataset, data_root), JUDGING_SHARE, photos.SPLIT_SEED)


def unlearned(dataset: str, data_root: Path | None) -> list[photos.ImageRef]:
    """Return pictures on which no costs were trained: the judging part of a known data set, else all."""
    if dataset in LEARNED:
        return learning_and_judging(dataset, data_root)[1]
    return photos.find(dataset, data_root)


def judging_covers(data_root: Path | None, count: int | None = None) -> list[photos.ImageRef]:
    """Return covers of `LEARNED` on which no costs were trained, in a fixed order; None for all."""
    refs = [ref for name in LEARNED for ref in unlearned(name, data_root)]
    random.Random(0).shuffle(refs)  # noqa: S311 - repeatable on purpose
    return covers_of(refs, len(refs) if count is None else count)


def load_cover(ref: photos.ImageRef, shrink: float = SHRINK) -> U8:
    """Load a cover, (192, 256, 3) uint8, as by `cut`; ImageError if the picture cannot be read."""
    try:
        with ref.open() as opened:
            return cut(opened, shrink)
    except DECODER_ERRORS as error:
        raise ImageError(
            f"{ref.key}: cannot be read ({one_line(error)})",
            "Remove it from the pictures, or get an undamaged copy.",
        ) from error


def cut(picture: Image.Image, shrink: float = SHRINK) -> U8:
    """Return the centre, (192, 256, 3) uint8, of a picture shrunk at least so far; portraits are rotated.

    At 1 the pixels stay as they are, including the block grid of a JPEG; above 1 the picture is enlarged.
    """
    image = picture.convert("RGB")
    if image.width < image.height:
        image = image.transpose(Image.Transpose.ROTATE_90)
    height, width = COVER_SHAPE
    # Much larger pictures are shrunk further, so that a cover shows a whole scene.
    fits = max(height / image.height, width / image.width)
    scale = shrink if shrink >= 1 else min(shrink, fits)
    size = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.LANCZOS)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return np.asarray(image.crop((left, top, left + width, top + height)))


def middle(picture: U8, part: float) -> U8:
    """(H, W, ...) -> its centre, with `part` of each side: fewer of the same pixels."""
    height, width = (round(side * part) for side in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])
