"""Traces of a JPEG in decoded pixels: its table is found if there was one, and not otherwise."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from jpeg_files import jpeg_bytes
from PIL import Image
from skimage import data

from stegcli.carriers.jpeg_traces import Traces, excess, find_traces


def _decoded(pixels: np.ndarray, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a JPEG, and its luma table, (8, 8)."""
    with Image.open(io.BytesIO(jpeg_bytes(pixels, **options))) as image:
        return np.array(image.convert("RGB")), np.array(image.quantization[0]).reshape(8, 8)


def _shrunk(pixels: np.ndarray) -> np.ndarray:
    size = (pixels.shape[1] * 3 // 4, pixels.shape[0] * 3 // 4)
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """(300, 450, 3) uint8 that never was a JPEG at this size."""
    return _shrunk(data.coffee())


@pytest.mark.parametrize("quality", [50, 75, 90, 95])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_the_table_is_found_whatever_became_of_chroma(
    photograph: np.ndarray, quality: int, subsampling: str
) -> None:
    pixels, table = _decoded(photograph, quality=quality, subsampling=subsampling)
    traces = find_traces(pixels)
    assert traces is not None
    assert traces.offset == (0, 0)
    low = np.add.outer(np.arange(8), np.arange(8)) < 4
    assert np.array_equal(traces.steps[low], table[low])
    assert traces.combs > 10


@pytest.mark.parametrize("name", ["coffee", "astronaut", "chelsea", "camera", "page", "rocket"])
def test_a_shrunk_picture_shows_none(name: str) -> None:
    pixels = np.array(Image.fromarray(getattr(data, name)()).convert("RGB"))
    assert find_traces(_shrunk(_decoded(pixels, quality=90)[0])) is None


def test_noise_and_flat_ground_show_none() -> None:
    rng = np.random.default_rng(2)
    assert find_traces(rng.integers(256, size=(256, 256, 3), dtype=np.uint8)) is None
    assert find_traces(np.full((256, 256, 3), 77, dtype=np.uint8)) is None
    assert find_traces(rng.integers(256, size=(7, 5, 3), dtype=np.uint8)) is None


def test_a_part_is_known_by_its_seams(photograph: np.ndarray) -> None:
    pixels, table = _decoded(photograph, quality=75)
    part = find_traces(pixels[3:, 6:])
    assert part is not None
    assert part.offset == (5, 2)
    assert np.array_equal(part.steps[:2, :2], table[:2, :2])


def test_nothing_moves_in_a_decoded_jpeg_and_what_was_changed_does(photograph: np.ndarray) -> None:
    pixels, table = _decoded(photograph, quality=75, subsampling="4:4:4")
    traces = Traces(table.astype(np.int64), 64, (0, 0))
    before = excess(pixels, traces)
    assert 0 <= before < 0.01  # beside pixels that were cut off at black or white
    rng = np.random.default_rng(1)
    for share in (0.01, 0.05):
        changed = rng.random(pixels.shape[:2]) < share
        stego = np.where(changed[..., None] & (pixels < 255), pixels + 1, pixels).astype(np.uint8)
        assert excess(stego, traces) - before == pytest.approx(share, rel=0.25)
        found = find_traces(stego)
        assert found is not None
        assert excess(stego, found) > excess(pixels, found) + share / 2
