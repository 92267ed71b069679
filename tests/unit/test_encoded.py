"""Pictures that can be read only once, and pictures that go to a stream."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stegcli import pipeline
from stegcli.detection import forecast
from stegcli.errors import ImageError, UsageError
from stegcli.methods.phase import method as phase
from stegcli.pictures import encoded
from stegcli.pictures.encoded import Encoded
from stegcli.pictures.reading import load_cover, load_stego
from stegcli.pipeline import HideSettings

pytestmark = pytest.mark.usefixtures("quick_keys")


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_a_file_is_left_alone_and_named_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"anything")
    assert encoded.read_once(path, 100) is path
    assert encoded.read_once(tmp_path / "missing.png", 100) == tmp_path / "missing.png"
    assert encoded.read_once(tmp_path, 100) == tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="/dev/fd is POSIX")
def test_a_pipe_is_read_once_and_decoded_often(cover_rgb: np.ndarray) -> None:
    small = cover_rgb[:20, :30]
    reading, writing = os.pipe()
    os.write(writing, _png(small))
    os.close(writing)
    source = encoded.read_once(f"/dev/fd/{reading}", 1000)
    os.close(reading)
    assert os.fspath(source) == f"{source}" == f"/dev/fd/{reading}"
    for _ in range(2):
        assert np.array_equal(load_stego(source).rgb, small)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="endless and empty devices are POSIX")
@pytest.mark.parametrize(("name", "words"), [("/dev/zero", "a device"), ("/dev/null", "no data")])
def test_streams_without_an_end_and_without_a_beginning(
    monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.setattr(encoded, "_METADATA_BYTES", 1000)
    with pytest.raises(ImageError, match=words):
        encoded.read_once(name, 100)


def test_errors_name_what_was_read() -> None:
    with pytest.raises(ImageError, match="my pipe: not a picture"):
        load_cover(Encoded("my pipe", b"garbage"))


def test_a_stream_is_given_a_png_that_reveals(cover_rgb: np.ndarray, secret_gray: np.ndarray) -> None:
    small = secret_gray[::4, ::4]
    stego, revealed = io.BytesIO(), io.BytesIO()
    report = pipeline.hide_as(cover_rgb, small, stego, HideSettings())
    assert report.stego == "-"
    told = pipeline.reveal(Encoded("-", stego.getvalue()), revealed)
    assert told.revealed == "-"
    with Image.open(io.BytesIO(revealed.getvalue())) as image:
        assert np.array_equal(np.asarray(image), report.revealed_gray)
    assert np.array_equal(load_stego(Encoded("-", stego.getvalue())).rgb, report.stego_rgb)


def test_settings_and_keywords_are_two_doors_to_one_thing(
    cover_rgb: np.ndarray, secret_gray: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phase, "urandom", lambda count: b"the same for two"[:count])
    small = secret_gray[::4, ::4]
    one = pipeline.hide(cover_rgb, small, favor="cover")
    other = pipeline.hide_as(cover_rgb, small, None, HideSettings(favor="cover"))
    assert np.array_equal(one.stego_rgb, other.stego_rgb)
    assert np.array_equal(one.cover_rgb, cover_rgb)


@pytest.mark.parametrize("wrong", [{"target": float("nan")}, {"target": float("inf")}, {"max_pixels": 0}])
def test_settings_are_checked_when_they_are_made(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        HideSettings(**wrong)


@pytest.mark.skipif(sys.platform == "win32", reason="/dev/fd is POSIX")
def test_check_reads_a_pipe(cover_rgb: np.ndarray, secret_gray: np.ndarray) -> None:
    ends = [os.pipe() for _ in range(2)]
    for (_, writing), pixels in zip(ends, (cover_rgb[:64, :64], secret_gray[:8, :8]), strict=True):
        os.write(writing, _png(pixels))
        os.close(writing)
    report = forecast.check(*(f"/dev/fd/{reading}" for reading, _ in ends), HideSettings())
    for reading, _ in ends:
        os.close(reading)
    assert report.cover_size == (64, 64)
    assert report.risk is not None
