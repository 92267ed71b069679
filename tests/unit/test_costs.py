from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from stegcli.carriers.costs import hill_cost, relative_cost
from stegcli.pictures.luma import luma_milli


def reference(luma: np.ndarray) -> np.ndarray:
    """HILL with kept filters; scipy calls mirrored borders "reflect"."""
    kernel = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], dtype=float)
    texture = ndimage.uniform_filter(
        np.abs(ndimage.convolve(luma, kernel, mode="reflect")), 3, mode="reflect"
    )
    return ndimage.uniform_filter(1 / (texture + 1e-2), 15, mode="reflect")


def test_hill_is_as_published(cover_rgb: np.ndarray) -> None:
    luma = luma_milli(cover_rgb) / 1000
    np.testing.assert_allclose(hill_cost(luma), reference(luma), rtol=1e-3)


def test_strips_leave_no_seam(monkeypatch: pytest.MonkeyPatch, cover_rgb: np.ndarray) -> None:
    luma = luma_milli(cover_rgb).astype(np.float32) / np.float32(1000)
    whole = hill_cost(luma)
    monkeypatch.setattr("stegcli.carriers.costs._STRIP_PIXELS", 1000)
    np.testing.assert_array_equal(hill_cost(luma), whole)


def test_flat_ground_has_equal_and_finite_costs() -> None:
    cost = hill_cost(np.full((64, 70), 200.0))
    assert cost.shape == (64, 70)
    assert np.ptp(cost) == 0
    assert relative_cost(cost.ravel(), 4).tolist() == [1.0] * cost.size


@pytest.mark.parametrize("spread", [2, 4, 16, 64])
def test_cheapest_pixel_of_three_groups_in_four_costs_less_than_one(
    cover_rgb: np.ndarray, spread: int
) -> None:
    cost = relative_cost(hill_cost(luma_milli(cover_rgb) / 1000).ravel(), spread)
    groups = np.random.default_rng(0).permutation(cost)[: cost.size // spread * spread].reshape(-1, spread)
    assert np.mean(groups.min(axis=1) < 1) == pytest.approx(0.75, abs=0.04)
