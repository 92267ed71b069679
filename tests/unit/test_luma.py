from __future__ import annotations

import numpy as np
import pytest

from stegcli.pictures import luma


@pytest.fixture(scope="module")
def every_shade() -> np.ndarray:
    """(N, 3) uint8: corners of the colour cube and 20,000 random colours."""
    corners = np.array(np.meshgrid([0, 1, 254, 255], [0, 1, 254, 255], [0, 1, 254, 255])).reshape(3, -1).T
    return np.concatenate([corners, np.random.default_rng(0).integers(0, 256, (20_000, 3))]).astype(np.uint8)


def test_luma_is_exact_and_of_any_shape(every_shade: np.ndarray) -> None:
    exact = [299 * int(r) + 587 * int(g) + 114 * int(b) for r, g, b in every_shade]
    assert luma.luma_milli(every_shade).tolist() == exact
    assert luma.luma_milli(every_shade.reshape(4, -1, 3)).shape == (4, len(exact) // 4)
    assert luma.luma_milli(every_shade).dtype == np.int32


def test_gray_is_the_nearest_level(every_shade: np.ndarray) -> None:
    distance = np.abs(luma.gray(every_shade) * 1000.0 - luma.luma_milli(every_shade))
    assert distance.max() <= 500
    assert luma.gray(np.full((2, 2, 3), 255, np.uint8)).tolist() == [[255, 255], [255, 255]]


def test_rounding_is_half_to_even_then_clip() -> None:
    values = np.array([-3.0, -0.2, 0.5, 1.5, 2.5, 254.6, 255.5, 1e9])
    assert luma.to_uint8(values).tolist() == [0, 0, 0, 2, 2, 255, 255, 255]


def test_colour_transform_comes_back_exactly(every_shade: np.ndarray) -> None:
    ycrcb = luma.rgb_to_ycrcb(every_shade)
    assert ycrcb.dtype == np.float32
    assert ycrcb.min() >= 0
    assert ycrcb.max() <= 255.5
    np.testing.assert_array_equal(luma.ycrcb_to_rgb(ycrcb), every_shade)


def test_chroma_of_gray_is_centred() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    np.testing.assert_allclose(luma.rgb_to_ycrcb(ramp)[:, 1:], 128, atol=1e-4)
