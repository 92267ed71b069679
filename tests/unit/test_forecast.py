from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from stegcli.detection.forecast import rank_covers
from stegcli.detection.risk import deflection, risk_at
from stegcli.errors import ImageError
from stegcli.pipeline import HideSettings


@pytest.mark.parametrize("apart", [0.1, 1.0, 3.0])
def test_deflection_is_that_of_two_normal_distributions(apart: float) -> None:
    """The threshold is half way between the two."""
    alarms, misses = stats.norm.sf(apart / 2), stats.norm.cdf(apart / 2, loc=apart)
    assert deflection((alarms + misses) / 2) == pytest.approx(apart)


def test_deflection_is_finite_where_all_or_none_are_caught() -> None:
    assert 5 < deflection(0.0) < 8
    assert deflection(0.5) == pytest.approx(0)
    assert deflection(0.55) < 0


def test_risk_is_interpolated_between_spreads_and_flat_beyond() -> None:
    risks = [risk_at(spread).error for spread in (1, 2, 3, 4, 6, 16, 40, 64, 1000)]
    assert risks == sorted(risks)
    assert risks[-1] == risks[-2] < 0.5


@pytest.mark.parametrize("spread", [2, 4, 16, 64])
def test_the_estimate_starts_at_what_was_measured(spread: int) -> None:
    assert risk_at(spread, 256 * 192).error == pytest.approx(risk_at(spread).error, abs=3e-3)


def test_deflection_grows_with_the_root_of_the_size() -> None:
    """Less at first, since one header serves covers of all sizes up to a million pixels."""
    risks = [risk_at(16, times * 256 * 192) for times in (1, 4, 16, 64, 256)]
    apart = [deflection(risk.error) for risk in risks]
    ratios = [after / before for before, after in itertools.pairwise(apart)]
    assert 1.2 < ratios[0] < 1.8
    assert ratios[-1] == pytest.approx(2, abs=0.1)
    assert all(risk.low <= risk.error <= risk.high for risk in risks)


def test_a_secret_that_is_not_there_is_no_fault_of_the_covers(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((80, 80, 3), np.uint8)).save(tmp_path / "cover.png")
    with pytest.raises(ImageError) as caught:
        rank_covers([tmp_path / "cover.png"], tmp_path / "missing.png", HideSettings())
    assert caught.value.message == f"{tmp_path / 'missing.png'}: no such file"
