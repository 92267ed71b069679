"""Pairs of covers and secrets to measure with: from a folder of pairs, or drawn from a data set by a seed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stegcli.errors import ImageError, UsageError
from stegcli.lab.data import photos
from stegcli.pictures import luma, reading
from stegcli.pictures.files import DECODER_ERRORS

__all__ = ["Pair", "PairSource", "from_dataset", "from_folder", "rgb_square"]

Array = NDArray[np.uint8]
_ROLES = ("cover", "secret")


@dataclass(frozen=True)
class Pair:
    """The pictures of one measurement.

    Attributes:
        name: name of both files.
        cover_rgb: (H, W, 3) uint8.
        secret_gray: (h, w) uint8.
    """

    name: str
    cover_rgb: Array
    secret_gray: Array

    @property
    def digest(self) -> str:
        """SHA-256 over the pixels of both pictures."""
        shapes = repr((self.cover_rgb.shape, self.secret_gray.shape)).encode()
        return hashlib.sha256(shapes + self.cover_rgb.tobytes() + self.secret_gray.tobytes()).hexdigest()

    def with_secret_side(self, share: float) -> Pair:
        """Return the pair with the sides of the secret reduced to this share of their length."""
        height, width = (max(1, round(side * share)) for side in self.secret_gray.shape)
        return Pair(self.name, self.cover_rgb, reading.resize_gray(self.secret_gray, (height, width)))


@dataclass(frozen=True)
class PairSource:
    """A source of pairs, which are decoded one at a time.

    Attributes:
        description: name of the data set, for reports.
        datasets: data sets of covers and secrets, which determine how they are cropped; empty to crop
            nothing.
        members: (cover, secret) of each pair.
    """

    description: str
    datasets: tuple[str, str] | tuple[()]
    members: tuple[tuple[photos.ImageRef, photos.ImageRef], ...]

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Pair]:
        for cover, secret in self.members:
            name = f"{Path(cover.key).name} + {Path(secret.key).name}"
            if self.datasets:
                rgb, other = map(rgb_square, self.datasets, (cover, secret))
                yield Pair(name, rgb, luma.gray(other))
            else:
                yield Pair(name, reading.load_cover(cover.path).rgb, reading.load_secret(secret.path)[0])


def rgb_square(dataset: str, ref: photos.ImageRef) -> Array:
    """Return a picture as (256, 256, 3) uint8, cropped by the data set's protocol.

    Raises:
        ImageError: the picture cannot be decoded.
    """
    try:
        with ref.open() as image:
            return np.asarray(photos.square(dataset, image.convert("RGB")))
    except DECODER_ERRORS as error:
        raise ImageError(f"{ref.key}: cannot be decoded", "Remove it from the data set.") from error


def from_dataset(dataset: str, data_root: Path | None, count: int, seed: int) -> PairSource:
    """Draw pairs of 256x256 squares, from a known data set only its held-out pictures; none is used twice.

    Args:
        dataset: "lfw", "voc2012", "imagenet" or "folder:PATH".
        data_root: folder of the known data sets.
        count: largest number of pairs.
        seed: determines which pairs.

    Raises:
        UsageError: there are fewer than two pictures that can be decoded.
    """
    if dataset in photos.KNOWN:
        refs = sorted(photos.splits(dataset, data_root)[1], key=lambda ref: ref.key)
    else:
        refs = photos.find(dataset, data_root)
    if len(refs) < 2:
        raise UsageError(
            f"{dataset} holds {len(refs)} pictures", "At least two are needed: cover and secret."
        )
    random.Random(seed).shuffle(refs)  # noqa: S311 - repeatable on purpose
    refs = list(islice(photos.decodable(refs), 2 * min(count, len(refs) // 2)))
    if len(refs) < 2:
        raise UsageError(f"{dataset} holds no two pictures that can be decoded", "Give undamaged pictures.")
    half = len(refs) // 2
    name = Path(dataset.removeprefix("folder:")).name
    return PairSource(name, (dataset, dataset), tuple(zip(refs[:half], refs[half : 2 * half], strict=True)))


def from_folder(folder: Path) -> PairSource:
    """Return pairs unchanged: DIR/cover/NAME with DIR/secret/NAME, or DIR/NAME.cover.png with .secret.png.

    Raises:
        UsageError: there are no pairs that can be decoded.
    """
    refs = photos.find(f"folder:{folder}", None)
    found: dict[str, dict[str, photos.ImageRef]] = {role: {} for role in _ROLES}
    for ref in refs:
        path = Path(ref.path)
        name, _, ending = path.stem.rpartition(".")
        role = path.parent.name if path.parent != folder else ending
        if role in found:
            found[role][path.stem if path.parent != folder else name] = ref
    names = sorted(found["cover"].keys() & found["secret"].keys())
    if not names:
        raise UsageError(
            f"{folder} holds no pairs",
            "Name them NAME.cover.png and NAME.secret.png, or cover/NAME.png and secret/NAME.png.",
        )
    pairs = [(found["cover"][name], found["secret"][name]) for name in names]
    members = tuple(pair for pair in pairs if len(list(photos.decodable(pair))) == len(pair))
    if not members:
        raise UsageError(f"no pair in {folder} can be decoded", "Give undamaged pictures.")
    return PairSource(folder.name, (), members)
