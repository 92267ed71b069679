"""A JPEG's coefficients: read, written again byte for byte, changed, and still readable by others."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jpeg_files import (
    EOI,
    after_start,
    flat_gray,
    jpeg_bytes,
    luma_of,
    multi_picture,
    place_of,
    saved,
    segment,
    with_marker,
    with_size,
)
from PIL import Image

from stegcli.carriers.dct import forward, split_blocks
from stegcli.carriers.jpeg_costs import luma_samples
from stegcli.carriers.jpeg_scan import JpegCover, encodable, non_zero_ac, open_cover, write
from stegcli.errors import ImageError

MOST = 1_000_000


def opened(data: bytes) -> JpegCover:
    return open_cover(data, max_pixels=MOST)


def changed(cover: JpegCover, seed: int, share: float = 1.0) -> np.ndarray:
    """Luma with one of the encodable changes, at random, in every coefficient or in a share of them."""
    rng = np.random.default_rng(seed)
    may = encodable(cover)
    steps = rng.integers(-1, 2, cover.luma.shape) * (rng.random(cover.luma.shape) < share)
    allowed = ((steps > 0) & may.up) | ((steps < 0) & may.down)
    return (cover.luma + steps * allowed).astype(np.int16)


# --- byte for byte -


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"restart_marker_rows": 1}], ids=str)
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [30, 75, 95, 100])
def test_what_is_not_changed_comes_back(
    cover_rgb: np.ndarray, quality: int, subsampling: str, options: dict[str, object]
) -> None:
    data = jpeg_bytes(cover_rgb[:101, :75], quality=quality, subsampling=subsampling, **options)
    cover = opened(data)
    assert write(cover, cover.luma) == data


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (8, 8), (9, 17), (16, 16), (33, 31)])
@pytest.mark.parametrize("gray", [False, True])
def test_every_size_comes_back_and_carries(cover_rgb: np.ndarray, size: tuple[int, int], gray: bool) -> None:
    pixels = cover_rgb[: size[0], : size[1]]
    data = jpeg_bytes(pixels[..., 1] if gray else pixels, quality=85)
    cover = opened(data)
    assert cover.luma.shape == (-(-size[0] // 8), -(-size[1] // 8), 8, 8)
    assert write(cover, cover.luma) == data
    luma = changed(cover, seed=1)
    again = opened(write(cover, luma))
    assert np.array_equal(again.luma, luma)


@pytest.mark.parametrize("blocks", [1, 3, 7])
def test_restart_markers_come_back_and_carry(cover_rgb: np.ndarray, blocks: int) -> None:
    data = jpeg_bytes(cover_rgb[:120, :152], quality=90, restart_marker_blocks=blocks)
    cover = opened(data)
    assert cover.frame.segments > 8  # the markers count modulo eight
    assert write(cover, cover.luma) == data
    luma = changed(cover, seed=2)
    stego = write(cover, luma)
    assert np.array_equal(opened(stego).luma, luma)
    expected = np.clip(luma_samples(luma, cover.luma_quantization), 0, 255)
    assert np.abs(luma_of(stego) - expected[:120, :152]).max() < 1.01


def test_more_than_one_band_comes_back() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (640, 640, 3)).astype(np.uint8)
    data = jpeg_bytes(noise, quality=97, subsampling="4:4:4")
    assert len(data) > 3 * (1 << 17)  # bytes of a decoder's band
    cover = opened(data)
    luma = changed(cover, seed=3)
    assert write(cover, cover.luma) == data
    assert np.array_equal(opened(write(cover, luma)).luma, luma)


def test_metadata_thumbnails_and_trailers_stay(cover_rgb: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    thumbnail = jpeg_bytes(cover_rgb[:16, :16])
    data = jpeg_bytes(cover_rgb[:64, :64], exif=exif, icc_profile=b"profile" * 20_000, comment=b"a comment")
    data = after_start(data, segment(0xE1, b"thumbnail\0" + thumbnail) * 50)
    data += thumbnail + b"\xff\xda trailer \xff\xd9\xff"
    cover = opened(data)
    assert write(cover, cover.luma) == data
    stego = write(cover, changed(cover, seed=4))
    begin, end = cover.layout.begin, cover.layout.end
    assert stego[:begin] == data[:begin]
    assert stego.endswith(data[end:])
    assert stego != data


def test_fill_bytes_stay(cover_rgb: np.ndarray) -> None:
    plain = jpeg_bytes(cover_rgb[:24, :24])
    place = place_of(plain, 0xDB)
    data = plain[:place] + b"\xff\xff" + plain[place:-2] + b"\xff\xff\xff" + EOI
    cover = opened(data)
    assert write(cover, cover.luma) == data
    assert write(cover, changed(cover, seed=5)).endswith(b"\xff\xff\xff" + EOI)


# One gray block is a DC difference of 00 and the block's end 1010 in the standard tables; two bits are left.
@pytest.mark.parametrize("fill", [0b00, 0b01, 0b10, 0b11])
def test_padding_stays(fill: int) -> None:
    data = flat_gray(bytes((0b00101000 | fill,)))
    cover = opened(data)
    assert write(cover, cover.luma) == data


def test_padding_goes_on_as_it_began() -> None:
    cover = opened(flat_gray(bytes((0b00101000,))))
    luma = cover.luma.copy()
    luma[0, 0, 0, 1] = 1  # 00, then 00 1 for the value, then the end: 001 is left to fill
    stego = write(cover, luma)
    assert stego[cover.layout.begin : -2] == bytes((0b00001101, 0b00000000))


def test_sixteen_zeros_and_their_run_are_written() -> None:
    cover = opened(flat_gray(bytes((0b00101011,))))
    luma = cover.luma.copy()
    luma[0, 0, 7, 7] = -1  # behind 62 zeros
    stego = write(cover, luma)
    assert np.array_equal(opened(stego).luma, luma)
    expected = luma_samples(luma, cover.luma_quantization)
    assert np.abs(luma_of(stego) - expected).max() <= 1


# --- what the numbers mean -


def test_coefficients_are_those_of_the_pixels(cover_rgb: np.ndarray) -> None:
    pixels = (64 + cover_rgb // 2)[:96, :96]  # away from black and white, where decoders clip
    data = jpeg_bytes(pixels, quality=75)
    cover = opened(data)
    decoded = luma_of(data).astype(np.float32) - 128
    expected = np.rint(forward(split_blocks(decoded)) / cover.luma_quantization)
    assert np.array_equal(cover.luma, expected)


def test_others_see_the_changes(cover_rgb: np.ndarray) -> None:
    data = jpeg_bytes(cover_rgb, quality=90, subsampling="4:2:0")
    cover = opened(data)
    luma = changed(cover, seed=6, share=0.02)
    stego = write(cover, luma)
    expected = np.clip(luma_samples(luma, cover.luma_quantization), 0, 255)
    assert np.abs(luma_of(stego) - expected).max() < 1.01
    before, after = (np.asarray(Image.open(io.BytesIO(each)).convert("RGB")) for each in (data, stego))
    error = np.mean((after.astype(float) - before) ** 2)
    steps = (luma - cover.luma) * cover.luma_quantization
    assert error == pytest.approx(np.mean(steps**2.0), abs=0.3)  # luma goes to red, green and blue alike


def test_chroma_stays(cover_rgb: np.ndarray) -> None:
    cover = opened(jpeg_bytes(cover_rgb[:50, :70], quality=90))
    again = opened(write(cover, changed(cover, seed=7)))
    assert [each.shape[:2] for each in cover.coefficients] == [(8, 10), (4, 5), (4, 5)]
    for before, after in zip(cover.coefficients[1:], again.coefficients[1:], strict=True):
        assert before.any()
        assert np.array_equal(before, after)


def test_dummy_blocks_stay(cover_rgb: np.ndarray) -> None:
    cover = opened(jpeg_bytes(cover_rgb[:50, :70], quality=90))
    again = opened(write(cover, changed(cover, seed=7)))
    before, after = cover.coefficients[0].copy(), again.coefficients[0].copy()
    before[:7, :9] = after[:7, :9] = 0
    assert np.array_equal(before, after)


def test_non_zero_ac_leaves_dc_out(cover_rgb: np.ndarray) -> None:
    cover = opened(jpeg_bytes(cover_rgb[:50, :70], quality=50))
    blocks = cover.luma.reshape(-1, 64)
    assert non_zero_ac(cover) == sum(int(value != 0) for block in blocks for value in block[1:])
    assert non_zero_ac(opened(flat_gray(bytes((0b00101011,))))) == 0


# --- codes that a file lacks -


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    quality=st.integers(20, 100),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    contrast=st.floats(0.02, 1),
)
def test_every_choice_of_encodable_changes_is_written(
    seed: int, quality: int, height: int, width: int, contrast: float
) -> None:
    rng = np.random.default_rng(seed)
    smooth = np.cumsum(rng.normal(0, 40 * contrast, (height, width, 3)), axis=1)
    pixels = np.clip(128 + smooth, 0, 255).astype(np.uint8)
    cover = opened(jpeg_bytes(pixels, quality=quality, optimize=True))
    for share in (0.1, 1.0):
        luma = changed(cover, seed, share)
        assert np.array_equal(opened(write(cover, luma)).luma, luma)


def test_complete_tables_allow_everything_but_dc(cover_rgb: np.ndarray) -> None:
    may = encodable(opened(jpeg_bytes(cover_rgb[:40, :40], quality=80)))
    for mask in may:
        assert not mask[..., 0, 0].any()
        assert mask.reshape(-1, 64)[:, 1:].all()


def test_own_tables_of_a_photograph_allow_much(cover_rgb: np.ndarray) -> None:
    cover = opened(jpeg_bytes(cover_rgb, quality=95, optimize=True))
    may = encodable(cover)
    textured = np.abs(cover.luma) > 1
    textured[..., 0, 0] = False
    assert may.up[textured].mean() > 0.9
    assert may.down[textured].mean() > 0.9


def test_the_largest_coefficient_only_shrinks() -> None:
    ramp = np.zeros((8, 8), np.uint8)
    ramp[:, ::2] = 255
    cover = opened(jpeg_bytes(ramp, quality=100))
    luma = cover.luma.copy()
    luma[0, 0, 0, 7], luma[0, 0, 7, 0] = 1023, -1023
    may = encodable(opened(write(cover, luma)))
    assert (may.up[0, 0, 0, 7], may.down[0, 0, 0, 7]) == (False, True)
    assert (may.up[0, 0, 7, 0], may.down[0, 0, 7, 0]) == (True, False)
    luma[0, 0, 0, 7] = 1024
    with pytest.raises(ImageError, match="larger than a baseline JPEG can hold"):
        write(cover, luma)


def test_a_missing_code_is_an_error() -> None:
    cover = opened(jpeg_bytes(np.full((8, 8), 77, np.uint8), optimize=True))
    may = encodable(cover)
    assert not may.up.any()
    luma = cover.luma.copy()
    luma[0, 0, 0, 1] = 1
    with pytest.raises(ImageError, match="no code in the JPEG's own Huffman tables"):
        write(cover, luma)


def test_other_shapes_and_types_are_mistakes_of_the_caller(cover_rgb: np.ndarray) -> None:
    cover = opened(jpeg_bytes(cover_rgb[:16, :16]))
    with pytest.raises(ValueError, match=r"int16 of shape \(2, 2, 8, 8\)"):
        write(cover, cover.luma.astype(np.int32))
    with pytest.raises(ValueError, match="read-only"):
        cover.luma[0, 0, 0, 1] = 3


# --- several pictures in one file -


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_multi_picture_index_follows_its_pictures(cover_rgb: np.ndarray, order: str) -> None:
    second_rgb = cover_rgb[100:148, 100:164]
    first, second = jpeg_bytes(cover_rgb[:80, :80], quality=90), jpeg_bytes(second_rgb, quality=70)
    data = multi_picture(first, second, order)
    cover = opened(data)
    assert write(cover, cover.luma) == data
    stego = write(cover, changed(cover, seed=8))
    assert len(stego) != len(data)
    assert np.array_equal(_second_picture(stego), _second_picture(data))
    size = len(stego) - len(second)
    assert stego.count(size.to_bytes(4, "big" if order == ">" else "little")) == 1  # of the first picture
    differing = [i for i in range(cover.layout.begin) if stego[i] != data[i]]
    index = place_of(data, 0xE2)
    assert all(index + 58 <= place < index + 90 for place in differing)  # the two entries


def test_the_multi_picture_files_of_pillow_stay_whole(cover_rgb: np.ndarray) -> None:
    file = io.BytesIO()
    second = Image.fromarray(cover_rgb[64:128, 64:128])
    Image.fromarray(cover_rgb[:64, :64]).save(file, "MPO", save_all=True, append_images=[second])
    cover = opened(file.getvalue())
    stego = write(cover, changed(cover, seed=9))
    assert len(stego) != len(file.getvalue())
    assert np.array_equal(_second_picture(stego), _second_picture(file.getvalue()))


@pytest.mark.parametrize("cut", [6, 8, 20, 40, 60, 80])
def test_a_broken_index_stays_as_it_is(cover_rgb: np.ndarray, cut: int) -> None:
    first, second = jpeg_bytes(cover_rgb[:80, :80], quality=90), jpeg_bytes(cover_rgb[:8, :8])
    whole = multi_picture(first, second, "<")
    index = place_of(whole, 0xE2)
    body = whole[index + 4 : index + 4 + cut]
    data = after_start(first, segment(0xE2, body)) + second
    cover = opened(data)
    stego = write(cover, changed(cover, seed=10))
    assert stego[: cover.layout.begin] == data[: cover.layout.begin]


def _second_picture(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "MPO"
        image.seek(1)
        return np.asarray(image.convert("RGB"))


# --- what cannot carry -


def _cmyk(rgb: np.ndarray) -> bytes:
    return saved(Image.fromarray(rgb).convert("CMYK"))


def _twelve_bits(rgb: np.ndarray) -> bytes:
    data = bytearray(jpeg_bytes(rgb))
    data[place_of(data, 0xC0) + 4] = 12
    return bytes(data)


def _without_jfif(rgb: np.ndarray) -> bytes:
    data = jpeg_bytes(rgb)
    return data[:2] + data[place_of(data, 0xDB) :]


def _named_rgb(rgb: np.ndarray) -> bytes:
    data = bytearray(_without_jfif(rgb))
    frame, scan = place_of(data, 0xC0), place_of(data, 0xDA)
    data[frame + 10 : frame + 19 : 3] = data[scan + 5 : scan + 11 : 2] = b"RGB"
    return bytes(data)


def _fill_before_restart(rgb: np.ndarray) -> bytes:
    data = jpeg_bytes(rgb, restart_marker_blocks=1)
    place = data.index(b"\xff\xd0", place_of(data, 0xDA))
    return data[:place] + b"\xff" + data[place:]


def _one_component_scan(rgb: np.ndarray) -> bytes:
    data = jpeg_bytes(rgb)
    place = place_of(data, 0xDA)
    return data[:place] + segment(0xDA, bytes((1, 1, 0, 0, 63, 0))) + data[place + 14 :]


KINDS = {
    "progressive": (lambda rgb: jpeg_bytes(rgb, progressive=True), "is progressive"),
    "arithmetic": (lambda rgb: with_marker(jpeg_bytes(rgb), 0xC0, 0xC9), "uses arithmetic coding"),
    "lossless": (lambda rgb: with_marker(jpeg_bytes(rgb), 0xC0, 0xC3), "is lossless"),
    "hierarchical": (lambda rgb: with_marker(jpeg_bytes(rgb), 0xC0, 0xC5), "is hierarchical"),
    "jpeg-ls": (lambda rgb: with_marker(jpeg_bytes(rgb), 0xC0, 0xF7), "JPEG-LS"),
    "twelve bits": (_twelve_bits, "12 bits a sample"),
    "cmyk": (_cmyk, "is in CMYK"),
    "rgb": (lambda rgb: jpeg_bytes(rgb, keep_rgb=True), "red, green and blue"),
    "rgb by name": (_named_rgb, "red, green and blue"),
    "fill before a restart": (_fill_before_restart, "say nothing"),
    "no height": (lambda rgb: with_size(jpeg_bytes(rgb), 0, 40), "does not say its size"),
    "one component a scan": (_one_component_scan, "has several scans"),
    "more scans": (lambda rgb: jpeg_bytes(rgb)[:-2] + segment(0xDA, b"\1\1\0\0\x3f\0"), "has several scans"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_are_named_with_a_cure(cover_rgb: np.ndarray, kind: str) -> None:
    make, words = KINDS[kind]
    with pytest.raises(ImageError, match=words) as caught:
        opened(make(cover_rgb[:40, :40]))
    assert "baseline" in caught.value.hint


def test_names_and_transforms_are_read_as_libjpeg_does(cover_rgb: np.ndarray) -> None:
    as_rgb, as_ycc = (segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes((each,))) for each in (0, 1))
    patch = cover_rgb[:40, :40]
    opened(_without_jfif(patch))
    opened(after_start(_named_rgb(patch), as_ycc))
    opened(after_start(jpeg_bytes(patch), as_rgb))  # JFIF knows no RGB
    with pytest.raises(ImageError, match="red, green and blue"):
        opened(after_start(_without_jfif(patch), as_rgb))


def test_another_format_is_no_jpeg(cover_rgb: np.ndarray) -> None:
    file = io.BytesIO()
    Image.fromarray(cover_rgb[:8, :8]).save(file, "PNG")
    for data in (file.getvalue(), b"", b"\xff"):
        with pytest.raises(ImageError, match="not a JPEG"):
            opened(data)


def test_more_pixels_than_allowed_are_refused(cover_rgb: np.ndarray) -> None:
    data = jpeg_bytes(cover_rgb[:20, :20])
    open_cover(data, max_pixels=400)
    with pytest.raises(ImageError, match="more than 399 pixels"):
        open_cover(data, max_pixels=399)


def test_codes_that_nobody_would_choose_are_refused() -> None:
    # A difference of zero, sixteen zeros, and only then the end of the block.
    scan = int("00" + "11111111001" + "1010" + "1111111", 2).to_bytes(3, "big")
    with pytest.raises(ImageError, match="unusual way"):
        opened(flat_gray(scan))
