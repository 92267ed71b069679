"""Heads and bodies that were sealed to do harm: without a passphrase everybody has the key."""

from __future__ import annotations

import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from coded_cases import SALT, forged
from desk import Desk
from PIL import Image

from stegcli import pipeline
from stegcli.codecs.base import CodecId, FileSecret, SecretError
from stegcli.envelope import head
from stegcli.errors import ChangedError, ImageError, ModelError, NothingFoundError, StegError

pytestmark = pytest.mark.usefixtures("quick_keys")

SIDE = 96
MIB = 1 << 20


@pytest.fixture(scope="module")
def cover(cover_rgb: np.ndarray) -> np.ndarray:
    """(96, 96, 3) uint8."""
    return np.ascontiguousarray(cover_rgb[:SIDE, :SIDE])


def file_payload(name: bytes, content: bytes) -> bytes:
    return bytes([len(name)]) + name + content


def refused(stego: np.ndarray, **options: Any) -> tuple[StegError, int]:
    """Return the domain error with which revealing ends, and the peak of its memory."""
    tracemalloc.start()
    try:
        with pytest.raises(StegError) as caught:
            pipeline.reveal(stego, **options)
        return caught.value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_honest_stego_that_was_forged_opens(cover: np.ndarray) -> None:
    report = pipeline.reveal(forged(cover, file_payload(b"a.txt", b"content")))
    assert report.secret == FileSecret("a.txt", b"content")


@pytest.mark.parametrize("size", [17, 5_000, 1 << 20, (1 << 32) - 1])
def test_a_body_that_lies_about_its_size(cover: np.ndarray, size: int) -> None:
    error, peak = refused(forged(cover, file_payload(b"a", b"content"), body_bytes=size))
    assert type(error) is ChangedError
    assert peak < 16 * MIB


@pytest.mark.parametrize("size", [0, 1, 16])
def test_a_body_without_room_for_its_seal(cover: np.ndarray, size: int) -> None:
    error, _ = refused(forged(cover, file_payload(b"a", b"content"), body_bytes=size))
    assert type(error) is NothingFoundError


@pytest.mark.parametrize("own", [bytes(13), b"\xff" * 13, bytes(range(13))], ids=["none", "full", "some"])
def test_rates_that_no_writer_chose(cover: np.ndarray, own: bytes) -> None:
    error, peak = refused(forged(cover, file_payload(b"a", b"content"), own=own))
    assert type(error) is ChangedError
    assert peak < 16 * MIB


@pytest.mark.parametrize(
    ("width", "height"), [(12_000, 12_000), (1, head.MAX_SIDE), (head.MAX_SIDE, head.MAX_SIDE)]
)
def test_a_huge_picture_is_refused_before_it_is_made(cover: np.ndarray, width: int, height: int) -> None:
    small = {"codec": CodecId.WEBP_LOSSLESS, "content_bytes": 0}
    for carried, given, verb in (
        ((height, width), (9, 9), "carries"),
        ((9, 9), (height, width), "gives back"),
    ):
        stego = forged(cover, b"x" * 40, **small, hidden_shape=carried, secret_shape=given)
        error, peak = refused(stego, max_pixels=10_000_000)
        assert isinstance(error, ImageError)
        assert f"{verb} a picture of {width}x{height}" in error.message
        assert "--max-pixels" in error.hint
        assert peak < 16 * MIB


@pytest.mark.parametrize("codec", [0, 7, 99, 255])
def test_an_unknown_codec(cover: np.ndarray, codec: int) -> None:
    error, _ = refused(forged(cover, file_payload(b"a", b"b"), codec=codec))
    assert isinstance(error, SecretError)
    assert "newer stegcli" in error.hint


