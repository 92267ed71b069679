"""The judge of stegos that is bundled with the program."""

import numpy as np
import pytest
from PIL import Image

from stegcli import pipeline
from stegcli.detection import judge, residuals

pytestmark = pytest.mark.usefixtures("quick_keys")

SHRUNK, AS_IT_IS, ENLARGED = range(3)
MARGINS = np.array([[1, 10, 100], [2, 20, 200], [3, 30, 300]])
"""A row for each kind, a column for each spread."""


def ratings(picture):
    return judge.rate(residuals.colour(picture)[None], judge.load())


def weighed(cover, stego, spread):
    return judge.weigh(*judge.pick(cover, stego, spread))


def made_up(kind, share=1.0):
    return np.concatenate([share * MARGINS.reshape(-1), np.eye(3)[kind]]).astype(np.float32)[None]


def scaled(picture, factor):
    size = tuple(round(side * factor) for side in picture.shape[1::-1])
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def test_a_full_stego_scores_far_above_its_cover_and_a_quarter_full_one(cover_rgb, secret_gray):
    quarter, full = (pipeline.hide(cover_rgb, secret_gray[:side, :side]).stego_rgb for side in (128, 256))
    least = judge.score(cover_rgb, full, 1, judge.load()) - 4
    assert judge.score(cover_rgb, cover_rgb, 1, judge.load()) < least
    assert judge.score(cover_rgb, quarter, 4, judge.load()) < least  # which may well look like its cover


@pytest.mark.parametrize("kind", [SHRUNK, AS_IT_IS, ENLARGED])
@pytest.mark.parametrize(
    ("spread", "margin"),
    [
        (1, [1, 0, 0]),
        (4, [1, 0, 0]),
        (8, [0, 1, 0]),
        (16, [0, 0, 1]),
        (300, [0, 0, 1]),
        (2**3.5, [0, 0.5, 0.5]),
    ],
)
def test_the_margin_is_that_of_the_covers_kind_and_the_spread(kind, spread, margin):
    added = weighed(made_up(kind, share=0), made_up((kind + 1) % 3), spread)
    assert added == pytest.approx([MARGINS[kind] @ margin])


def test_what_the_cover_showed_counts_within_the_bound():
    cover, stego = made_up(SHRUNK), made_up(SHRUNK, share=2)
    assert weighed(cover, stego, 4) == pytest.approx([2])  # 1 by the cover, 1 added
    assert weighed(cover, stego, 8) == pytest.approx([10 + judge.BOUND])
    low, lower = made_up(SHRUNK, share=-1), made_up(SHRUNK, share=-2)
    assert weighed(low, lower, 8) == pytest.approx([-10 - judge.BOUND])


@pytest.mark.parametrize(("factor", "kind"), [(0.5, SHRUNK), (1.5, ENLARGED)])
def test_a_resized_photograph_is_known_for_what_it_is(cover_rgb, secret_gray, factor, kind):
    cover = scaled(cover_rgb, factor)
    stego = pipeline.hide(cover, secret_gray[:64, :64]).stego_rgb
    assert [ratings(picture)[0, -3:].argmax() for picture in (cover, stego)] == [kind, kind]


def test_a_large_picture_is_rated_by_nine_crops_of_it(cover_rgb):
    large = np.tile(cover_rgb, (6, 6, 1))[:1000, :1100]
    places = [(y, x) for y in (0, 372, 744) for x in (0, 422, 844)]
    seen = np.mean([ratings(large[y : y + 256, x : x + 256]) for y, x in places], axis=0)
    flat = np.full_like(large, 90)
    expected = weighed(ratings(flat[:256, :256]), seen, 4)
    assert judge.score(flat, large, 4, judge.load()) == pytest.approx(expected[0], rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 5), (7, 3000), (300, 8)])
def test_any_shape_has_a_score(cover_rgb, shape):
    picture = np.resize(cover_rgb, (*shape, 3))
    assert np.isfinite(judge.score(picture, picture, 4, judge.load()))


@pytest.mark.parametrize("quantum", [1, 2, 3, 4, 12])
def test_residuals_are_rounded_to_even_and_cut(quantum: int) -> None:
    values = np.arange(-64 * 255, 64 * 255 + 1, dtype=np.int16)
    expected = np.clip(np.rint(values / quantum), -2, 2) + 2
    assert np.array_equal(residuals._quantised(values, quantum), expected)
