"""JPEG files that are damaged, or built to do harm: a domain error, soon, and without much memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from jpeg_files import EOI, after_start, flat_gray, jpeg_bytes, multi_picture, place_of, segment, with_size

from stegcli.carriers.jpeg_scan import encodable, open_cover, write
from stegcli.errors import ImageError

pytestmark = pytest.mark.usefixtures("quick_keys")

MOST = 1_000_000


def _damaged(data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        open_cover(data, max_pixels=MOST)
    assert caught.value.hint


@pytest.fixture(scope="module")
def small_files(cover_rgb: np.ndarray) -> list[bytes]:
    """JPEG files of several kinds, a few bytes each."""
    patch = cover_rgb[40:64, 40:72]
    plain = jpeg_bytes(patch, quality=80)
    return [
        plain,
        jpeg_bytes(patch, quality=98, subsampling="4:4:4", optimize=True),
        jpeg_bytes(patch[..., 0], quality=60),
        jpeg_bytes(patch, quality=80, subsampling="4:2:2", restart_marker_blocks=1),
        multi_picture(plain, plain, "<"),
    ]


def _mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Between one and four changes: another byte, another bit, some bytes lost, repeated or inserted."""
    for _ in range(rng.integers(1, 5)):
        place, way, run = int(rng.integers(len(data))), int(rng.integers(6)), int(rng.integers(1, 9))
        piece = {
            0: rng.bytes(1),
            1: bytes((data[place] ^ 1 << int(rng.integers(8)),)),
            2: b"",
            3: data[place : place + run] * 2,
            4: rng.bytes(run),
            5: bytes(rng.choice([0x00, 0xFF, 0xD0, 0xDA, 0xC4, 0x7F], run).astype(np.uint8)),
        }[way]
        data = data[:place] + piece + data[place + (1 if way < 2 else run) :]
    return data


@pytest.mark.parametrize("part", range(5))
def test_mutations_open_or_end_in_our_error(small_files: list[bytes], part: int) -> None:
    rng, outcomes = np.random.default_rng(part), {True: 0, False: 0}
    for _ in range(80):
        data = _mutated(small_files[part], rng)
        try:
            cover = open_cover(data, max_pixels=MOST)
        except ImageError:
            outcomes[False] += 1
            continue
        outcomes[True] += 1
        assert write(cover, cover.luma) == data
        luma = (cover.luma + encodable(cover).up).astype(np.int16)
        assert np.array_equal(open_cover(write(cover, luma), max_pixels=MOST).luma, luma)
    assert min(outcomes.values()) > 0


def test_every_cut_is_noticed(small_files: list[bytes]) -> None:
    for data in small_files[:4]:
        for length in range(2, len(data), 7):
            _damaged(data[:length])


def test_a_claimed_size_allocates_nothing(cover_rgb: np.ndarray) -> None:
    data = with_size(jpeg_bytes(cover_rgb[:16, :16]), 60_000, 60_000)
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="ends within its scan"):
            open_cover(data, max_pixels=60_000**2)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_codes_of_one_bit_end(cover_rgb: np.ndarray) -> None:
    """A table whose only code is one bit for sixteen zeros, so that a block never ends where it should."""
    data = flat_gray(b"\x00" * 400)
    for symbol in (0xF0, 0x00, 0x01, 0x10, 0xFF):
        table = bytes((0x10, 1, *[0] * 15, symbol))
        place = place_of(data, 0xDA)
        _damaged(data[:place] + segment(0xC4, table) + data[place:])


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        (0xDB, b""),
        (0xDB, b"\x00" + b"\x01" * 63),
        (0xDB, b"\x00" + b"\x00" * 64),
        (0xDB, b"\x20" + b"\x01" * 64),
        (0xDB, b"\x10" + b"\x01" * 127),
        (0xDB, b"\x07" + b"\x01" * 64),
        (0xC4, b"\x00"),
        (0xC4, b"\x00" + b"\x03" + b"\x00" * 15 + b"\x01\x02\x03"),
        (0xC4, b"\x10" + b"\xff" * 16),
        (0xC4, b"\x55" + b"\x00" * 16),
        (0xC0, b"\x08\x00\x08\x00\x08\x01\x01\x11\x00"),
        (0xC0, b""),
    ],
)
def test_wrong_segments_are_noticed(marker: int, body: bytes) -> None:
    data = flat_gray(bytes((0b00101011,)))
    place = place_of(data, 0xDA)
    wrong = data[:place] + segment(marker, body) + data[place:]
    if (marker, body) == (0xDB, b""):
        open_cover(wrong, max_pixels=MOST)  # says nothing, and breaks nothing
    else:
        _damaged(wrong)


@pytest.mark.parametrize("factors", [0x00, 0x51, 0x15, 0x44])
def test_wrong_sampling_is_noticed(cover_rgb: np.ndarray, factors: int) -> None:
    data = bytearray(jpeg_bytes(cover_rgb[:16, :16]))
    data[place_of(data, 0xC0) + 11] = factors
    _damaged(bytes(data))


def test_restart_markers_that_do_not_fit_are_noticed(cover_rgb: np.ndarray) -> None:
    data = jpeg_bytes(cover_rgb[:64, :64], restart_marker_blocks=2)
    first = data.index(b"\xff\xd0", place_of(data, 0xDA))
    _damaged(data[:first] + data[first + 2 :])
    _damaged(data[:first] + b"\xff\xd1" + data[first + 2 :])
    _damaged(data[:first] + b"\x00\xff\xd0" + data[first + 2 :])
    _damaged(data[: first - 3] + data[first:])
    _damaged(after_start(jpeg_bytes(cover_rgb[:64, :64]), segment(0xDD, b"\x00\x01")))


def test_bytes_behind_the_last_block_are_noticed(cover_rgb: np.ndarray) -> None:
    data = jpeg_bytes(cover_rgb[:16, :16])
    assert data.endswith(EOI)
    _damaged(data[:-2] + b"\x00" + EOI)
