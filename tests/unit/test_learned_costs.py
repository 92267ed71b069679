"""Costs by a network: used if the model has one, validated like the others, unknown to the reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stegcli import pipeline
from stegcli.carriers.costs import hill_cost
from stegcli.errors import ModelError
from stegcli.methods.coded.costs import SHARE, coded_cost
from stegcli.methods.phase import costs
from stegcli.methods.phase.costs import learned_cost, model_cost
from stegcli.models import session
from stegcli.models.loading import Models
from stegcli.pictures import luma

pytestmark = pytest.mark.usefixtures("quick_keys")

Bytes = Callable[[float], bytes]
Weights = Callable[..., Path]


def luma_of(rgb: np.ndarray) -> np.ndarray:
    return luma.luma_levels(rgb)


def test_the_correction_is_a_factor_in_every_tile(
    cover_rgb: np.ndarray, cost_bytes: Bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "TILE_PIXELS", 60 * 60)
    levels = luma_of(cover_rgb[:101, :155])
    found = learned_cost(levels, session.open_network(cost_bytes(0.5), "cost", "cpu"))
    np.testing.assert_allclose(found, np.sqrt(hill_cost(levels)), rtol=1e-4)


def test_a_model_without_a_network_uses_the_programs(cover_rgb: np.ndarray, exact_weights: Path) -> None:
    levels = luma_of(cover_rgb)
    load = Models(exact_weights, "cpu").find()
    in_the_box = Models(device="cpu").find("phase-v1")
    np.testing.assert_array_equal(model_cost(levels, load), learned_cost(levels, in_the_box("cost")))


def test_coded_bits_apply_a_share_of_the_correction(cover_rgb: np.ndarray) -> None:
    levels = luma_of(cover_rgb)
    load = Models(device="cpu").find("phase-v1")
    hill, whole = hill_cost(levels), model_cost(levels, load)
    np.testing.assert_allclose(coded_cost(levels, load), hill * (whole / hill) ** SHARE, rtol=1e-4)


def test_hide_changes_what_the_network_says_and_reveal_asks_no_network(
    cover_rgb: np.ndarray, secret_gray: np.ndarray, make_weights: Weights, cost_bytes: Bytes
) -> None:
    """A network that prefers what HILL avoids; the stego is read without any network."""
    secret = secret_gray[:32, :32]
    folder = make_weights(cost=cost_bytes(2.0))
    hill = hill_cost(luma_of(cover_rgb))
    changed = {}
    for learned in (True, False):
        report = pipeline.hide(cover_rgb, secret, weights=folder if learned else make_weights())
        changed[learned] = hill[(report.stego_rgb != cover_rgb).any(axis=2)].mean()
        again = pipeline.reveal(report.stego_rgb, weights=make_weights()).revealed_gray
        np.testing.assert_array_equal(again, report.revealed_gray)
    assert changed[True] > 2 * changed[False]


@pytest.mark.parametrize("model", ["phase-v1", "phase-progressive-v1"])
def test_the_models_in_the_box_bring_their_network(cover_rgb: np.ndarray, model: str) -> None:
    levels = luma_of(cover_rgb)
    load = Models(device="cpu").find(model)
    contract = load("cost").contract
    assert (contract.family, contract.role) == ("phase", "cost")
    correction = np.log(model_cost(levels, load) / hill_cost(levels))
    assert np.abs(correction).max() <= 3.001
    assert correction.std() > 0.3


def test_a_flat_cover_has_finite_costs() -> None:
    cost = model_cost(np.full((64, 67), 255, dtype=np.float32), Models(device="cpu").find("phase"))
    assert np.isfinite(cost).all()
    assert cost.min() > 0


def test_a_damaged_network_is_no_reason_to_use_hill(
    cover_rgb: np.ndarray, secret_gray: np.ndarray, make_weights: Weights, cost_bytes: Bytes
) -> None:
    folder = make_weights(cost=cost_bytes(1.0))
    (folder / "phase-tiny" / "cost.onnx").write_bytes(cost_bytes(3.0))
    with pytest.raises(ModelError, match="cost"):
        pipeline.hide(cover_rgb, secret_gray[:32, :32], weights=folder)


def test_a_decoder_in_the_place_of_the_network_is_refused(make_weights: Weights, cost_bytes: Bytes) -> None:
    folder = make_weights(cost=(make_weights() / "phase-tiny" / "decoder.onnx").read_bytes())
    with pytest.raises(ModelError, match="not phase cost"):
        Models(folder, "cpu").find()("cost")
