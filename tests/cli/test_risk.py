"""`hide --risk`, and `check` and `--cover-from` for coded bits."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from desk import Desk
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from stegcli import pipeline
from stegcli.detection import judge
from stegcli.detection.risk import coded_risk, deflection
from stegcli.lab.data.covers import cut
from stegcli.methods.coded import pixels

Rgb = NDArray[np.uint8]

PIXELS = 256 * 256


@pytest.fixture
def tiny(desk: Desk) -> str:
    """Put a secret of 48x48 on the desk."""
    return desk.put("tiny.png", np.array(Image.fromarray(data.camera()).resize((48, 48))))


@pytest.fixture
def known(desk: Desk) -> Rgb:
    """Return a cover like those that the judge of coded bits learned from."""
    desk.put("photo.jpg", data.coffee(), quality=75)
    with Image.open("photo.jpg") as photo:
        return cut(photo)


def test_the_secret_is_as_good_as_the_risk_allows(desk: Desk, tiny: str) -> None:
    reports = {}
    for risk in ("0.48", "0.4"):
        command = ["hide", "cover.png", tiny, "--model", "coded", "-o", "s.png", "--force", "--json"]
        done = desk.run(*command, "--risk", risk)
        assert done.code == 0, done
        reports[risk] = done.json
        assert coded_risk(done.json["bpp"], PIXELS).error >= float(risk)
        assert any("at this risk the cover can carry" in notice for notice in done.json["notices"])
    careful, careless = (reports[risk] for risk in ("0.48", "0.4"))
    assert careful["bpp"] < careless["bpp"]
    assert careful["revealed_psnr_db"] < (careless["revealed_psnr_db"] or 99)
    capped = desk.run(*command, "--risk", "0.3", "--target", "30").json
    assert 29.9 < capped["revealed_psnr_db"] < 36


def test_what_cannot_be_risked(desk: Desk, tiny: str) -> None:
    desk.refuses(2, "hide", "cover.png", tiny, "--risk", "0.45", words="for coded bits")
    coded = ["hide", "cover.png", tiny, "--model", "coded", "--risk"]
    desk.refuses(2, *coded, "0.5", words="cannot be asked for")
    desk.refuses(3, *coded, "0.49999", words="too small to hide anything at this risk")
    desk.put_bytes("big.bin", np.random.default_rng(0).bytes(6000))
    desk.refuses(
        3, "hide", "cover.png", "big.bin", "--model", "coded", "--risk", "0.45", words="has room for"
    )


def test_check_forecasts_coded_bits(desk: Desk, tiny: str, known: Rgb) -> None:
    told = desk.run("check", "cover.png", tiny, "--model", "coded", "--json").json
    assert told["risk"]["error"] == pytest.approx(coded_risk(told["bpp"], PIXELS).error)
    assert told["risk"]["low"] <= told["risk"]["error"] <= told["risk"]["high"]
    lines = desk.run("check", "cover.png", tiny, "--model", "coded").out
    assert "bits per pixel" in lines
    assert told["missed"] is None
    assert "smaller or different covers" in lines
    command = ["check", desk.put("known.png", known), tiny, "--model", "coded"]
    missed = desk.run(*command, "--json").json["missed"]
    assert 0 < missed < 1
    told = re.search(r"with a probability of (0\.\d\d)", desk.run(*command).out)
    assert told is not None
    assert float(told[1]) == pytest.approx(missed, abs=0.1)  # another salt


def test_check_of_one_picture(desk: Desk, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cover = desk.run("check", "cover.png", "--json").json
    assert cover["kind"] == "cover"
    capacity = dict(map(tuple, cover["capacity"]))
    assert 0 < capacity[0.45] < capacity[0.4] < capacity[0.3]
    monkeypatch.setenv("STEGCLI_PASSPHRASE", "open")
    for model in ("coded", "phase"):
        report = desk.run(
            "hide", "cover.png", tiny, "-o", "s.png", "--model", model, "--json", "--force"
        ).json
        stego = desk.run("check", "s.png", "--json").json
        assert (stego["kind"], stego["model"]) == ("stego", model)
        assert stego["bpp"] == pytest.approx(report["bpp"])
        assert 0 < stego["risk"]["error"] <= 0.5
    monkeypatch.delenv("STEGCLI_PASSPHRASE")
    assert desk.run("check", "s.png", "--json").json["kind"] == "cover"


def test_check_of_a_jpeg(desk: Desk, tiny: str) -> None:
    photo = desk.put("photo.jpg", data.coffee(), quality=90)
    cover = desk.run("check", photo, "--json").json
    assert cover["in_jpeg"]
    assert dict(map(tuple, cover["capacity"]))[0.45] > 0
    told = desk.run("check", photo, tiny, "--model", "coded", "--json").json
    assert 0 < told["load"]["rate"] < 0.3
    assert 0 < told["risk"]["error"] <= 0.5
    assert told["missed"] is None
    assert "this very stego" not in desk.run("check", photo, tiny, "--model", "coded").out
    assert desk.run("hide", photo, tiny, "--model", "coded").code == 0
    stego = desk.run("check", "photo.stego.jpg", "--json").json
    assert stego["load"]["rate"] == pytest.approx(told["load"]["rate"], rel=0.02)
    assert "bits per AC coefficient" in desk.run("check", "photo.stego.jpg").out


def test_the_cover_that_bears_most_is_taken(desk: Desk, tiny: str) -> None:
    Path("photos").mkdir()
    picture = Image.fromarray(data.coffee())
    for name, size in (("small", (150, 100)), ("middle", (300, 200)), ("large", (450, 300))):
        picture.resize(size, Image.Resampling.LANCZOS).save(f"photos/{name}.png")
    smooth = np.full((300, 450, 3), 128, dtype=np.uint8)
    smooth[::2] += 1
    Image.fromarray(smooth).save("photos/smooth.png")
    Image.fromarray(data.coffee()).save("photos/decoded.jpg", quality=90)
    with Image.open("photos/decoded.jpg") as photo:
        photo.save("photos/decoded.png")
    done = desk.run("hide", tiny, "--cover-from", "photos", "--model", "coded", "--json")
    assert done.code == 0, done
    ranking = {Path(ranked["cover"]).name: ranked for ranked in done.json["ranking"]}
    order = list(ranking)
    assert order.index("large.png") < order.index("middle.png") < order.index("small.png")
    assert order.index("large.png") < order.index("smooth.png")
    assert "quantising its pixels" in ranking["decoded.png"]["problem"]
    assert order[-1] == "decoded.png"
    assert ranking["decoded.jpg"]["risk"] > 0
    assert done.json["stego"].startswith(Path(order[0]).stem)


def test_the_judge_ranks_the_covers_that_it_knows(
    desk: Desk, tiny: str, known: Rgb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "urandom", lambda count: pipeline._TRIAL_SALT[:count])  # as in trials
    Path("photos").mkdir()
    Image.fromarray(known).save("photos/known.png")
    Image.fromarray(data.coffee()).resize((256, 192), Image.Resampling.LANCZOS).save("photos/unknown.png")
    done = desk.run("hide", tiny, "--cover-from", "photos", "--model", "coded", "--json")
    assert done.code == 0, done
    ranking = {Path(ranked["cover"]).stem: ranked for ranked in done.json["ranking"]}
    assert ranking["known"]["risk"] is None
    assert ranking["unknown"]["score"] == round(deflection(ranking["unknown"]["risk"]), 1)
    Path("photos/unknown.png").unlink()
    done = desk.run("hide", tiny, "--cover-from", "photos", "--model", "coded", "--json", "--force")
    written = desk.pixels("known.stego.png")
    margins = judge.load(judge.CODED).margins(known, written, done.json["bpp"])
    assert done.json["ranking"][0]["score"] == pytest.approx(judge.weigh(*margins), abs=1e-5)
