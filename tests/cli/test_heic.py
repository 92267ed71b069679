"""A HEIC picture is accepted as a cover and as a secret; a camera's raw file is refused with a reason."""

from __future__ import annotations

import io

import numpy as np
import pytest
from desk import Desk
from PIL import Image
from skimage import data


def test_a_turned_heic_as_cover_and_secret(desk: Desk) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the heic extra is not installed")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, as telephones write it
    for name, pixels in (
        ("cover.heic", data.coffee()[:200, :160]),
        ("secret.HEIC", data.astronaut()[:96, :80]),
    ):
        file = io.BytesIO()
        heif.from_pillow(Image.fromarray(np.ascontiguousarray(pixels))).save(file, exif=exif.tobytes())
        desk.put_bytes(name, file.getvalue())
    hidden = desk.run("hide", "cover.heic", "secret.HEIC", "-o", "s.png", "--json")
    assert hidden.code == 0, hidden
    assert hidden.json["cover_size"] == [200, 160]
    assert hidden.json["secret_size"] == [96, 80]
    assert desk.run("reveal", "s.png", "-o", "r.png").code == 0
    assert desk.pixels("r.png").shape == (80, 96)
    (desk.folder / "covers").mkdir()
    (desk.folder / "covers" / "a.heic").write_bytes((desk.folder / "cover.heic").read_bytes())
    assert desk.run("hide", "secret.png", "--cover-from", "covers", "-o", "t.png").code == 0


@pytest.mark.parametrize("name", ["photo.cr2", "photo.raf"])
def test_a_raw_file_says_what_to_do(desk: Desk, name: str) -> None:
    heads = {"photo.cr2": b"II*\0\x10\0\0\0CR\2\0", "photo.raf": b"FUJIFILMCCD-RAW 0201"}
    desk.put_bytes(name, heads[name] + bytes(200))
    for words in (("hide", name, "secret.png", "-o", "s.png"), ("capacity", name)):
        outcome = desk.refuses(3, *words, words="raw file")
        assert "darktable" in outcome.err
