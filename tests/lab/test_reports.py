"""Pages and charts: what they show, and that no markup in a file name becomes part of the page."""

import base64

import numpy as np

from stegcli.lab.quality.damage import DAMAGES, NO_DAMAGE, DamageRow
from stegcli.lab.report import damage_report
from stegcli.lab.report.charts import Curve, curves, histogram
from stegcli.lab.report.pictures import residual_picture
from stegcli.lab.statistics import summarise


def drawing(address: str) -> str:
    head, _, content = address.partition(",")
    assert head == "data:image/svg+xml;base64"
    return base64.b64decode(content).decode()


def test_a_chart_is_the_same_each_time_and_holds_its_lines() -> None:
    lines = [Curve("one", [(1, 2.0), (4, 3.0)], [(1.5, 2.5), (2.0, 3.5)]), Curve("none", [])]
    chart = curves("x", "y", lines, log_x=True)
    assert chart == curves("x", "y", lines, log_x=True)
    assert "#0072b2" in drawing(chart)
    assert "#d55e00" not in drawing(chart), "a line without points is left out"


def test_nothing_to_draw_is_no_chart() -> None:
    assert curves("x", "y", [Curve("none", [])]) == ""
    assert histogram("x", [("none", [])]) == ""


def test_equal_values_have_a_histogram() -> None:
    assert "<svg" in drawing(histogram("x", [("one", [99.0, 99.0])]))


def test_residuals_are_shown_around_gray() -> None:
    before = np.full((2, 2), 100, np.uint8)
    after = np.array([[100, 101], [99, 140]], np.uint8)
    assert residual_picture(before, after, 10).tolist() == [[128, 138], [118, 255]]


def test_names_stay_text() -> None:
    summary = summarise(np.array([40.0, 42.0]), 0)
    name = "<b>&name"
    rows = [
        DamageRow(name, damage.name, level, summary, 0.5)
        for damage in (NO_DAMAGE, *DAMAGES)
        for level in damage.levels
    ]
    page = damage_report.html("<script>", rows)
    assert "<th>&lt;b&gt;&amp;name</th>" in page
    assert "<script" not in page
    assert page.count("[50%]") == sum(1 + len(damage.levels) for damage in DAMAGES)
