"""New JPEGs: the file that Pillow writes, and the rounding errors of its luma."""

from __future__ import annotations

import numpy as np
import pytest
from jpeg_files import jpeg_bytes

from stegcli.carriers import dct
from stegcli.carriers.jpeg_fresh import Subsampling, fresh_cover
from stegcli.carriers.jpeg_scan import JpegCover, write


@pytest.fixture(scope="module")
def exact_rgb(cover_rgb: np.ndarray) -> np.ndarray:
    """(100, 123, 3) float64: means over 2 x 2 pixels, away from black and white."""
    means = cover_rgb[:200, :246].astype(np.float64).reshape(100, 2, 123, 2, 3).mean(axis=(1, 3))
    return 20 + means * 0.8


def _unrounded(cover: JpegCover, luma: np.ndarray) -> np.ndarray:
    rows, cols = cover.luma.shape[:2]
    padded = np.pad(luma, ((0, 8 * rows - len(luma)), (0, 8 * cols - luma.shape[1])), mode="edge")
    return dct.forward(dct.split_blocks(padded.astype(np.float32) - 128)) / cover.luma_quantization


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [50, 75, 90, 95])
def test_the_file_is_pillows(exact_rgb: np.ndarray, quality: int, subsampling: Subsampling) -> None:
    cover, error = fresh_cover(exact_rgb, quality, subsampling)
    rounded = np.rint(exact_rgb).astype(np.uint8)
    assert cover.data == jpeg_bytes(rounded, quality=quality, subsampling=subsampling)
    assert write(cover, cover.luma) == cover.data
    assert error.shape == cover.luma.shape
    assert error.dtype == np.float32


@pytest.mark.parametrize("quality", [30, 75, 90, 95, 100])
def test_coefficients_are_rounded_as_computed(cover_rgb: np.ndarray, quality: int) -> None:
    """libjpeg's integer transform stays within 0.15 of the exact one; its luma is in whole grey levels."""
    rgb = cover_rgb[:101, :123]
    cover, _ = fresh_cover(rgb, quality)
    red, green, blue = rgb.astype(np.int64).transpose(2, 0, 1)
    luma = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16  # jccolor.c
    apart = np.abs(_unrounded(cover, luma) - cover.luma)
    assert (apart <= 0.5 + 0.15 / cover.luma_quantization).all()


@pytest.mark.parametrize("quality", [50, 90])
def test_the_error_leads_back_to_the_exact_pixels(exact_rgb: np.ndarray, quality: int) -> None:
    cover, error = fresh_cover(exact_rgb, quality, "4:2:0")
    exact = _unrounded(cover, exact_rgb @ [0.299, 0.587, 0.114])
    known = np.abs(exact - cover.luma) < 0.5
    assert known.mean() > 0.95
    assert np.allclose((cover.luma + error)[known], exact[known], atol=1e-3)
    beyond = (exact - cover.luma)[~known]
    assert np.allclose(error[~known], np.sign(beyond) / 2, atol=1e-3)


def test_rounded_pixels_are_side_information_too(exact_rgb: np.ndarray) -> None:
    """Less of it, since their own rounding is lost, of which 8 bits leave 0.3 grey levels."""
    exact_cover, exact = fresh_cover(exact_rgb, 75)
    rounded_cover, rounded = fresh_cover(np.rint(exact_rgb).astype(np.uint8), 75)
    assert exact_cover.data == rounded_cover.data
    apart = (exact - rounded) * exact_cover.luma_quantization
    assert 0.05 < apart.std() < 0.3
