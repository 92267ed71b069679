"""Stegos that were cut, spliced or changed anywhere: `reveal` and `info` answer well, or with our error."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from fuzzing import sound
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from stegcli import pipeline
from stegcli.carriers.jpeg_scan import open_cover
from stegcli.codecs.base import FileSecret
from stegcli.errors import ImageError, StegError
from stegcli.pictures.encoded import Encoded

SIDE = 72
LIMIT = 1 << 16
PROFILE = settings.get_profile("fuzz")

Change = tuple[str, int, bytes]
changes = st.lists(
    st.tuples(
        st.sampled_from(("set", "cut", "insert", "double")), st.integers(0, 1 << 16), st.binary(max_size=9)
    ),
    min_size=1,
    max_size=6,
)


def _mutated(content: bytes, edits: list[Change]) -> bytes:
    """Bytes with some of them replaced, taken out, put in, or said twice."""
    for kind, where, what in edits:
        at = where % (len(content) + 1)
        if kind == "set":
            content = content[:at] + what + content[at + len(what) :]
        elif kind == "cut":
            content = content[:at] + content[at + len(what) :]
        elif kind == "insert":
            content = content[:at] + what + content[at:]
        else:
            content = content[: at + 64] + content[at:]
    return content


@cache
def _cover() -> np.ndarray:
    return np.ascontiguousarray(data.coffee()[:SIDE, :SIDE])


@cache
def _stego(model: str) -> bytes:
    sink = io.BytesIO()
    secret = data.camera()[:256:16, :256:16].copy()
    pipeline.hide(_cover(), secret, sink, model=model, device="cpu")
    return sink.getvalue()


@cache
def _jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(data.coffee()[:96, :128])).save(file, "JPEG", quality=90)
    return file.getvalue()


def _looked_at(source: Encoded | np.ndarray) -> None:
    for look in (pipeline.info, pipeline.reveal):
        try:
            look(source, max_pixels=LIMIT)
        except StegError as error:
            sound(error)


@given(st.sampled_from(("phase", "coded", "isgan")), changes)
@settings(PROFILE)
def test_the_bytes_of_a_stego(model: str, edits: list[Change]) -> None:
    _looked_at(Encoded("stego.png", _mutated(_stego(model), edits)))


@given(
    st.sampled_from(("phase", "coded", "isgan")),
    st.lists(st.tuples(st.integers(0, SIDE * SIDE * 3 - 1), st.integers(1, 255)), min_size=1, max_size=400),
)
@settings(PROFILE)
def test_the_pixels_of_a_stego(model: str, steps: list[tuple[int, int]]) -> None:
    with Image.open(io.BytesIO(_stego(model))) as image:
        pixels = np.array(image).ravel()
    for place, step in steps:
        pixels[place] = (int(pixels[place]) + step) % 256
    _looked_at(pixels.reshape(SIDE, SIDE, 3))


@given(changes)
@settings(PROFILE)
def test_a_jpeg(edits: list[Change]) -> None:
    content = _mutated(_jpeg(), edits)
    _looked_at(Encoded("stego.jpg", content))
    try:
        open_cover(content, max_pixels=LIMIT)
    except ImageError as error:
        sound(error)


@given(st.binary(max_size=300))
@settings(PROFILE)
def test_any_bytes(content: bytes) -> None:
    _looked_at(Encoded("stego.png", content))


@given(st.binary(max_size=400), st.text(max_size=60))
@settings(PROFILE)
def test_any_file_comes_back(content: bytes, name: str) -> None:
    """And under a name that is safe."""
    from stegcli.codecs import choice

    made = choice.encode(FileSecret(name, content))
    again = choice.decode(int(made.codec_id), made.payload, made.shape)
    assert isinstance(again, FileSecret)
    assert again.content == content
    assert "/" not in again.name
