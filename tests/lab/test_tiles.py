"""Covers that are tiles of photographs, and detectors that saw no other tile of the same photograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from stegcli.crew.base import HERE
from stegcli.errors import UsageError
from stegcli.lab.data import photos, tiles
from stegcli.lab.security import ensemble, evaluate, presets
from stegcli.lab.security.subjects import LSBM_CONTROL, LsbMatchingSubject
from stegcli.lab.statistics import bootstrap_interval

NAMES = ("astronaut", "chelsea", "coffee", "immunohistochemistry", "rocket", "retina")
EACH = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photographs of about a megapixel, enlarged if they are smaller."""
    found = tmp_path_factory.mktemp("camera")
    for name in NAMES:
        picture = Image.fromarray(getattr(data, name)()).convert("RGB")
        picture = picture.resize((1152, 864), Image.Resampling.LANCZOS)
        picture.save(found / f"{name}.png", compress_level=1)
    Image.fromarray(data.coffee()).save(found / "small.png")
    return found


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensemble, "SUBSPACES", (100,))
    monkeypatch.setattr(ensemble, "LEARNERS", 11)


def test_tiles_do_not_overlap_and_have_the_shrunk_photograph_s_pixels(folder: Path) -> None:
    found = tiles.tiles_of(photos.find(f"folder:{folder}", None), EACH)
    assert len(found) == EACH * len(NAMES), "the small picture is left out"
    assert len({tile.key for tile in found}) == len(found)
    corners = [(tile.top, tile.left) for tile in found[:EACH]]
    assert all(top % 192 == 0 and left % 256 == 0 for top, left in corners)
    with found[-1].photograph.open() as picture:
        shrunk = np.asarray(picture.convert("RGB").resize((768, 576), Image.Resampling.LANCZOS))
    assert np.array_equal(found[-1].load(), shrunk[384:576, 512:768])


def test_too_few_large_photographs_are_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="only 0 photographs are large enough for 40 tiles"):
        tiles.tiles_of(photos.find(f"folder:{folder}", None), 40)


@pytest.mark.usefixtures("quick")
def test_no_detector_sees_the_photograph_of_a_tile_that_it_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = np.repeat(np.arange(7), 3)
    covers = np.random.default_rng(0).normal(size=(21, 120)).astype(np.float32)
    covers[:, 0] = groups
    seen: list[set[int]] = []
    train, score = ensemble.train, ensemble.Ensemble.scores

    def trained(covers: np.ndarray, stegos: np.ndarray, seed: int) -> ensemble.Ensemble:
        seen.append({int(number) for number in covers[:, 0]})
        return train(covers, stegos, seed)

    def scored(detector: ensemble.Ensemble, values: np.ndarray) -> np.ndarray:
        judged.append({int(number) for number in values[:, 0]})
        return score(detector, values)

    judged: list[set[int]] = []
    monkeypatch.setattr(ensemble, "train", trained)
    monkeypatch.setattr(ensemble.Ensemble, "scores", scored)
    evaluate.held_out(covers, covers.copy(), groups, 1)
    assert len(seen) == evaluate.FOLDS
    for fold, learned in enumerate(seen):
        assert not learned & judged[2 * fold]
        assert learned | judged[2 * fold] == set(range(7))


@pytest.mark.usefixtures("quick")
def test_the_camera_preset_gives_the_known_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "_subjects", lambda *_: [LsbMatchingSubject()])
    asked = [f"folder:{folder}"]
    result = presets.run("camera", asked, None, covers=EACH * 7, trainings=2, crew=HERE)
    assert (result.covers, result.shrink) == (EACH * len(NAMES), tiles.SHRINK)
    errors = {row.subject: row.detection_error for row in result.rows}
    assert errors[LSBM_CONTROL] <= 0.15
    assert errors[evaluate.COVER_CONTROL] >= 0.25
    assert [len(row.by_detector["colour"]) for row in result.rows] == [2, 2]


def test_pairs_that_depend_on_each_other_make_an_interval_wider() -> None:
    values = np.repeat(np.random.default_rng(5).normal(size=30), 10)
    groups = np.repeat(np.arange(30), 10)
    low, high = bootstrap_interval(values, 0)
    wide_low, wide_high = bootstrap_interval(values, 0, groups)
    assert (wide_high - wide_low) / (high - low) == pytest.approx(np.sqrt(10), rel=0.1)
    alone = bootstrap_interval(values, 0, np.arange(len(values)))
    assert alone == pytest.approx((low, high))
