"""`--model coded` from the command line: gray and colour pictures, any file, and its messages."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from coded_cases import head_places
from desk import Desk
from PIL import Image


@pytest.fixture
def report(desk: Desk) -> bytes:
    """Put report.pdf on the desk."""
    content = b"%PDF-1.7\n" + np.random.default_rng(3).bytes(4000)
    desk.put_bytes("report.pdf", content)
    return content


@pytest.fixture
def small(desk: Desk, secret_gray: np.ndarray) -> str:
    """A secret of 64x64, which is compressed quickly."""
    return desk.put("small.png", secret_gray[::4, ::4])


def test_a_picture_there_and_back(desk: Desk) -> None:
    hide = desk.run("hide", "cover.png", "secret.png", "--model", "coded", "--json")
    assert hide.code == 0, hide
    assert hide.json["model"] == "coded"
    assert hide.json["revealed_psnr_db"] >= 40
    assert "secret_bytes" not in hide.json
    reveal = desk.run("reveal", "cover.stego.png", "--json")
    assert reveal.code == 0, reveal
    assert reveal.json["size"] == hide.json["secret_size"]
    assert desk.pixels("cover.stego.revealed.png").shape == (256, 256)


def test_any_file_comes_back_as_it_was(desk: Desk, report: bytes) -> None:
    hide = desk.run("hide", "cover.png", "report.pdf", "--model", "coded", "-o", "s.png")
    assert hide.code == 0, hide
    assert "byte for byte" in hide.err
    (desk.folder / "report.pdf").unlink()
    desk.inputs.clear()
    reveal = desk.run("reveal", "s.png")
    assert reveal.code == 0, reveal
    assert reveal.out.startswith("report.pdf: 4,009 bytes")
    back = (desk.folder / "report.pdf").read_bytes()
    assert hashlib.sha256(back).digest() == hashlib.sha256(report).digest()


def test_info_says_what_it_is_to_whom_has_the_passphrase(
    desk: Desk, report: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEGCLI_PASSPHRASE", "correct horse")
    assert desk.run("hide", "cover.png", "report.pdf", "--model", "coded", "-o", "s.png").code == 0
    lines = desk.run("info", "s.png").out
    assert "hides a file" in lines
    assert f"{len(report):,} bytes\n" in lines
    told = [
        desk.run(*command, "--json").json for command in (("info", "s.png"), ("reveal", "s.png", "-o", "b"))
    ]
    assert [each["secret_bytes"] for each in told] == [len(report)] * 2
    monkeypatch.delenv("STEGCLI_PASSPHRASE")
    assert desk.run("info", "s.png").code == 4


def test_colour_stays_unless_gray_is_asked_for(desk: Desk, cover_rgb: np.ndarray) -> None:
    desk.put("photo.png", np.ascontiguousarray(cover_rgb[:80, :80]))
    for option, shape in (([], (80, 80, 3)), (["--gray"], (80, 80))):
        command = ["hide", "cover.png", "photo.png", "--model", "coded", "-o", "s.png", "--force", *option]
        assert desk.run(*command).code == 0
        assert desk.run("reveal", "s.png", "-o", "r.png", "--force").code == 0
        assert desk.pixels("r.png").shape == shape


def test_a_picture_as_a_file_keeps_every_byte(desk: Desk, cover_rgb: np.ndarray) -> None:
    desk.put("small.png", np.ascontiguousarray(cover_rgb[:40, :40]))
    content = (desk.folder / "small.png").read_bytes()
    command = ["hide", "cover.png", "small.png", "--model", "coded", "--as-file", "-o", "s.png"]
    assert desk.run(*command).code == 0
    assert desk.run("reveal", "s.png", "-o", "r.png").code == 0
    assert (desk.folder / "r.png").read_bytes() == content


def test_the_streams_carry_the_file_alone(desk: Desk, report: bytes) -> None:
    assert desk.run("hide", "cover.png", "report.pdf", "--model", "coded", "-o", "s.png").code == 0
    from subprocess import run

    from desk import command

    found = run(command("reveal", "s.png", "-o", "-"), cwd=desk.folder, capture_output=True, check=True)
    assert found.stdout == report


def test_a_picture_on_a_stream_is_a_png(desk: Desk, small: str) -> None:
    from subprocess import run

    from desk import command

    assert desk.run("hide", "cover.png", small, "--model", "coded", "-o", "s.png").code == 0
    found = run(command("reveal", "s.png", "-o", "-"), cwd=desk.folder, capture_output=True, check=True)
    with Image.open(io.BytesIO(found.stdout)) as image:
        assert (image.format, image.size) == ("PNG", (64, 64))


def test_a_changed_stego_has_its_own_sentence(desk: Desk, small: str) -> None:
    assert desk.run("hide", "cover.png", small, "--model", "coded", "-o", "s.png").code == 0
    pixels = desk.pixels("s.png").reshape(-1, 3)
    free = np.setdiff1d(np.arange(len(pixels)), head_places(len(pixels)))
    pixels[free[100], 2] ^= 1
    desk.put("changed.png", pixels.reshape(256, 256, 3))
    desk.refuses(4, "reveal", "changed.png", words="the file has since been changed")


def test_a_cover_too_small_says_what_there_is_room_for(desk: Desk, cover_rgb: np.ndarray) -> None:
    desk.put("small.png", np.ascontiguousarray(cover_rgb[:64, :64]))
    desk.put_bytes("big.bin", np.random.default_rng(0).bytes(20_000))
    desk.refuses(3, "hide", "small.png", "big.bin", "--model", "coded", words="the cover has room for")


@pytest.mark.parametrize("model", ["phase", "isgan"])
def test_a_file_is_for_a_method_that_takes_files(desk: Desk, report: bytes, model: str) -> None:
    del report
    command = ["hide", "cover.png", "report.pdf", "--model", model]
    desk.refuses(2, *command, "--as-file", words="hides pictures only")
    desk.refuses(3, *command, words="report.pdf")


def test_a_file_from_stdin_is_hidden_as_one_with_a_name_is(desk: Desk, report: bytes) -> None:
    done = desk.run("hide", "cover.png", "-", "--model", "coded", "-o", "s.png", "--json", stdin=report)
    assert done.code == 0, done
    assert any("as a file" in notice for notice in done.json["notices"])
    assert desk.run("reveal", "s.png").code == 0
    assert (desk.folder / "secret").read_bytes() == report


def test_an_empty_file(desk: Desk) -> None:
    desk.put_bytes("empty", b"")
    assert desk.run("hide", "cover.png", "empty", "--model", "coded", "-o", "s.png").code == 0
    assert "hides a file" in desk.run("info", "s.png").out
    assert desk.run("info", "s.png", "--json").json["secret_bytes"] == 0
    assert desk.run("reveal", "s.png", "-o", "back").code == 0
    assert (desk.folder / "back").read_bytes() == b""
