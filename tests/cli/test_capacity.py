"""`stegcli capacity`: what it says fits does fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from desk import Desk
from skimage import data

from stegcli.codecs import plain
from stegcli.codecs.base import FileSecret
from stegcli.detection.risk import coded_rate, secret_rates

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture
def fits(desk: Desk) -> list[dict]:
    found = desk.run("capacity", "cover.png", "--json")
    assert found.code == 0, found
    return found.json["fits"]


def test_a_table_that_a_person_reads(desk: Desk) -> None:
    found = desk.run("capacity", "cover.png")
    assert found.code == 0, found
    lines = found.out.splitlines()
    assert lines[0] == "What fits into a cover of 256x256"
    assert max(map(len, lines)) <= 110
    assert ["phase", "every", "pixel", "~0.00", "256x256", *"----"] in [line.split() for line in lines]


def test_what_takes_less_is_riskier_to_find_and_smaller(fits: list[dict]) -> None:
    phase = [fit for fit in fits if fit["method"] == "phase"]
    assert [fit["error"] for fit in phase] == sorted(fit["error"] for fit in phase)
    areas = [np.prod(fit["gray_size"]) for fit in phase]
    assert areas == sorted(areas, reverse=True)
    coded = [fit for fit in fits if fit["method"] == "coded"]
    assert [fit["file_bytes"] for fit in coded] == sorted(fit["file_bytes"] for fit in coded)
    for fit in coded:
        sizes = [np.prod(fit["colour_sizes"][favor]) for favor in ("secret", "balanced", "cover")]
        assert sizes == sorted(sizes)


def test_the_largest_file_fits_and_one_byte_more_does_not(desk: Desk, fits: list[dict]) -> None:
    most = max(fit["file_bytes"] or 0 for fit in fits)
    content = np.random.default_rng(1).bytes(most)
    packing = len(plain.encode(FileSecret("n", content)).payload) - most  # its name, and how it is packed
    assert 0 < packing < 16
    for size, code in ((most - packing, 0), (most - packing + 1, 3)):
        desk.put_bytes("n", content[:size])
        done = desk.run("hide", "cover.png", "n", "--model", "coded", "--as-file", "-o", f"s{code}.png")
        assert done.code == code, done


def test_a_jpeg_has_rows_of_its_own(desk: Desk) -> None:
    desk.put("photo.jpg", data.coffee()[:320, :400], quality=90)
    rows = desk.run("capacity", "photo.jpg", "--json").json["fits"]
    inside = [fit for fit in rows if "JPEG" in fit["extent"]]
    assert [fit["extent"][:3] for fit in inside] == ["0.1", "0.2"]
    desk.put_bytes("file", np.random.default_rng(1).bytes(inside[1]["file_bytes"] - 32))
    done = desk.run("hide", "photo.jpg", "file", "--model", "coded", "--as-file", "-o", "s.jpg")
    assert done.code == 0, done


def test_refusals(desk: Desk) -> None:
    desk.put("small.png", np.zeros((32, 32, 3), np.uint8))
    desk.refuses(3, "capacity", "small.png", words="32x32")
    desk.refuses(3, "capacity", "nowhere.png", words="nowhere.png")


def test_its_figures_are_those_that_were_measured() -> None:
    rates = json.loads((RESULTS / "secret-rates.json").read_text())
    for kind in ("colour", "gray"):
        assert secret_rates()[kind] == rates[kind]
    rows = json.loads((RESULTS / "security-suite.json").read_text())["rows"]
    row = next(row for row in rows if row["subject"] == "coded, 0.5 bit per pixel")
    assert coded_rate()["error"] == pytest.approx(row["detection_error"])
    assert (coded_rate()["low"], coded_rate()["high"]) == (row["error_low"], row["error_high"])
