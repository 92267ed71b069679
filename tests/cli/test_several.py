"""`hide --covers`: one secret over several pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from desk import Desk
from skimage import data


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three stegos of one file, of which one has a flat cover."""
    import os

    from typer.testing import CliRunner

    from stegcli.cli.app import program

    folder = tmp_path_factory.mktemp("several")
    desk = Desk(folder)
    flat = np.full((160, 160, 3), 128, np.uint8)
    flat += np.random.default_rng(1).integers(0, 2, flat.shape, dtype=np.uint8)
    for name, pixels in (("a", data.coffee()[:160, :160]), ("b", flat), ("c", data.astronaut()[:96, :160])):
        desk.put(f"{name}.png", pixels)
    desk.put_bytes("report.txt", np.random.default_rng(2).bytes(900))
    before = Path.cwd()
    os.chdir(folder)
    try:
        words = ["hide", "report.txt", "--covers", "a.png", "b.png", "c.png", "-o", "out", "--json"]
        done = CliRunner().invoke(program(words), words)
    finally:
        os.chdir(before)
    assert done.exit_code == 0, done.stderr
    (folder / "told.json").write_text(done.stdout)
    desk.check_inputs()
    return folder


def _copied(desk: Desk, spread: Path, *names: str) -> None:
    (desk.folder / "in").mkdir()
    for name in names:
        (desk.folder / "in" / name).write_bytes((spread / "out" / name).read_bytes())


def test_all_of_them_reveal(desk: Desk, spread: Path) -> None:
    _copied(desk, spread, "c.stego.png", "a.stego.png", "b.stego.png")
    (desk.folder / "in" / "readme.txt").write_text("no picture")
    desk.put("in/other.png", data.coffee()[:100, :100])
    revealed = desk.run("reveal", "in", "--json")
    assert revealed.code == 0, revealed
    assert (desk.folder / "report.txt").read_bytes() == (spread / "report.txt").read_bytes()


def test_each_cover_bears_what_it_can(spread: Path) -> None:
    """Texture carries more than a flat area of the same size."""
    import json

    textured, flat, _ = json.loads((spread / "told.json").read_text())["parts"]
    assert textured["bpp"] > 1.5 * flat["bpp"]


def test_a_missing_part_is_named(desk: Desk, spread: Path) -> None:
    _copied(desk, spread, "a.stego.png", "c.stego.png")
    desk.refuses(4, "reveal", "in", words="part 2 of 3 is missing")
    told = desk.run("reveal", "in/a.stego.png")
    assert told.code == 4
    assert "part 1 of 3" in told.err


def test_another_passphrase_finds_nothing(desk: Desk, spread: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _copied(desk, spread, "b.stego.png")
    monkeypatch.setenv("STEGCLI_PASSPHRASE", "another")
    desk.refuses(4, "reveal", "in", words="no hidden picture")


def test_a_picture_over_two_covers(desk: Desk) -> None:
    desk.put("b.png", data.astronaut()[:256, :256])
    hidden = desk.run("hide", "secret.png", "--covers", "cover.png", "b.png", "-o", "out", "--json")
    assert hidden.code == 0, hidden
    assert hidden.json["revealed_psnr_db"] >= 40
    assert desk.run("reveal", "out", "-o", "r.png").code == 0
    assert desk.pixels("r.png").shape == desk.pixels("secret.png").shape


def test_refusals(desk: Desk) -> None:
    desk.put("b.png", data.astronaut()[:256, :256])
    desk.refuses(2, "hide", "secret.png", "--covers", "cover.png", "-o", "out", words="1 covers")
    assert "need --covers: b.png" in desk.run("hide", "secret.png", "cover.png", "b.png").err
    over = ("--covers", "cover.png", "b.png", "-o", "out")
    desk.refuses(2, "hide", "secret.png", *over, "--model", "phase", words="phase")
    desk.put_bytes("large", np.random.default_rng(1).bytes(200_000))
    outcome = desk.run("hide", "large", *over)
    assert (outcome.code, list((desk.folder / "out").iterdir())) == (3, [])
    desk.refuses(2, "hide", "secret.png", *over, "--cover-from", ".", words="--cover-from")
    low = desk.run("hide", "secret.png", *over, "--target", "30", "--floor", "60")
    assert (low.code, list((desk.folder / "out").iterdir())) == (5, []), low
