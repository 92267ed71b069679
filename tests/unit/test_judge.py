"""The judge of stegos that travels with the program."""

import numpy as np
import pytest
from PIL import Image

from stegcli import judge, pipeline, residuals


def rating(picture):
    return judge.rate(residuals.colour(picture)[None])[0]


def test_a_full_stego_scores_far_above_its_cover_and_a_quarter_full_one(cover_rgb, secret_gray):
    quarter, full = (pipeline.hide(cover_rgb, secret_gray[:side, :side]).stego_rgb for side in (128, 256))
    least = judge.score(cover_rgb, full) - 5
    assert judge.score(cover_rgb, cover_rgb) < least
    assert judge.score(cover_rgb, quarter) < least  # which may well look like its cover
    assert rating(full) > rating(cover_rgb)


def test_a_cover_of_another_kind_counts_no_more_than_the_bound(cover_rgb, secret_gray):
    enlarged = np.asarray(Image.fromarray(cover_rgb).resize((512, 512), Image.Resampling.LANCZOS))
    stego = pipeline.hide(enlarged, secret_gray).stego_rgb
    assert rating(enlarged) < -2 * judge.BOUND
    assert judge.score(enlarged, enlarged) == -judge.BOUND
    added = rating(stego) - rating(enlarged)
    assert judge.score(enlarged, stego) == pytest.approx(added - judge.BOUND, rel=1e-4)


def test_a_large_picture_is_rated_by_nine_crops_of_it(cover_rgb):
    large = np.tile(cover_rgb, (6, 6, 1))[:1000, :1100]
    places = [(y, x) for y in (0, 372, 744) for x in (0, 422, 844)]
    crops = np.stack([residuals.colour(large[y : y + 256, x : x + 256]) for y, x in places])
    flat = np.full_like(large, 90)
    expected = judge.rate(crops).mean() - rating(flat[:256, :256])
    assert judge.score(flat, large) - judge.score(flat, flat) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 5), (7, 3000), (300, 8)])
def test_any_shape_has_a_score(cover_rgb, shape):
    picture = np.resize(cover_rgb, (*shape, 3))
    assert np.isfinite(judge.score(picture, picture))
