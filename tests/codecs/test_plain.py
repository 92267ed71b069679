"""Any file as bytes."""

from __future__ import annotations

import hashlib
import lzma
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stegcli.codecs import choice, plain
from stegcli.codecs.base import CodecId, FileSecret, SecretError
from stegcli.errors import MissingExtraError, UsageError

TEXT = b"It was the best of times, it was the worst of times, it was the age of wisdom. " * 40


@given(st.text(max_size=20), st.binary(max_size=300))
def test_any_file_comes_back_under_a_safe_name(name: str, content: bytes) -> None:
    encoded = choice.encode(FileSecret(name, content))
    back = choice.decode(int(encoded.codec_id), encoded.payload, encoded.shape)
    assert back == encoded.decoded
    assert isinstance(back, FileSecret)
    assert back.content == content


@pytest.mark.parametrize(
    ("content", "codec_id"),
    [
        (b"", CodecId.STORED),
        (hashlib.shake_128(b"noise").digest(500), CodecId.STORED),
        (b"one line, one line", CodecId.DEFLATE),
        (TEXT + bytes(range(256)) * 40, CodecId.LZMA),
    ],
    ids=["empty", "noise", "line", "text"],
)
def test_the_shortest_way_is_taken(content: bytes, codec_id: CodecId) -> None:
    encoded = choice.encode(FileSecret("a.bin", content))
    assert encoded.codec_id is codec_id
    assert len(encoded.payload) <= len(content) + len("a.bin") + 1
    assert choice.decode(int(codec_id), encoded.payload, encoded.shape) == FileSecret("a.bin", content)


def test_a_hostile_name_is_made_safe_by_the_reader() -> None:
    name = b"../../.ssh/authorized_keys"
    whole = bytes([len(name)]) + name + b"ssh-rsa ..."
    assert choice.decode(1, whole, (len(whole),)) == FileSecret("authorized_keys", b"ssh-rsa ...")
    whole = b"\x02\xff\xfe" + b"!"
    assert choice.decode(1, whole, (4,)) == FileSecret("\ufffd\ufffd", b"!")


@pytest.mark.parametrize("codec_id", [CodecId.STORED, CodecId.DEFLATE, CodecId.LZMA])
@pytest.mark.parametrize("by", [-1, 1, -3000, 1 << 25])
def test_another_length_than_the_header_states_is_refused(codec_id: CodecId, by: int) -> None:
    whole = b"\x01a" + TEXT
    payload = {
        CodecId.STORED: whole,
        CodecId.DEFLATE: plain._deflated(whole),
        CodecId.LZMA: lzma.compress(whole, lzma.FORMAT_RAW, filters=plain._LZMA_FILTERS),
    }[codec_id]
    assert choice.decode(int(codec_id), payload, (len(whole),)) == FileSecret("a", TEXT)
    with pytest.raises(SecretError):
        choice.decode(int(codec_id), payload, (len(whole) + by,))


@pytest.mark.parametrize("length", [0, -1, plain.MAX_BYTES + 1, 1 << 40])
def test_a_length_out_of_range_is_refused(length: int) -> None:
    with pytest.raises(SecretError):
        choice.decode(2, b"\x03\x00", (length,))


def test_a_name_longer_than_the_whole_is_refused() -> None:
    with pytest.raises(SecretError):
        choice.decode(1, b"\xffabc", (4,))


def test_a_file_that_no_cover_holds_is_refused() -> None:
    with pytest.raises(UsageError, match="too many to hide"):
        choice.encode(FileSecret("big", bytes(plain.MAX_BYTES)))


def test_without_lzma_the_others_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = choice.encode(FileSecret("a", TEXT + bytes(range(256)) * 40))
    assert packed.codec_id is CodecId.LZMA
    monkeypatch.setattr(plain, "lzma", None)
    assert choice.encode(FileSecret("a", TEXT)).codec_id is CodecId.DEFLATE
    with pytest.raises(MissingExtraError):
        choice.decode(int(packed.codec_id), packed.payload, packed.shape)


def _deflate_bomb(mebibytes: int) -> bytes:
    """Zeros: the same block again and again."""
    coder = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (coder.compress(bytes(1 << 20)) + coder.flush(zlib.Z_FULL_FLUSH)) * mebibytes


@pytest.mark.parametrize(
    ("codec_id", "bomb"),
    [(CodecId.DEFLATE, _deflate_bomb(1024)), (CodecId.LZMA, plain._packed(bytes(32 << 20)))],
    ids=["deflate", "lzma"],
)
def test_a_bomb_that_claims_ten_bytes_unfolds_no_further(codec_id: CodecId, bomb: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(SecretError, match="length"):
            choice.decode(int(codec_id), bomb, (10,))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (9 << 20)  # LZMA's dictionary takes eight MiB
