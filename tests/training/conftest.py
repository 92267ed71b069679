"""Runs small enough for any machine: networks of a few weights, crops of sixteen pixels."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

collect_ignore_glob = ["test_*.py"] if find_spec("torch") is None else []


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> None:
    """Seed random numbers, so that what a test draws depends on no test before it."""
    import torch

    torch.manual_seed(0)


PHOTOGRAPHS = (data.astronaut, data.camera, data.coffee, data.chelsea, data.rocket, data.moon)


@pytest.fixture(scope="session")
def photograph() -> Callable[[int], np.ndarray]:
    """Number -> (96, 128, 3) uint8 piece of a photograph, the same for the same number."""
    sources = [np.asarray(Image.fromarray(source()).convert("RGB")) for source in PHOTOGRAPHS]

    def piece(number: int) -> np.ndarray:
        source = sources[number % len(sources)]
        random = np.random.default_rng(number)
        y, x = random.integers(source.shape[0] - 96), random.integers(source.shape[1] - 128)
        return source[y : y + 96, x : x + 128]

    return piece


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory, photograph: Callable[[int], np.ndarray]) -> Path:
    """A folder with 24 photographs; nothing may change it."""
    folder = tmp_path_factory.mktemp("album")
    for number in range(24):
        Image.fromarray(photograph(number)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="session")
def put_covers(photograph: Callable[[int], np.ndarray]) -> Callable[[Path, int], Path]:
    """Folder, count -> the folder, with that many JPEGs of the smallest size that the lab accepts."""

    def put(folder: Path, count: int) -> Path:
        for number in range(count):
            picture = Image.fromarray(photograph(number)).resize((342, 256), Image.Resampling.LANCZOS)
            picture.save(folder / f"{number:02}.jpg", quality=90)
        return folder

    return put
