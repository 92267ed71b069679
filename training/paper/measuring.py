"""Quality on held-out pairs, from PNG files that were written and read again."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stegcli.errors import TrainingError
from stegcli.lab.data import photos
from stegcli.pictures import luma, metrics
from stegcli.training.data import datasets
from stegcli.training.paper.systems import System

U8 = NDArray[np.uint8]

FIGURES = (
    "stego_psnr_db",
    "revealed_psnr_db",
    "stego_ssim",
    "revealed_ssim",
    "stego_luma_psnr_db",
    "stego_luma_ssim",
)
"""The first four in the order of the paper's tables; stego against cover in RGB, then in 8-bit luma."""

PAIR_SEED = 5
"""Who is paired with whom is part of the protocol."""


@dataclass(frozen=True)
class Exchanged:
    """One pair, before and after."""

    cover_rgb: U8
    stego_rgb: U8
    secret_gray: U8
    revealed_gray: U8

    def figures(self) -> dict[str, float]:
        """By the names of FIGURES."""
        cover_luma, stego_luma = luma.gray(self.cover_rgb), luma.gray(self.stego_rgb)
        values = (
            metrics.psnr(self.cover_rgb, self.stego_rgb),
            metrics.psnr(self.secret_gray, self.revealed_gray),
            metrics.ssim(self.cover_rgb, self.stego_rgb),
            metrics.ssim(self.secret_gray, self.revealed_gray),
            metrics.psnr(cover_luma, stego_luma),
            metrics.ssim(cover_luma, stego_luma),
        )
        return dict(zip(FIGURES, values, strict=True))


@dataclass(frozen=True)
class Pairs:
    """Held-out covers and secrets, no picture twice; decoded one at a time."""

    covers: str
    secrets: str
    members: tuple[tuple[photos.ImageRef, photos.ImageRef], ...]

    def __iter__(self) -> Iterator[tuple[U8, U8]]:
        """(256,256,3) cover and (256,256) secret, uint8."""
        for cover, secret in self.members:
            yield rgb_square(self.covers, cover), luma.gray(rgb_square(self.secrets, secret))

    def facts(self) -> dict[str, object]:
        """For the JSON: which pictures they are."""
        return {
            "covers": self.covers,
            "secrets": self.secrets,
            "held_out_pairs": len(self.members),
            "sha256": datasets.digest([ref for pair in self.members for ref in pair]),
        }


def held_out_pairs(covers: str, secrets: str, data_root: Path | None, most: int | None) -> Pairs:
    """Pairs of pictures that no training of the project sees (photos.splits); `most` of them at most."""
    first, second = _held_out(covers, data_root), _held_out(secrets, data_root)
    if covers == secrets:
        half = len(first) // 2
        first, second = first[:half], first[half : 2 * half]
    count = min(len(first), len(second), most or len(first))
    if count < 1:
        raise TrainingError(
            f"{covers} and {secrets} hold too few pictures", "give data sets with more of them"
        )
    return Pairs(covers, secrets, tuple(zip(first[:count], second[:count], strict=True)))


def _held_out(dataset: str, data_root: Path | None) -> list[photos.ImageRef]:
    refs = sorted(datasets.splits(dataset, data_root)[1], key=lambda ref: ref.key)
    random.Random(PAIR_SEED).shuffle(refs)  # noqa: S311 - repeatable on purpose
    return refs


def rgb_square(dataset: str, ref: photos.ImageRef) -> U8:
    """(256,256,3) uint8, cut as the data set's protocol says."""
    try:
        with ref.open() as image:
            return np.asarray(photos.square(dataset, image.convert("RGB")))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise TrainingError(f"{ref.key} cannot be decoded", "take it out of the data set") from error


@dataclass
class Measurement:
    """One system on one set of pairs."""

    rows: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0

    def means(self) -> dict[str, float]:
        """Mean of every figure."""
        return {name: float(np.mean([row[name] for row in self.rows])) for name in FIGURES}


def measure(system: System, pairs: Pairs, minutes: float | None = None) -> Measurement:
    """Every pair, or as many as fit into `minutes`; at least one."""
    begun, found = time.monotonic(), Measurement()
    with TemporaryDirectory() as folder:
        for cover, secret in pairs:
            found.rows.append(exchange(system, cover, secret, Path(folder)).figures())
            found.seconds = time.monotonic() - begun
            if minutes is not None and found.seconds > 60 * minutes:
                break
    return found


def exchange(system: System, cover: U8, secret: U8, folder: Path) -> Exchanged:
    """One pair through a file in `folder`."""
    stego, revealed = system.exchange(cover, secret, folder / "stego.png")
    return Exchanged(cover, stego, secret, revealed)


def first_exchanges(system: System, pairs: Pairs, count: int) -> Sequence[Exchanged]:
    """The pictures of the first pairs."""
    with TemporaryDirectory() as folder:
        return [exchange(system, *pair, Path(folder)) for pair, _ in zip(pairs, range(count), strict=False)]
