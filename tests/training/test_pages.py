"""Pages drawn from a seed."""

import random

import numpy as np
import pytest
from PIL import ImageFont

from stegcli.training.data import pool
from stegcli.training.phase import pages

pytestmark = pytest.mark.train

KINDS = ("_text", "_screen", "_code", "_line_art", "_chart")


def test_a_page_is_its_seed():
    drawn = [pages.draw_page(seed) for seed in range(12)]
    for seed, page in enumerate(drawn):
        assert page.shape == (256, 256)
        assert page.dtype == np.uint8
        assert np.array_equal(page, pages.draw_page(seed))
        assert len(np.unique(page)) > 1
    assert len({page.tobytes() for page in drawn}) == len(drawn)
    assert np.array_equal(pool.load_pages(3, 7), np.stack([pages.draw_page(7_000_000 + i) for i in range(3)]))


def test_every_kind_of_page_is_drawn(monkeypatch):
    seen = set()
    for kind in KINDS:
        monkeypatch.setattr(pages, kind, lambda *_, kind=kind: seen.add(kind))
    for seed in range(60):
        pages.draw_page(seed)
    assert seen == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_leaves_ink_on_the_paper(kind):
    from PIL import Image

    for seed in range(6):
        image = Image.new("L", (256, 256), 255)
        getattr(pages, kind)(image, random.Random(seed), (), 0)
        assert np.asarray(image).min() < 255, seed


def test_fonts_are_found_and_used(tmp_path, monkeypatch):
    for name in ("b.TTF", "sub/a.otf", "readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    fonts = pages.find_fonts([tmp_path])
    assert [font.name for font in fonts] == ["b.TTF", "a.otf"]
    used, own, load = [], ImageFont.load_default(12), ImageFont.truetype

    def truetype(font, *args, **options):
        if not isinstance(font, str):
            return load(font, *args, **options)  # Pillow's own, from memory
        used.append(font)
        return own

    monkeypatch.setattr(ImageFont, "truetype", truetype)
    for seed in range(20):
        pages.draw_page(seed, fonts)
    assert set(used) == {str(font) for font in fonts}
