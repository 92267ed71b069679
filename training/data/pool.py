"""Training pictures in memory: all as 256x256 tiles, from which batches are drawn on the device.

    ImageRef ─ decode, centre, tile (processes) ─> (N,256,256[,3]) uint8 ─> device ─> random crops and flips

A few thousand pictures fit into any accelerator's memory, so that no loader is needed between the loop and
its data, and a batch is a pure function of (seed, step): resuming needs no random state.
"""

from __future__ import annotations

import logging
import signal
import struct
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from stegcli.cores import cores
from stegcli.errors import TrainingError
from stegcli.lab.data.photos import SIDE, ImageRef, centre_square, lfw_square
from stegcli.training.phase.pages import draw_page

MIN_IMAGES = 8
"""Least number of readable pictures for a training."""

MAX_ASPECT = 8

log = logging.getLogger(__name__)


def tiles(image: Image.Image) -> list[Image.Image]:
    """Return both ends of a picture with a shorter side of 256, or its centre if they would coincide."""
    image = _at_most(image, MAX_ASPECT)
    scale = SIDE / min(image.size)
    size = (max(SIDE, round(image.width * scale)), max(SIDE, round(image.height * scale)))
    image = image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
    ends = [(0, 0), (size[0] - SIDE, size[1] - SIDE)]
    corners = ends if max(size) >= 1.2 * SIDE else [((size[0] - SIDE) // 2, (size[1] - SIDE) // 2)]
    return [image.crop((x, y, x + SIDE, y + SIDE)) for x, y in corners]


def training_tiles(dataset: str) -> Callable[[Image.Image], list[Image.Image]]:
    """Return the function that turns a data set's training pictures into tiles."""
    return _lfw_tiles if dataset == "lfw" else tiles


def evaluation_tiles(dataset: str) -> Callable[[Image.Image], list[Image.Image]]:
    """Return the function that turns a held-out picture into a tile, as in all published figures."""
    return _lfw_tiles if dataset == "lfw" else _centre_tiles


def load(
    refs: Sequence[ImageRef],
    cut: Callable[[Image.Image], list[Image.Image]],
    mode: str,
    minimum: int = MIN_IMAGES,
) -> NDArray[np.uint8]:
    """Load pictures as (N,256,256) for mode "L", (N,256,256,3) for "RGB".

    Unreadable pictures are skipped and counted in the log.

    Raises TrainingError if fewer than `minimum` can be read.
    """
    found = _in_processes(partial(_decode, cut=cut, mode=mode), refs)
    skipped = sum(not part for part in found)
    if skipped:
        log.warning("%d of %d pictures could not be read and were skipped", skipped, len(refs))
    if len(refs) - skipped < minimum:
        raise TrainingError(
            f"of {len(refs)} pictures to train on, {len(refs) - skipped} can be read",
            hint=f"give a data set with at least {minimum}, not counting the tenth that is held out",
        )
    planes = (3,) if mode == "RGB" else ()
    return np.array([tile for part in found for tile in part], np.uint8).reshape(-1, SIDE, SIDE, *planes)


def load_pages(count: int, seed: int, fonts: Sequence[Path] = ()) -> NDArray[np.uint8]:
    """Draw pages, (count,256,256) uint8 (stegcli.training.phase.pages)."""
    seeds = range(seed * 1_000_000, seed * 1_000_000 + count)
    return np.stack(_in_processes(partial(draw_page, fonts=tuple(fonts)), seeds))


class Cropper:
    """Random crops of a pool on its device; a draw depends only on the generator."""

    def __init__(self, pool: NDArray[np.uint8], device: torch.device) -> None:
        self.pool = torch.from_numpy(pool).to(device)
        self.device = device

    def draw(self, rows: Tensor, crop: int, generator: torch.Generator) -> Tensor:
        """Rows (B,) indices -> (B,crop,crop[,3]) uint8: random position, randomly mirrored in both axes."""
        batch = len(rows)
        corner = torch.randint(SIDE - crop + 1, (2, batch, 1), generator=generator, device=self.device)
        mirror = torch.rand((2, batch, 1), generator=generator, device=self.device) < 0.5
        along = torch.arange(crop, device=self.device)
        y, x = corner + torch.where(mirror, crop - 1 - along, along)
        return self.pool[rows[:, None, None], y[:, :, None], x[:, None, :]]


def _at_most(image: Image.Image, aspect: int) -> Image.Image:
    """Return the middle of a strip: enlarging a line of pixels would fill the memory."""
    width, height = min(image.width, aspect * image.height), min(image.height, aspect * image.width)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _lfw_tiles(image: Image.Image) -> list[Image.Image]:
    return [lfw_square(image)]


def _centre_tiles(image: Image.Image) -> list[Image.Image]:
    return [centre_square(image)]


def _decode(
    ref: ImageRef, cut: Callable[[Image.Image], list[Image.Image]], mode: str
) -> list[NDArray[np.uint8]]:
    try:
        with ref.open() as image:
            return [np.asarray(tile) for tile in cut(image.convert(mode))]
    except _DECODER_ERRORS:
        return []


_DECODER_ERRORS = (
    *(OSError, ValueError, SyntaxError, TypeError, LookupError, ArithmeticError, RuntimeError, MemoryError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
"""Everything that Pillow may raise on a damaged picture; it promises no base class."""


def _in_processes(function: Callable, items: Sequence) -> list:  # type: ignore[type-arg]
    """Return [function(item) ...] in order, using processes if there is enough to do."""
    workers = min(cores(), 16)
    if workers == 1 or len(items) < 200:
        return [function(item) for item in items]
    # Ctrl-C reaches every process of a terminal: workers ignore it, and this process stops them.
    quiet = {"initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_IGN)}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), **quiet) as executor:
        return list(executor.map(function, items, chunksize=32))
