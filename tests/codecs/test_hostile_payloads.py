"""Payloads that no encoder of ours wrote: only domain errors, and no more memory than the shape needs."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stegcli.codecs import choice, containers, files, plain
from stegcli.codecs.base import CodecId, FileSecret, SecretError
from stegcli.codecs.files import AvifCodec, WebpCodec, WebpLosslessCodec

MUTANTS = 250
SHAPES = [(24, 40), (24, 40, 3)]
PICTURE_CODECS = [AvifCodec(), AvifCodec("4:2:0"), WebpCodec(), WebpLosslessCodec()]


def secret(shape: tuple[int, ...]) -> np.ndarray:
    """uint8: a smooth slope with noise."""
    slope = np.add.outer(np.arange(shape[0]) * 3, np.arange(shape[1]) * 2)
    noise = np.random.default_rng(5).integers(0, 30, shape)
    return (slope.reshape(*slope.shape, *[1] * (len(shape) - 2)) + noise).astype(np.uint8)


def mutant(payload: bytes, rng: np.random.Generator) -> bytes:
    """Change a few bytes; sometimes cut off the end, double the payload or append foreign bytes."""
    changed = bytearray(payload)
    for _ in range(int(rng.integers(1, 6))):
        # The head says the most, so that it is hit the most.
        at = int(rng.integers(0, rng.choice([min(16, len(changed)), len(changed)])))
        changed[at] = int(rng.integers(0, 256))
    kind, at = int(rng.integers(0, 8)), int(rng.integers(0, len(changed)))
    return bytes({0: changed[:at], 1: changed + changed[at:], 2: changed + rng.bytes(20)}.get(kind, changed))


@pytest.mark.parametrize("shape", SHAPES, ids=["gray", "colour"])
@pytest.mark.parametrize("codec", PICTURE_CODECS, ids=["avif-444", "avif-420", "webp", "webp-lossless"])
def test_mutated_pictures(codec: AvifCodec | WebpCodec | WebpLosslessCodec, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(11)
    payload = codec.encode(secret(shape), codec.levels // 2, draft=True)
    refused = 0
    for _ in range(MUTANTS):
        try:
            seen = choice.decode(int(codec.codec_id), mutant(payload, rng), shape)
        except SecretError:
            refused += 1
        else:
            assert isinstance(seen, np.ndarray)
            assert seen.shape == shape
    assert refused > 0  # else nothing was tried


@pytest.mark.parametrize("codec_id", [CodecId.STORED, CodecId.DEFLATE, CodecId.LZMA])
def test_mutated_files(codec_id: CodecId) -> None:
    rng = np.random.default_rng(12)
    whole = b"\x05a.txt" + b"some text, some more text " * 9
    pack = {CodecId.STORED: bytes, CodecId.DEFLATE: plain._deflated, CodecId.LZMA: plain._packed}[codec_id]
    payload = pack(whole)
    for _ in range(MUTANTS):
        try:
            seen = choice.decode(int(codec_id), mutant(payload, rng), (len(whole),))
        except SecretError:
            continue
        assert isinstance(seen, FileSecret)
        assert len(seen.content) < len(whole)
        assert not set(seen.name) & set("/\\\0")


@pytest.mark.parametrize("codec_id", list(CodecId))
@pytest.mark.parametrize("payload", [b"", b"\0", b"\xff" * 40, bytes(3000)])
@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3), (9,), (3000,)])
def test_payloads_of_nothing(codec_id: CodecId, payload: bytes, shape: tuple[int, ...]) -> None:
    try:
        choice.decode(int(codec_id), payload, shape)
    except SecretError:
        return
    # Some of it is by chance a file: only what was not compressed can be.
    assert codec_id in {CodecId.STORED, CodecId.WEBP_LOSSLESS}


@pytest.mark.parametrize("codec_id", list(CodecId))
@pytest.mark.parametrize(
    "shape",
    [(), (0, 4), (-1, -1), (4, 4, 4), (4, 4, 3, 1), (1 << 20, 1 << 20), (1 << 40, 1), (1 << 20, 1 << 20, 3)],
)
def test_shapes_that_no_writer_states(codec_id: CodecId, shape: tuple[int, ...]) -> None:
    with pytest.raises(SecretError):
        choice.decode(int(codec_id), b"\x0a" * 40, shape)


@pytest.mark.parametrize("codec", PICTURE_CODECS, ids=["avif-444", "avif-420", "webp", "webp-lossless"])
def test_another_size_than_the_header_states(codec: AvifCodec | WebpCodec | WebpLosslessCodec) -> None:
    """AV1 data states its own size, which must agree; WebP data is given the size that the header states."""
    payload = codec.encode(secret((24, 40, 3)), codec.levels // 2, draft=True)
    for shape in [(25, 40, 3), (24, 41, 3), (40, 24, 3), (24, 40)]:
        try:
            seen = choice.decode(int(codec.codec_id), payload, shape)
        except SecretError:
            continue
        assert not isinstance(codec, AvifCodec)
        assert isinstance(seen, np.ndarray)
        assert seen.shape == shape


def test_a_deep_or_moving_av1_stream_is_refused() -> None:
    payload = AvifCodec().encode(secret((24, 40)), 30, draft=True)
    for bit in (3, 4):  # still picture, reduced header
        changed = bytearray(payload)
        changed[1] ^= 0x80 >> bit
        with pytest.raises(SecretError, match="not an 8-bit AV1 still picture"):
            choice.decode(int(CodecId.AVIF), bytes(changed), (24, 40))


def test_what_is_no_avif_of_one_picture_is_not_taken_apart() -> None:
    frames = [Image.fromarray(secret((24, 40))), Image.fromarray(secret((24, 40))[::-1])]
    moving = files.io.BytesIO()
    frames[0].save(moving, "AVIF", save_all=True, append_images=frames[1:], speed=10)
    for file in (b"", b"mdat", b"not an image", moving.getvalue()):
        with pytest.raises((ValueError, IndexError)):
            containers.avif_payload(file)
    with pytest.raises(ValueError, match="WebP"):
        containers.vp8l_payload(b"RIFF")


def test_libavif_obeys_the_stream_and_not_the_container() -> None:
    """Why the sequence header is read: Pillow compares the container's size alone."""
    large = files._saved(secret((240, 400)), "AVIF", quality=30, speed=10, max_threads=1)
    at = large.index(b"ispe") + 8
    lying = large[:at] + struct.pack(">II", 40, 24) + large[at + 8 :]
    with Image.open(files.io.BytesIO(lying)) as image:
        assert image.size == (40, 24)
    with pytest.raises(SecretError, match="size"):
        choice.decode(int(CodecId.AVIF), containers.avif_payload(lying), (24, 40))


BOMB = """
import ast, sys
from pathlib import Path
from stegcli.codecs import choice
from stegcli.codecs.base import SecretError

codec_id, payload = int(sys.argv[1]), sys.stdin.buffer.read()
for shape in ast.literal_eval(sys.argv[2]):
    try:
        choice.decode(codec_id, payload, shape)
    except SecretError:
        pass
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory was used")
@pytest.mark.parametrize("codec", [AvifCodec(), WebpLosslessCodec()], ids=["avif", "webp-lossless"])
def test_a_picture_bomb_is_not_unfolded(codec: AvifCodec | WebpLosslessCodec) -> None:
    whole = (4096, 4096)
    bomb = codec.encode(np.zeros(whole, np.uint8), 0, draft=True)
    assert len(bomb) < 1000
    shapes = [(1, 1), (1, 1, 3), (10, 10), (10, 10, 3), whole]
    command = [sys.executable, "-c", BOMB, str(int(codec.codec_id)), repr(shapes)]
    done = subprocess.run(command, input=bomb, capture_output=True, check=True)
    first, *claimed, unfolded = map(int, done.stdout.split())
    assert claimed[-1] - first < 4  # MiB
    assert unfolded - first >= 16  # who asks for all of it gets it
