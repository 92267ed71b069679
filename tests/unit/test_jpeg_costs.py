"""Costs of luma coefficients compared with the definition, and the transforms beneath them."""

from __future__ import annotations

import numpy as np
import pytest
from jpeg_files import jpeg_bytes, luma_of

from stegcli.carriers import dct
from stegcli.carriers.jpeg_costs import juniward_costs, luma_samples
from stegcli.carriers.jpeg_scan import JpegCover, open_cover

# Daubechies 8, scaling filter, as tables of wavelets print it (Daubechies, "Ten Lectures", table 6.1).
SCALING = [
    *(0.05441584224308161, 0.3128715909144659, 0.6756307362980128, 0.5853546836548691),
    *(-0.015829105256023893, -0.2840155429624281, 0.00047248457399797254, 0.128747426620186),
    *(-0.01736930100202211, -0.04408825393106472, 0.013981027917015516, 0.008746094047015655),
    *(-0.00487035299301066, -0.0003917403729959771, 0.0006754494059985568, -0.00011747678400228192),
]


def opened(rgb: np.ndarray, quality: int) -> JpegCover:
    return open_cover(jpeg_bytes(rgb, quality=quality), max_pixels=1_000_000)


def _subbands(samples: np.ndarray) -> list[np.ndarray]:
    """Undecimated Daubechies 8 wavelet coefficients of zero-extended samples, in three directions."""
    low = np.array(SCALING)[::-1]
    high = np.array(SCALING) * np.array([-1.0, 1.0] * 8)
    padded = np.pad(samples, 15)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (16, 16))
    return [
        np.einsum("ijab,a,b->ij", windows, one, two) for one, two in ((low, high), (high, low), (high, high))
    ]


@pytest.fixture(scope="module")
def small(cover_rgb: np.ndarray) -> JpegCover:
    return opened(cover_rgb[60:124, 30:110], 80)  # 8 x 10 blocks


@pytest.mark.parametrize("block", [(3, 4), (4, 6), (3, 3)])
@pytest.mark.parametrize("frequency", [(0, 1), (1, 0), (2, 3), (7, 7)])
def test_costs_are_those_of_the_definition(
    small: JpegCover, block: tuple[int, int], frequency: tuple[int, int]
) -> None:
    """Sum over three subbands of |W(stego) - W(cover)| / (2^-6 + |W(cover)|), for one step."""
    stego = small.luma.copy()
    stego[(*block, *frequency)] += 1
    before, after = (
        _subbands(luma_samples(luma, small.luma_quantization).astype(np.float64))
        for luma in (small.luma, stego)
    )
    expected = sum(
        (np.abs(new - old) / (2**-6 + np.abs(old))).sum() for old, new in zip(before, after, strict=True)
    )
    costs = juniward_costs(small.luma, small.luma_quantization)
    assert costs[(*block, *frequency)] == pytest.approx(expected, rel=1e-3)


def test_borders_are_mirrored(small: JpegCover) -> None:
    """As if the picture continued in mirror images: their blocks, mirrored, hold the same magnitudes."""
    signs = (-1) ** np.arange(8)
    flipped = (small.luma[:, ::-1] * signs).astype(np.int16)
    wide = np.concatenate([flipped, small.luma, flipped], axis=1)
    flipped = (wide[::-1] * signs[:, None]).astype(np.int16)
    tiled = np.concatenate([flipped, wide, flipped])
    expected = juniward_costs(tiled, small.luma_quantization)[8:16, 10:20]
    assert np.allclose(juniward_costs(small.luma, small.luma_quantization), expected, rtol=1e-3)


def test_bands_do_not_show(cover_rgb: np.ndarray) -> None:
    """A block's cost depends on its neighbours alone, wherever bands and chunks begin."""
    cover = opened(cover_rgb[:200, :232], 85)  # 25 x 29 blocks
    whole = juniward_costs(cover.luma, cover.luma_quantization)
    part = juniward_costs(cover.luma[3:22, 5:26], cover.luma_quantization)
    assert np.allclose(whole[6:19, 8:23], part[3:-3, 3:-3], rtol=1e-3)


@pytest.mark.parametrize("blocks", [(1, 1), (1, 5), (9, 1)])
def test_the_smallest_pictures_have_costs(blocks: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(60, 190, (8 * blocks[0], 8 * blocks[1])).astype(np.uint8)
    cover = opened(noise, 90)
    costs = juniward_costs(cover.luma, cover.luma_quantization)
    assert costs.shape == (*blocks, 8, 8)
    assert costs.dtype == np.float32
    assert np.isfinite(costs.reshape(-1, 64)[:, 1:]).all()
    assert (costs > 0).all()


def test_texture_is_cheap_and_smooth_ground_dear() -> None:
    pixels = np.full((64, 128), 120, np.uint8)
    pixels[:, 64:] = np.random.default_rng(1).integers(60, 190, (64, 64))
    costs = juniward_costs(*_parts(opened(pixels, 90)))[..., 1, 2]
    assert costs[:, 10:].mean() < costs[:, :6].mean() / 100


def test_what_cannot_change_costs_infinitely() -> None:
    pixels = np.random.default_rng(2).integers(60, 190, (24, 48)).astype(np.uint8)
    pixels[8:16, 8:16], pixels[8:16, 32:40] = 255, 0
    costs = juniward_costs(*_parts(opened(pixels, 95)))
    assert np.isinf(costs[..., 0, 0]).all()
    infinite = np.isinf(costs.reshape(3, 6, 64)[..., 1:])
    assert infinite[1, 1].all()
    assert infinite[1, 4].all()
    assert infinite.sum() == 2 * 63


def test_samples_are_what_libjpeg_decodes(cover_rgb: np.ndarray) -> None:
    data = jpeg_bytes(cover_rgb[:90, :70], quality=60)
    samples = luma_samples(*_parts(open_cover(data, max_pixels=MOST)))
    assert samples.shape == (96, 72)
    assert np.abs(np.clip(samples, 0, 255)[:90, :70] - luma_of(data)).max() < 1.01


def test_transforms_are_inverse_and_orthonormal() -> None:
    samples = np.random.default_rng(3).normal(0, 50, (3, 5, 8, 8)).astype(np.float32)
    coefficients = dct.forward(samples)
    assert np.allclose(dct.inverse(coefficients), samples, atol=1e-3)
    assert np.allclose(coefficients[0, 0], dct.BASIS @ samples[0, 0] @ dct.BASIS.T, atol=1e-3)
    assert np.allclose(dct.BASIS @ dct.BASIS.T, np.eye(8))
    assert np.array_equal(dct.split_blocks(dct.join_blocks(samples)), samples)


MOST = 1_000_000


def _parts(cover: JpegCover) -> tuple[np.ndarray, np.ndarray]:
    return cover.luma, cover.luma_quantization
