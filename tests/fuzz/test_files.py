"""Stegos that were cut, spliced or changed anywhere: `reveal` and `info` work, or raise a domain error."""

from __future__ import annotations

import contextlib
import io
from functools import cache

import numpy as np
from fuzzing import fuzz, sound
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from stegcli import pipeline
from stegcli.carriers.jpeg_scan import open_cover
from stegcli.codecs.base import FileSecret
from stegcli.errors import ImageError, StegError, UsageError
from stegcli.pictures.encoded import Encoded

SIDE = 72
STURDY_SIDE = 160
LIMIT = 1 << 16

Change = tuple[str, int, bytes]
changes = st.lists(
    st.tuples(
        st.sampled_from(("set", "cut", "insert", "double")), st.integers(0, 1 << 16), st.binary(max_size=9)
    ),
    min_size=1,
    max_size=6,
)


def _mutated(content: bytes, edits: list[Change]) -> bytes:
    """Bytes of which some were replaced, removed, inserted or repeated."""
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


METHODS = ("phase", "coded", "isgan", "robust", "jpeg")
EXACT = ("coded", "robust", "jpeg")
"""Stegos whose secret is sealed: it comes back as it was hidden, or not at all."""


@cache
def _cover(side: int = SIDE) -> np.ndarray:
    return np.ascontiguousarray(data.coffee()[:side, :side])


@cache
def _stego(method: str) -> bytes:
    """A PNG, or a JPEG that carries coded bits."""
    sink = io.BytesIO()
    secret = data.camera()[:256:16, :256:16].copy()
    if method == "robust":
        pipeline.hide(_cover(STURDY_SIDE), secret, sink, survive="jpeg:85", device="cpu")
    elif method == "jpeg":
        cover = Encoded("cover.jpg", _jpeg(STURDY_SIDE, STURDY_SIDE))
        pipeline.hide(cover, Encoded("f", b"x"), sink, model="coded", as_file=True, device="cpu")
    else:
        pipeline.hide(_cover(), secret, sink, model=method, device="cpu")
    return sink.getvalue()


@cache
def _told(method: str) -> object:
    """The secret that an untouched stego reveals."""
    return pipeline.reveal(_file(method, _stego(method))).secret


def _file(method: str, content: bytes) -> Encoded:
    return Encoded("stego.jpg" if method == "jpeg" else "stego.png", content)


@cache
def _jpeg(height: int = 96, width: int = 128) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(data.coffee()[:height, :width])).save(file, "JPEG", quality=90)
    return file.getvalue()


def _looked_at(
    source: Encoded | np.ndarray, method: str | None = None, passphrase: str | None = None
) -> None:
    """Both ways of reading a file end well; what is revealed is what was hidden in it, if anything was."""
    try:
        pipeline.info(source, max_pixels=LIMIT, passphrase=passphrase)
    except StegError as error:
        sound(error)
    try:
        found = pipeline.reveal(source, max_pixels=LIMIT, passphrase=passphrase).secret
    except StegError as error:
        sound(error)
        return
    assert method is not None, "something was found where nothing is"
    told = _told(method)
    assert np.shape(found) == np.shape(told)
    if method in EXACT:
        assert found == told if isinstance(told, FileSecret) else np.array_equal(found, told)


@fuzz(st.sampled_from(METHODS), changes, share=0.3)
def test_the_bytes_of_a_stego(method: str, edits: list[Change]) -> None:
    _looked_at(_file(method, _mutated(_stego(method), edits)), method)


@fuzz(
    st.sampled_from([method for method in METHODS if method != "jpeg"]),
    st.lists(st.tuples(st.integers(0, SIDE * SIDE * 3 - 1), st.integers(1, 255)), min_size=1, max_size=400),
    share=0.3,
)
def test_the_pixels_of_a_stego(method: str, steps: list[tuple[int, int]]) -> None:
    with Image.open(io.BytesIO(_stego(method))) as image:
        pixels = np.array(image)
    flat = pixels.reshape(-1)
    for place, step in steps:
        at = place * 7919 % len(flat)  # all over it
        flat[at] = (int(flat[at]) + step) % 256
    _looked_at(pixels, method)


@fuzz(st.sampled_from(METHODS), st.text(max_size=30), share=0.1)
def test_another_passphrase(method: str, words: str) -> None:
    """No passphrase opens these stegos, which were hidden without one."""
    with contextlib.suppress(UsageError):  # an empty one is none
        _looked_at(_file(method, _stego(method)), passphrase=words)


@fuzz(changes, share=0.1)
def test_a_jpeg(edits: list[Change]) -> None:
    content = _mutated(_jpeg(), edits)
    _looked_at(Encoded("stego.jpg", content))
    try:
        open_cover(content, max_pixels=LIMIT)
    except ImageError as error:
        sound(error)


@fuzz(st.binary(max_size=300))
def test_any_bytes(content: bytes) -> None:
    _looked_at(Encoded("stego.png", content))


@fuzz(st.binary(max_size=400), st.text(max_size=60))
def test_any_file_comes_back(content: bytes, name: str) -> None:
    """The file comes back, under a safe name."""
    from stegcli.codecs import choice

    made = choice.encode(FileSecret(name, content))
    again = choice.decode(int(made.codec_id), made.payload, made.shape)
    assert isinstance(again, FileSecret)
    assert again.content == content
    assert "/" not in again.name
