"""Photographs of scikit-image's in the shape that the lab needs."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from desk import Desk
from PIL import Image
from skimage import data

from stegcli.lab.data.pairs import Pair


@pytest.fixture(autouse=True)
def _quick_keys(quick_keys: None) -> None:
    """Damage makes every salt a new one, and no stego of the lab's tests leaves the process that made it."""


@pytest.fixture(scope="session")
def pair(cover_rgb: np.ndarray, secret_gray: np.ndarray) -> Pair:
    return Pair("coffee + camera", cover_rgb, secret_gray)


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pieces of photographs, 352x264, as PNG."""
    folder = tmp_path_factory.mktemp("photos")
    photos = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket(), data.immunohistochemistry()]
    for number in range(40):
        photo = Image.fromarray(photos[number % len(photos)])
        rng = np.random.default_rng(number)
        height = min(photo.height, int(photo.width * 0.75), int(264 * rng.uniform(1, 1.2)))
        width = int(height / 0.75)
        left = int(rng.integers(photo.width - width + 1))
        top = int(rng.integers(photo.height - height + 1))
        piece = photo.crop((left, top, left + width, top + height))
        piece = piece.resize((352, 264), Image.Resampling.LANCZOS)
        piece.save(folder / f"piece-{number:02}.png", compress_level=1)
    return folder


@pytest.fixture(scope="session")
def small_photo_folder(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path) -> Path:
    """Some of them at half their sides, for detectors that accept covers of any size."""
    folder = tmp_path_factory.mktemp("small-photos")
    for path in sorted(photo_folder.iterdir())[:6]:
        with Image.open(path) as photo:
            photo.resize((176, 132), Image.Resampling.LANCZOS).save(folder / path.name)
    return folder


@pytest.fixture
def photos(desk: Desk, photo_folder: Path) -> Path:
    """The folder photos/ on the desk, with six pieces of photographs."""
    return _copied(photo_folder, desk, 6)


@pytest.fixture
def twenty_photos(desk: Desk, photo_folder: Path) -> Path:
    """The folder photos/ on the desk, with as many pieces as a detector needs at least."""
    return _copied(photo_folder, desk, 20)


@pytest.fixture
def small_photos(desk: Desk, small_photo_folder: Path) -> Path:
    """The folder photos/ on the desk, with six small pieces of photographs."""
    return _copied(small_photo_folder, desk, 6)


def _copied(source: Path, desk: Desk, count: int) -> Path:
    folder = desk.folder / "photos"
    folder.mkdir()
    for path in sorted(source.iterdir())[:count]:
        shutil.copy(path, folder)
    return folder
