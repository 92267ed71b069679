"""`hide` with a JPEG cover, as users run it."""

from __future__ import annotations

import numpy as np
import pytest
from desk import Desk
from PIL import Image
from skimage import data

SECRET_SIDE = 24


@pytest.fixture
def photo(desk: Desk) -> str:
    desk.put("tiny.png", np.array(Image.fromarray(data.camera()).resize((SECRET_SIDE, SECRET_SIDE))))
    return desk.put("photo.jpg", np.ascontiguousarray(data.coffee()[100:356, 200:456]), quality=95)


def test_a_jpeg_stays_a_jpeg(desk: Desk, photo: str) -> None:
    report = desk.run("hide", photo, "tiny.png", "--model", "coded", "--json").json
    assert report["stego"] == "photo.stego.jpg"
    assert report["cover_size"] == [256, 256]
    before, after = (desk.folder / name for name in (photo, "photo.stego.jpg"))
    assert abs(after.stat().st_size / before.stat().st_size - 1) < 0.01
    told = desk.run("reveal", "photo.stego.jpg", "--json").json
    assert (told["revealed"], told["size"]) == ("photo.stego.revealed.png", [SECRET_SIDE, SECRET_SIDE])
    revealed, secret = desk.pixels("photo.stego.revealed.png"), desk.pixels("tiny.png")
    error = np.mean((revealed.astype(float) - secret) ** 2)
    assert report["revealed_psnr_db"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-6)
    assert desk.run("info", "photo.stego.jpg", "--json").json["model"] == "coded"


def test_what_lies_there_is_not_replaced(desk: Desk, photo: str) -> None:
    desk.put_bytes("photo.stego.jpg", b"mine")
    outcome = desk.refuses(2, "hide", photo, "tiny.png", "--model", "coded", words="exists already")
    assert "--force" in outcome.err
    desk.refuses(2, "hide", photo, "tiny.png", "-o", photo, "--force", "--model", "coded", words="an input")


def test_any_name_of_a_jpeg_and_any_cover(desk: Desk, photo: str) -> None:
    outcome = desk.run(
        "hide", "cover.png", "tiny.png", "-o", "new.JPEG", "--model", "coded", "--favor", "secret"
    )
    assert outcome.code == 0, outcome.err
    assert "quality 95" in outcome.err
    with Image.open(desk.folder / "new.JPEG") as stego:
        assert (stego.format, stego.size) == ("JPEG", (256, 256))
    assert desk.run("reveal", "new.JPEG", "-o", "out.png").code == 0
    command = ["hide", photo, "tiny.png", "-o", "s.png", "--model", "coded", "--force-jpeg-cover"]
    assert desk.run(*command).code == 0
    with Image.open(desk.folder / "s.png") as stego:
        assert stego.format == "PNG"


def test_other_methods_keep_to_formats_without_loss(desk: Desk, photo: str) -> None:
    outcome = desk.refuses(2, "hide", photo, "tiny.png", "-o", "s.jpg", words="a lossy format")
    assert ".png" in outcome.err
    assert desk.run("hide", photo, "secret.png", "--json").json["stego"] == "photo.stego.png"


def test_a_progressive_jpeg_is_refused_with_the_cure(desk: Desk, photo: str) -> None:
    cover = desk.put("p.jpg", data.coffee()[:128, :128].copy(), progressive=True)
    outcome = desk.refuses(3, "hide", cover, "tiny.png", "--model", "coded", words="is progressive")
    assert "-o stego.png" in outcome.err
