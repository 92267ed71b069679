import numpy as np
import pytest

from stegcli.lab.statistics import (
    LOSSLESS_DB,
    auc,
    bootstrap_interval,
    detection_error,
    roc,
    summarise,
)


def test_a_summary_holds_mean_interval_median_and_tail() -> None:
    values = np.arange(101.0)
    summary = summarise(values, 0)
    assert (summary.mean, summary.median, summary.p5, summary.count) == (50, 50, 5, 101)
    assert summary.low < 50 < summary.high
    assert summary.high - summary.low == pytest.approx(4 * values.std() / np.sqrt(101), rel=0.1)


def test_equal_pictures_do_not_make_a_mean_infinite() -> None:
    assert summarise(np.array([np.inf, 41.0]), 0).mean == (LOSSLESS_DB + 41) / 2


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(1).normal(size=50)
    assert bootstrap_interval(values, 7) == bootstrap_interval(values, 7)


def test_areas_and_errors_of_known_scores() -> None:
    covers, stegos = np.array([-1.0, -1, 0, 1]), np.array([-1.0, 1, 1, 1])
    assert auc(covers, covers) == 0.5
    assert auc(np.zeros(3), np.ones(3)) == 1
    assert auc(covers, stegos) == (1 + 3 * 3.5) / 16
    assert detection_error(covers, stegos) == 0.25


def test_a_roc_runs_from_nothing_to_everything() -> None:
    alarms, hits = roc(np.array([0.0, 1, 2]), np.array([1.0, 2, 3]))
    assert (alarms[0], hits[0], alarms[-1], hits[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(hits, alarms) == pytest.approx(auc(np.array([0.0, 1, 2]), np.array([1.0, 2, 3])))
