"""Rows of a table are identified by the hider's name: two models with the same id stay two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from stegcli.errors import UsageError
from stegcli.lab.data.pairs import from_dataset
from stegcli.lab.quality import baselines, damage, evaluate
from stegcli.lab.quality.hiders import Hidden, Hider, distinct


@dataclass(frozen=True)
class Model:
    """A baseline with the id of a model, as a second training of the same recipe may have it."""

    baseline: Hider
    identity: str
    name: str = "phase-mine"

    def hide(
        self, cover_rgb: np.ndarray, secret_gray: np.ndarray, seed: str, stego_psnr_db: float | None
    ) -> Hidden:
        return self.baseline.hide(cover_rgb, secret_gray, seed, stego_psnr_db)


@pytest.fixture(scope="module")
def namesakes() -> list[Hider]:
    raw, avif = baselines.choose("lsb-332,avif-lsbm")
    return [Model(raw, "encoder 01"), Model(avif, "encoder 02")]


def test_namesakes_get_names_of_their_own(namesakes: list[Hider]) -> None:
    first, second = distinct(namesakes)
    assert first.name != second.name
    assert first.name.startswith("phase-mine (")
    assert [first.identity, second.identity] == ["encoder 01", "encoder 02"]
    assert [hider.name for hider in distinct([second, first])] == [second.name, first.name]


def test_a_model_that_was_named_twice_is_one(namesakes: list[Hider]) -> None:
    (only,) = distinct([namesakes[0], namesakes[0]])
    assert only is namesakes[0]


def test_both_are_measured(namesakes: list[Hider], small_photo_folder: Path) -> None:
    source = from_dataset(f"folder:{small_photo_folder}", None, 1, 0)
    lines = evaluate.evaluate(distinct(namesakes), source).lines
    as_they_are = evaluate.evaluate(baselines.choose("lsb-332,avif-lsbm"), source).lines
    for line, other in zip(lines, as_they_are, strict=True):
        assert line.values["stego_psnr_db"] == other.values["stego_psnr_db"]
    rows = damage.assess(distinct(namesakes), source)
    assert len({row.hider for row in rows}) == 2


@pytest.mark.parametrize("assess", [evaluate.evaluate, damage.assess])
def test_whoever_does_not_tell_them_apart_is_told(
    namesakes: list[Hider], small_photo_folder: Path, assess
) -> None:
    with pytest.raises(UsageError, match="two models are called phase-mine"):
        assess(namesakes, from_dataset(f"folder:{small_photo_folder}", None, 1, 0))
