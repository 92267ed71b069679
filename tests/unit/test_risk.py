"""The risk of coded bits: what was measured, what follows from it, and how much a cover may carry."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from jpeg_files import jpeg_bytes
from skimage import data

from stegcli.carriers.jpeg_scan import non_zero_ac, open_cover
from stegcli.detection.risk import Bound, coded_risk, deflection, jpeg_risk, table
from stegcli.errors import UsageError
from stegcli.methods.base import Cover

ROOT = Path(__file__).parents[2]
LAB_PIXELS = 256 * 192
HEAD_BYTES = 69


def _measured(source: str) -> dict[str, tuple[float, float, float]]:
    results = json.loads((ROOT / source).read_text(encoding="utf-8"))
    return {
        row["subject"]: (row["detection_error"], row["error_low"], row["error_high"])
        for row in results["rows"]
    }


def test_the_table_of_pixels_is_that_of_its_results() -> None:
    known = table()["coded"]
    measured = {name: row for source in known["sources"] for name, row in _measured(source).items()}
    assert len(known["rows"]) >= 4
    for row in known["rows"]:
        assert (row["error"], row["low"], row["high"]) == measured[row["subject"]]
        found = coded_risk(row["rate"], LAB_PIXELS)
        fewer = [measured[each["subject"]] for each in known["rows"] if each["rate"] <= row["rate"]]
        # Chance may let fewer bits be found more often; more bits are not estimated as safer then.
        least = [min(0.5, *(errors[bound] for errors in fewer)) for bound in range(3)]
        assert (found.error, found.low, found.high) == pytest.approx(least, abs=2e-3)


def test_more_bits_and_larger_covers_show_more() -> None:
    errors = [coded_risk(rate, LAB_PIXELS).error for rate in (0.0, 0.01, 0.2, 0.5, 1.0, 2.0, 4.0)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == 0.5
    apart = [deflection(coded_risk(0.3, times * LAB_PIXELS).error) for times in (1, 4, 16)]
    assert apart[1] / apart[0] == pytest.approx(2, rel=1e-3)
    assert apart[2] / apart[1] == pytest.approx(2, rel=1e-3)


def test_as_many_bits_are_safer_in_a_larger_cover() -> None:
    """By the square root law, detectability depends on bits over the root of the number of pixels."""
    few = [coded_risk(0.4 / times, times * LAB_PIXELS).error for times in (1, 4, 16)]
    assert few == sorted(few)


@pytest.mark.parametrize("error", [0.48, 0.45, 0.4, 0.3])
def test_a_bound_is_met_and_not_missed_by_much(error: float) -> None:
    cover = Cover(np.zeros((300, 400, 3), dtype=np.uint8))
    most = Bound(error).most_bytes(cover)
    assert coded_risk(8 * most / 120_000, 120_000).error >= error
    assert coded_risk(8.3 * most / 120_000, 120_000).error < error


@pytest.mark.parametrize("error", [0.5, 0.7, -0.1, float("nan")])
def test_a_bound_that_is_none(error: float) -> None:
    with pytest.raises(UsageError, match="cannot be asked for"):
        Bound(error)


def test_the_table_of_jpeg_files_is_that_of_its_results() -> None:
    known = table()["jpeg_files"]
    measured = _measured(known["source"])
    for kind in known["tables"]:
        for row in kind["rows"]:
            subject = f"coded, q{kind['quality']}, {row['rate']:g} bpnzAC, shrunk to {known['shrink']:g}"
            assert (row["error"], row["low"], row["high"]) == measured[subject]
        image = open_cover(jpeg_bytes(data.coffee(), quality=kind["quality"]), max_pixels=10**6)
        assert kind["step"] == pytest.approx(image.luma_quantization.mean())


def test_a_jpeg_is_judged_by_rate_table_and_size() -> None:
    coarse, fine = sorted(table()["jpeg_files"]["tables"], key=lambda kind: -kind["step"])
    pixels = int(np.prod(table()["jpeg_files"]["size"]))
    errors = [jpeg_risk(rate, coarse["step"], pixels).error for rate in (0.0, 0.05, 0.1, 0.2, 0.4)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == 0.5
    between = jpeg_risk(0.4, (coarse["step"] * fine["step"]) ** 0.5, pixels).error
    ends = sorted(jpeg_risk(0.4, kind["step"], pixels).error for kind in (coarse, fine))
    assert ends[0] <= between <= ends[1]
    assert jpeg_risk(0.2, 1.0, pixels) == jpeg_risk(0.2, fine["step"], pixels)
    assert jpeg_risk(0.2, coarse["step"], 4 * pixels).error <= jpeg_risk(0.2, coarse["step"], pixels).error


def test_a_bound_of_a_jpeg() -> None:
    file = open_cover(jpeg_bytes(data.coffee(), quality=75), max_pixels=10**6)
    cover = Cover(np.zeros((400, 600, 3), dtype=np.uint8), jpeg=file)
    loose, tight = (Bound(error).most_bytes(cover) for error in (0.3, 0.45))
    assert tight < loose
    rate = 8 * (loose + HEAD_BYTES) / non_zero_ac(file)
    assert jpeg_risk(rate, float(file.luma_quantization.mean()), 240_000).error >= 0.3
