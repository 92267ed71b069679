"""Pixels of a decoded JPEG as a cover: refused by `coded`, and reported by the other methods."""

from __future__ import annotations

import io

import numpy as np
import pytest
from desk import Desk
from PIL import Image
from skimage import data

REFUSED = "quantising its pixels again shows what was changed"


@pytest.fixture
def decoded(desk: Desk) -> str:
    """Write photo.jpg, and decoded.png with its pixels."""
    desk.put("tiny.png", np.array(Image.fromarray(data.camera()).resize((24, 24))))
    desk.put("photo.jpg", np.ascontiguousarray(data.coffee()[100:356, 200:456]), quality=85)
    with Image.open(desk.folder / "photo.jpg") as photo:
        return desk.put("decoded.png", np.array(photo))


@pytest.mark.parametrize(
    ("cover", "cure"), [("photo.jpg", "-o stego.jpg"), ("decoded.png", "the JPEG itself")]
)
def test_coded_refuses_them_with_three_cures(desk: Desk, decoded: str, cover: str, cure: str) -> None:
    del decoded
    command = ["hide", cover, "tiny.png", "-o", "s.png", "--model", "coded"]
    outcome = desk.refuses(3, *command, words=REFUSED)
    assert cure in outcome.err
    for option in (["--scale-cover", "0.75"], ["--force-jpeg-cover"]):
        assert option[0] in outcome.err
        done = desk.run(*command, *option, "--force")
        assert done.code == 0, done.err
        assert desk.run("reveal", "s.png", "-o", "r.png", "--force").code == 0
    assert "quantises them again" in done.err
    assert "--scale-cover" in done.err


def test_phase_tells_of_them(desk: Desk, decoded: str) -> None:
    del decoded
    cover = "photo.jpg"
    done = desk.run("hide", cover, "tiny.png", "-o", "s.png")
    assert done.code == 0, done.err
    assert "quantises them again" in done.err
    shrunk = desk.run("hide", cover, "tiny.png", "-o", "s.png", "--scale-cover", "0.75", "--force")
    assert (shrunk.code, "quantises" in shrunk.err) == (0, False)


def test_a_jpeg_goes_through_streams_as_one(desk: Desk, decoded: str) -> None:
    del decoded
    photo = (desk.folder / "photo.jpg").read_bytes()
    for cover in ("photo.jpg", "-"):
        stego = desk.streams("hide", cover, "tiny.png", "-o", "-", "--model", "coded", stdin=photo)
        with Image.open(io.BytesIO(stego.out)) as image:
            assert (image.format, image.size) == ("JPEG", (256, 256))
        assert "delete it" in stego.err.decode()
        back = desk.streams("reveal", "-", "-o", "-", stdin=stego.out)
        assert np.array(Image.open(io.BytesIO(back.out))).shape == (24, 24)
    assert desk.run("info", "-", "--json", stdin=stego.out).json["model"] == "coded"


def test_other_covers_and_other_ways_are_pngs_on_a_stream(desk: Desk, decoded: str) -> None:
    del decoded
    for cover, model in (("cover.png", "coded"), ("photo.jpg", "phase")):
        stego = desk.streams("hide", cover, "tiny.png", "-o", "-", "--model", model)
        assert Image.open(io.BytesIO(stego.out)).format == "PNG"
