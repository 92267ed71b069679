from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from stegcli.pictures import metrics

SHAPES = [(11, 11), (11, 300), (58, 58), (59, 827), (200, 333), (256, 256, 3), (100, 75, 3)]
RNG = np.random.default_rng(1)


def _pair(shape: tuple[int, ...], amplitude: int) -> tuple[np.ndarray, np.ndarray]:
    first = RNG.integers(0, 256, shape, dtype=np.uint8)
    noise = RNG.integers(-amplitude, amplitude + 1, shape)
    return first, np.clip(first + noise, 0, 255).astype(np.uint8)


def _reference_ssim(first: np.ndarray, second: np.ndarray) -> float:
    return structural_similarity(
        first,
        second,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2 if first.ndim == 3 else None,
    )


@pytest.mark.parametrize("amplitude", [1, 30, 255])
@pytest.mark.parametrize("shape", SHAPES)
def test_ssim_is_the_reference_implementation_s(shape: tuple[int, ...], amplitude: int) -> None:
    first, second = _pair(shape, amplitude)
    assert metrics.ssim(first, second) == pytest.approx(_reference_ssim(first, second), abs=2e-5)


@pytest.mark.parametrize("base", [0, 127, 250])
def test_ssim_holds_in_flat_regions(base: int) -> None:
    first, second = (pixels % 3 + np.uint8(base) for pixels in _pair((120, 90), 1))
    assert metrics.ssim(first, second) == pytest.approx(_reference_ssim(first, second), abs=2e-5)


def test_ssim_of_photographs(cover_rgb: np.ndarray) -> None:
    changed = np.clip(cover_rgb.astype(int) + RNG.integers(-1, 2, cover_rgb.shape), 0, 255).astype(np.uint8)
    assert metrics.ssim(cover_rgb, changed) == pytest.approx(_reference_ssim(cover_rgb, changed), abs=2e-5)
    assert metrics.ssim(cover_rgb, cover_rgb) == pytest.approx(1, abs=1e-6)


def test_ssim_refuses_what_its_window_does_not_fit() -> None:
    with pytest.raises(ValueError, match="11x11"):
        metrics.ssim(np.zeros((10, 40), np.uint8), np.zeros((10, 40), np.uint8))


@pytest.mark.parametrize("shape", SHAPES)
def test_psnr_is_the_reference_implementation_s(shape: tuple[int, ...]) -> None:
    first, second = _pair(shape, 4)
    expected = peak_signal_noise_ratio(first, second, data_range=255)
    assert metrics.psnr(first, second) == pytest.approx(expected, abs=1e-9)


def test_psnr_of_equal_pictures_is_infinite() -> None:
    first, _ = _pair((20, 20), 1)
    assert metrics.psnr(first, first) == math.inf


def test_psnr_of_black_against_white_is_zero() -> None:
    assert metrics.psnr(np.zeros((2000, 700, 3), np.uint8), np.full((2000, 700, 3), 255, np.uint8)) == 0


@pytest.mark.parametrize("measure", [metrics.psnr, metrics.ssim])
def test_pictures_that_cannot_be_compared(measure) -> None:
    with pytest.raises(ValueError, match="shapes"):
        measure(np.zeros((20, 20), np.uint8), np.zeros((20, 21), np.uint8))
    with pytest.raises(TypeError, match="uint8"):
        measure(np.zeros((20, 20)), np.zeros((20, 20)))


def test_bpp() -> None:
    assert metrics.bpp(100, 400) == 2
