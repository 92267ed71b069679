"""The judges of stegos that are bundled with the program."""

import numpy as np
import pytest
from PIL import Image

from stegcli import pipeline
from stegcli.codecs.base import Rate
from stegcli.detection import judge, residuals
from stegcli.lab.security.coded_subjects import CodedSubject
from stegcli.pictures import luma

pytestmark = pytest.mark.usefixtures("quick_keys")

SHRUNK, AS_IT_IS, ENLARGED = range(3)
MARGINS = np.array([[1, 10, 100], [2, 20, 200], [3, 30, 300]])
"""A row for each kind, a column for each spread."""


def ratings(picture, stegos=judge.PHASES):
    return judge.load(stegos).rate(residuals.colour(picture)[None])


def weighed(cover, stego, spread, root=1.0):
    return judge.weigh(*judge.PHASES.pick(cover, stego, spread), root)


def score(stegos, cover, stego, amount, root=1.0):
    return judge.weigh(*judge.load(stegos).margins(cover, stego, amount), root)


def made_up(kind, share=1.0):
    return np.concatenate([share * MARGINS.reshape(-1), np.eye(3)[kind]]).astype(np.float32)[None]


def scaled(picture, factor):
    size = tuple(round(side * factor) for side in picture.shape[1::-1])
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def test_a_full_stego_scores_far_above_its_cover_and_a_quarter_full_one(cover_rgb, secret_gray):
    quarter, full = (pipeline.hide(cover_rgb, secret_gray[:side, :side]).stego_rgb for side in (128, 256))
    least = score(judge.PHASES, cover_rgb, full, 1) - 4
    assert score(judge.PHASES, cover_rgb, cover_rgb, 1) < least
    assert score(judge.PHASES, cover_rgb, quarter, 4) < least  # which may well look like its cover


def test_more_coded_bits_score_higher_and_those_of_a_larger_picture_too(cover_rgb):
    bits = {
        rate: CodedSubject("bits", Rate(rate)).stego(cover_rgb, luma.gray(cover_rgb), "seed")
        for rate in (0.5, 3)
    }
    few, many = (score(judge.CODED, cover_rgb, stego, rate) for rate, stego in bits.items())
    assert score(judge.CODED, cover_rgb, cover_rgb, 3) < few < many - 1
    large = [np.tile(picture, (2, 2, 1)) for picture in (cover_rgb, bits[3])]
    assert score(judge.CODED, *large, 3, root=2) > many + 1


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
    assert weighed(cover, stego, 8, root=2.5) == pytest.approx([25 + judge.BOUND])
    low, lower = made_up(SHRUNK, share=-1), made_up(SHRUNK, share=-2)
    assert weighed(low, lower, 8) == pytest.approx([-10 - judge.BOUND])


@pytest.mark.parametrize(
    ("rate", "shares"), [(0.1, [1, 0]), (0.5, [1, 0]), (3**0.5 / 2, [0.5, 0.5]), (4, [0, 1])]
)
def test_coded_bits_are_rated_by_their_rate(rate, shares):
    """The margin is that of the nearest rates, on a logarithmic axis."""
    margins, of_the_second_kind = [[1, 10], [2, 20]], [0, 1]
    rating = np.array([[*margins[0], *margins[1], *of_the_second_kind]], dtype=np.float32)
    before, after = judge.CODED.pick(rating, rating, rate)
    assert before == after == pytest.approx([np.dot(margins[1], shares)])


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
    assert score(judge.PHASES, flat, large, 4) == pytest.approx(expected[0], rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 5), (7, 3000), (300, 8)])
@pytest.mark.parametrize("stegos", [judge.PHASES, judge.CODED])
def test_any_shape_has_a_score(cover_rgb, shape, stegos):
    picture = np.resize(cover_rgb, (*shape, 3))
    assert np.isfinite(score(stegos, picture, picture, 4))


@pytest.mark.parametrize("quantum", [1, 2, 3, 4, 12])
def test_residuals_are_rounded_to_even_and_cut(quantum: int) -> None:
    values = np.arange(-64 * 255, 64 * 255 + 1, dtype=np.int16)
    expected = np.clip(np.rint(values / quantum), -2, 2) + 2
    assert np.array_equal(residuals._quantised(values, quantum), expected)
