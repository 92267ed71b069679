"""`hide --survive` and `reveal --search` as users run them, through real encoders."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import robust_cases as cases
from PIL import Image
from typer.testing import CliRunner

import stegcli
from stegcli.cli.app import program
from stegcli.errors import ExitCode, UsageError

PROFILE_QUALITY = 62


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(cases.photograph(384)).save("photo.jpg", quality=95)
    Image.fromarray(cases.photograph(384)).save("cover.png")
    Image.fromarray(cases.secret(48)).save("secret.png")
    return tmp_path


def run(*arguments: str, code: ExitCode = ExitCode.DONE) -> str:
    result = CliRunner().invoke(program(), list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def pixels(name: str) -> np.ndarray:
    return np.asarray(Image.open(name))


def recompressed(source: str, target: str, **options: object) -> None:
    Image.open(source).convert("RGB").save(target, **options)


def test_a_jpeg_for_a_messenger_comes_back_after_it(folder: Path) -> None:
    told = json.loads(
        run("hide", "photo.jpg", "secret.png", "-o", "s.jpg", "--survive", "whatsapp", "--json")
    )
    assert told["model"] == "robust"
    assert {proof["channel"] for proof in told["survives"]} >= {f"JPEG {PROFILE_QUALITY}"}
    assert any("not tested against the service" in notice for notice in told["notices"])
    recompressed("s.jpg", "arrived.jpg", quality=PROFILE_QUALITY)
    run("reveal", "s.jpg", "-o", "at-once.png")
    run("reveal", "arrived.jpg", "-o", "after.png")
    assert np.array_equal(pixels("at-once.png"), pixels("after.png"))
    assert told["revealed_psnr_db"] > 30


def test_the_report_names_what_was_proved(folder: Path) -> None:
    told = run("hide", "cover.png", "secret.png", "-o", "s.png", "--survive", "jpeg:85")
    assert "survives                 JPEG 85, with" in told
    assert "WebP 95" in told
    told = run("info", "s.png")
    assert "robust" in told
    recompressed("s.png", "s.webp", quality=95)
    run("reveal", "s.webp", "-o", "after.png")
    run("reveal", "s.png", "-o", "at-once.png")
    assert np.array_equal(pixels("at-once.png"), pixels("after.png"))


def test_a_cropped_and_a_resized_stego_come_back(folder: Path) -> None:
    run("hide", "cover.png", "secret.png", "-o", "s.png", "--survive", "jpeg:75")
    run("reveal", "s.png", "-o", "at-once.png")
    Image.open("s.png").crop((5, 3, 384, 384)).save("cropped.png")
    run("reveal", "cropped.png", "-o", "cropped.revealed.png")
    assert np.array_equal(pixels("at-once.png"), pixels("cropped.revealed.png"))
    Image.open("s.png").resize((288, 288), Image.Resampling.LANCZOS).save("small.png")
    run("reveal", "small.png", code=ExitCode.NOTHING_FOUND)
    run("reveal", "small.png", "-o", "small.revealed.png", "--search")
    assert np.array_equal(pixels("at-once.png"), pixels("small.revealed.png"))


def test_a_stego_below_its_promise_says_so(folder: Path) -> None:
    run("hide", "cover.png", "secret.png", "-o", "s.png", "--survive", "jpeg:85")
    recompressed("s.png", "hard.jpg", quality=55)
    told = run("reveal", "hard.jpg", code=ExitCode.NOTHING_FOUND)
    assert "compressed harder than promised" in told


def test_a_profile_shrinks_the_cover_first(folder: Path) -> None:
    stretched = Image.fromarray(cases.photograph()).resize((2000, 260), Image.Resampling.LANCZOS)
    report = stegcli.hide(np.asarray(stretched), cases.secret(16), "s.png", survive="telegram")
    assert report.cover_size == (1280, 166)


def test_an_oriented_cover_is_hidden_in_upright(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(cases.photograph(256)[:, :200]).save("turned.jpg", quality=95, exif=exif)
    report = stegcli.hide("turned.jpg", cases.secret(16), "s.jpg", survive="jpeg:85")
    assert report.cover_size == (256, 200)
    recompressed("s.jpg", "arrived.jpg", quality=85)
    found = stegcli.reveal("arrived.jpg")
    assert np.array_equal(found.secret, stegcli.reveal("s.jpg").secret)


def test_transparency_is_kept_in_a_png_and_refused_in_a_jpeg(folder: Path) -> None:
    alpha = np.full((256, 256), 255, np.uint8)
    alpha[:40, :40] = 0
    Image.fromarray(np.dstack((cases.photograph(), alpha))).save("clear.png")
    stegcli.hide("clear.png", cases.secret(16), "s.png", survive="jpeg:85")
    assert np.array_equal(pixels("s.png")[..., 3], alpha)
    told = run("hide", "clear.png", "secret.png", "-o", "s.jpg", "--survive", "jpeg:85", code=ExitCode.USAGE)
    assert "s.jpg" in told


def test_promises_of_other_models_are_refused(folder: Path) -> None:
    told = run("hide", "cover.png", "secret.png", "--survive", "fax", code=ExitCode.USAGE)
    assert "jpeg:75" in told
    run("hide", "cover.png", "secret.png", "--survive", "x", "--model", "coded", code=ExitCode.USAGE)
    with pytest.raises(UsageError):
        stegcli.hide(cases.photograph(), cases.secret(), None, survive="x", model="phase")


def test_a_stream_gets_a_png_that_survives(folder: Path) -> None:
    stream = io.BytesIO()
    stegcli.hide(cases.photograph(), cases.secret(), stream, survive="jpeg:85")
    file = cases.saved(np.asarray(Image.open(stream).convert("RGB")), quality=85)
    assert isinstance(cases.revealed(cases.decoded(file), file), np.ndarray)