@pytest.mark.parametrize("codec", [CodecId.AVIF, CodecId.WEBP, CodecId.WEBP_LOSSLESS])
@pytest.mark.parametrize("shape", [(9, 9), (3000, 3000)])
def test_a_body_that_is_no_picture(cover: np.ndarray, codec: CodecId, shape: tuple[int, int]) -> None:
    stego = forged(
        cover, bytes(range(200)), codec=codec, content_bytes=0, hidden_shape=shape, secret_shape=shape
    )
    error, peak = refused(stego)
    assert isinstance(error, SecretError)
    assert peak < 64 * MIB


def test_a_picture_of_another_size_than_the_head_says(cover: np.ndarray) -> None:
    from stegcli.codecs import choice

    honest = choice.encode(np.zeros((40, 40), dtype=np.uint8))
    shapes = {"hidden_shape": (41, 40), "secret_shape": (41, 40)}
    error, _ = refused(forged(cover, honest.payload, codec=honest.codec_id, content_bytes=0, **shapes))
    assert isinstance(error, SecretError)


@pytest.mark.parametrize("codec", [CodecId.STORED, CodecId.DEFLATE, CodecId.LZMA])
def test_files_and_pictures_are_not_mixed(cover: np.ndarray, codec: CodecId) -> None:
    shapes = {"hidden_shape": (9, 9), "secret_shape": (9, 9)}
    error, _ = refused(forged(cover, bytes(82), codec=codec, content_bytes=0, **shapes))
    assert isinstance(error, SecretError)
    error, _ = refused(forged(cover, bytes(82), codec=CodecId.AVIF, content_bytes=82))
    assert isinstance(error, SecretError)


@pytest.mark.parametrize("said", [1000, 1 << 20, 64 << 20, (1 << 32) - 1])
def test_a_body_that_bombs(cover: np.ndarray, said: int) -> None:
    """3 MiB of zeros in 3 kB, whatever the head says of them."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(bytes(3 * MIB)) + deflate.flush()
    error, peak = refused(forged(cover, bomb, codec=CodecId.DEFLATE, content_bytes=said))
    assert isinstance(error, SecretError)
    assert peak < 16 * MIB


def test_a_way_of_hiding_that_is_not_known(cover: np.ndarray) -> None:
    error, _ = refused(forged(cover, file_payload(b"a", b"b"), channel=200))
    assert isinstance(error, ModelError)
    assert "Upgrade" in error.hint


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        (b"../../etc/passwd", "passwd"),
        (b"..\\..\\boot.ini", "boot.ini"),
        (b"/abs/olute", "olute"),
        (b"..", "secret"),
        (b"", "secret"),
        (b"nul\0byte.txt", "nulbyte.txt"),
        (b"NUL", "_NUL"),
        (b"-rf", "_rf"),
        (b".bashrc", "_bashrc"),
        (b"\xff\xfe.txt", "\ufffd\ufffd.txt"),
        (b"x" * 250 + b".long", "x" * 250 + ".long"),
    ],
)
def test_a_name_never_leads_elsewhere(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, cover: np.ndarray, sent: bytes, written: str
) -> None:
    inside = desk.folder / "in" / "side"
    inside.mkdir(parents=True)
    Image.fromarray(forged(cover, file_payload(sent, b"content"))).save(inside / "s.png")
    before = set(desk.folder.rglob("*"))
    monkeypatch.chdir(inside)
    outcome = desk.run("reveal", "s.png", "--json")
    assert outcome.code == 0, outcome
    new = set(desk.folder.rglob("*")) - before
    assert new == {inside / written}
    assert (inside / written).read_bytes() == b"content"


def test_a_name_that_is_taken_is_not_overwritten(desk: Desk, cover: np.ndarray) -> None:
    desk.put("s.png", forged(cover, file_payload(b"../cover.png", b"content")))
    desk.refuses(2, "reveal", "s.png", words="cover.png")


def test_the_head_s_salt_is_in_front(cover: np.ndarray) -> None:
    from coded_cases import head_places, keyring

    stego = forged(cover, file_payload(b"a", b"b")).reshape(-1, 3)
    locator = keyring().locator(len(stego))
    assert head.read(stego[head_places(len(stego))], locator)[0] == SALT
