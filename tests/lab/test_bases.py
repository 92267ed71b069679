"""S-UNIWARD as a base of costs, compared with HILL."""

from __future__ import annotations

import numpy as np
import pytest

from stegcli.carriers.costs import hill_cost
from stegcli.codecs.base import Rate
from stegcli.errors import MissingExtraError
from stegcli.lab.security.coded_subjects import CodedSubject
from stegcli.lab.security.learned_costs import program_cost
from stegcli.lab.security.uniward import corrected_uniward_cost, uniward_cost
from stegcli.pictures import luma


def test_s_uniward_prices_flat_ground_above_texture(cover_rgb: np.ndarray) -> None:
    pytest.importorskip("conseal")
    half = cover_rgb[:96, :128].copy()
    half[:, 64:] = 128
    levels = luma.luma_levels(half)
    cost = uniward_cost(levels)
    assert cost.dtype == np.float32
    assert cost.min() > 0
    assert cost[:, 80:].mean() > 2 * cost[:, :48].mean()
    ratio = corrected_uniward_cost(levels) / cost
    assert np.allclose(ratio, program_cost(levels) / hill_cost(levels), rtol=1e-4)
    stego = CodedSubject("S-UNIWARD", Rate(0.2), cost=uniward_cost).stego(half, levels, "seed")
    changed = (stego != half).any(axis=-1)
    assert changed[:, 80:].mean() < changed[:, :48].mean() / 2


def test_s_uniward_needs_the_extra(cover_rgb: np.ndarray) -> None:
    try:
        import conseal  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtraError) as caught:
            uniward_cost(luma.luma_levels(cover_rgb))
        assert "stegcli[lab]" in caught.value.hint
