"""The meaning of pixels: colour spaces, depths, pages; and limits that belong to one call."""

from __future__ import annotations

import io
import struct
import sys
import threading
import zlib
from pathlib import Path

import hostile_files
import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

import stegcli
from stegcli.errors import ImageError
from stegcli.pictures import colour, luma, reading, writing

RNG = np.random.default_rng(5)
RGB = np.asarray(
    Image.fromarray(RNG.integers(0, 256, (8, 10, 3), dtype=np.uint8)).resize(
        (90, 70), Image.Resampling.BICUBIC
    )
)
GRAY = luma.gray(RGB)
D65 = (0.3127, 0.3290)
SRGB_XY = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3_XY = (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)


def _put(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "picture"
    path.write_bytes(content)
    return path


def _decoded(values: np.ndarray) -> np.ndarray:
    """sRGB 0..1 -> light 0..1 (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _encoded(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _matrix(xy: tuple[float, ...]) -> np.ndarray:
    """(3, 3) light in these primaries -> XYZ; both spaces have the same white here, without adaptation."""
    corners = [np.array([x / y, 1, (1 - x - y) / y]) for x, y in np.array(xy).reshape(4, 2)]
    columns = np.stack(corners[1:], axis=1)
    return columns * np.linalg.solve(columns, corners[0])


def _gama(gamma: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(gamma * 100_000))


def _chrm(xy: tuple[float, ...]) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in xy))


CICP_P3 = (b"cICP", bytes([12, 13, 0, 1]))


def _p3_in_srgb(rgb: np.ndarray) -> np.ndarray:
    light = _decoded(rgb / 255) @ (np.linalg.inv(_matrix(SRGB_XY)) @ _matrix(P3_XY)).T
    return np.rint(255 * _encoded(light)).astype(np.uint8)


# --- colours of a secret -


@pytest.mark.parametrize(
    ("chunks", "shown"),
    [
        ([_gama(1.0)], lambda rgb: np.rint(255 * _encoded(rgb / 255)).astype(np.uint8)),
        ([CICP_P3], _p3_in_srgb),
        ([CICP_P3, _gama(1.0)], _p3_in_srgb),
        ([_gama(1 / 2.2), _chrm(P3_XY)], _p3_in_srgb),
        ([_gama(1 / 2.2), _chrm(SRGB_XY)], lambda rgb: rgb),
        ([(b"sRGB", b"\0"), _gama(1.0)], lambda rgb: rgb),
        ([(b"cICP", bytes([1, 13, 0, 1]))], lambda rgb: rgb),
        ([_gama(1 / 2.2), _gama(1.0)], lambda rgb: rgb),
        ([_gama(1 / 100_000)], lambda rgb: rgb),
        ([_gama(40_000.0)], lambda rgb: rgb),
    ],
    ids=[
        "linear",
        "P3",
        "cICP before gAMA",
        "P3 by cHRM",
        "sRGB by cHRM",
        "sRGB before gAMA",
        "sRGB by cICP",
        "the first gAMA",
        "gAMA too small",
        "gAMA too large",
    ],
)
def test_a_secret_is_the_gray_that_viewers_show(tmp_path: Path, chunks, shown) -> None:
    path = _put(tmp_path, hostile_files.png_with(hostile_files.png_bytes(RGB), *chunks))
    gray, notices = reading.load_secret(path)
    wanted = luma.gray(shown(RGB))
    assert np.abs(gray.astype(int) - wanted).max() <= 2
    assert any("profile" in notice for notice in notices) == (not np.array_equal(shown(RGB), RGB))
    assert np.array_equal(gray, GRAY) == np.array_equal(shown(RGB), RGB)


@pytest.mark.parametrize(
    "chunk",
    [_gama(1.0), (b"iCCP", b"late\0\0" + zlib.compress(colour.profile_of((CICP_P3,)) or b""))],
    ids=["gAMA", "iCCP"],
)
def test_what_is_said_after_the_pixels_is_ignored_as_viewers_do(tmp_path: Path, chunk) -> None:
    path = _put(tmp_path, hostile_files.png_ending_with(hostile_files.png_bytes(RGB), chunk))
    gray, notices = reading.load_secret(path)
    assert np.array_equal(gray, GRAY)
    assert not any("profile" in notice for notice in notices)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_profile_is_applied_in_every_format(tmp_path: Path, file_format: str) -> None:
    profile = colour.profile_of((CICP_P3,))
    options = {"quality": 100, "subsampling": 0} if file_format == "JPEG" else {}
    options |= {"lossless": True} if file_format == "WEBP" else {}
    Image.fromarray(RGB).save(tmp_path / "s", file_format, icc_profile=profile, **options)
    gray, notices = reading.load_secret(tmp_path / "s")
    assert np.abs(gray.astype(int) - luma.gray(_p3_in_srgb(RGB))).max() <= 6
    assert any("profile" in notice for notice in notices)


def test_an_avif_s_code_points_are_heard(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "AVIF", quality=100, subsampling="4:4:4")
    content = file.getvalue()
    place = content.index(b"colrnclx") + len(b"colrnclx")
    plain = reading.load_cover(_put(tmp_path, content))
    assert plain.chunks == ()
    wide = reading.load_cover(_put(tmp_path, content[:place] + b"\0\x0c\0\x0d" + content[place + 4 :]))
    assert wide.chunks == (CICP_P3,)
    gray, notices = reading.load_secret(tmp_path / "picture")
    assert np.abs(gray.astype(int) - luma.gray(_p3_in_srgb(wide.rgb))).max() <= 2
    assert any("profile" in notice for notice in notices)


def test_srgb_s_own_profile_changes_nothing(tmp_path: Path) -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(RGB).save(tmp_path / "s.png", icc_profile=icc)
    gray, notices = reading.load_secret(tmp_path / "s.png")
    assert np.array_equal(gray, GRAY)
    assert not any("profile" in notice for notice in notices)


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA"])
def test_a_profile_reaches_palettes_and_spares_alpha(tmp_path: Path, mode: str) -> None:
    alpha = np.full(GRAY.shape, 255, np.uint8)
    alpha[:10] = 0
    image = Image.fromarray(np.dstack((RGB, alpha))).convert(mode)
    profile = colour.profile_of((_gama(1.0),), gray=mode == "LA")
    image.save(tmp_path / "s.png", icc_profile=profile)
    gray, _ = reading.load_secret(tmp_path / "s.png")
    pixels = np.asarray(image.convert("RGB"))
    wanted = luma.gray(np.rint(255 * _encoded(pixels / 255)).astype(np.uint8))
    bright = pixels.min(axis=2) > 20  # in the dark a linear curve is steep, and every rounding shows
    if mode != "P":
        assert (gray[:10] == 255).all()
    bright[:10] = False
    assert np.abs(gray.astype(int) - wanted)[bright].max() <= 2


@pytest.mark.parametrize("depth", [8, 16])
def test_a_linear_gray_secret(tmp_path: Path, depth: int) -> None:
    """16 bits stay smooth between the 256 grays of a profile."""
    light = np.linspace(0.02, 1, 2048)[None].repeat(4, axis=0)
    values = np.rint(light * ((1 << depth) - 1)).astype(np.uint8 if depth == 8 else np.uint16)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    path = _put(tmp_path, hostile_files.png_with(file.getvalue(), _gama(1.0)))
    gray, _ = reading.load_secret(path)
    assert np.abs(gray - 255 * _encoded(light)).max() <= (6 if depth == 8 else 2)


@pytest.mark.parametrize("icc", [b"no profile", colour.profile_of((_gama(1.0),), gray=True)])
def test_a_profile_that_does_not_fit_is_said_and_ignored(tmp_path: Path, icc: bytes) -> None:
    Image.fromarray(RGB).save(tmp_path / "s.png", icc_profile=icc)
    gray, notices = reading.load_secret(tmp_path / "s.png")
    assert np.array_equal(gray, GRAY)
    assert any("ignored" in notice for notice in notices)


def test_high_dynamic_range_is_said(tmp_path: Path) -> None:
    chunk = (b"cICP", bytes([9, 16, 0, 1]))
    path = _put(tmp_path, hostile_files.png_with(hostile_files.png_bytes(RGB), chunk))
    assert any("dynamic range" in notice for notice in reading.load_secret(path)[1])


@pytest.mark.parametrize("bad", [(0.0,) * 8, (0.3, 0.0, *SRGB_XY[2:]), (*D65, *([0.3, 0.3] * 3))])
def test_senseless_primaries_are_ignored(tmp_path: Path, bad: tuple[float, ...]) -> None:
    path = _put(tmp_path, hostile_files.png_with(hostile_files.png_bytes(RGB), _chrm(bad)))
    assert np.array_equal(reading.load_secret(path)[0], GRAY)


# --- colours of a cover -


@pytest.mark.parametrize("chunks", [[_gama(1.0)], [_gama(0.6), _chrm(P3_XY)], [CICP_P3], [(b"sRGB", b"\0")]])
def test_what_a_cover_says_of_its_colours_stays_in_a_png(tmp_path, exact_weights, chunks) -> None:
    cover = np.asarray(Image.fromarray(RGB).resize((128, 96)))
    path = _put(tmp_path, hostile_files.png_with(hostile_files.png_bytes(cover), *chunks))
    stegcli.hide(path, GRAY, tmp_path / "stego.png", weights=exact_weights)
    assert reading.load_cover(tmp_path / "stego.png").chunks == tuple(chunks)
    stegcli.hide(path, GRAY, tmp_path / "stego.webp", weights=exact_weights)
    assert reading.load_cover(tmp_path / "stego.webp").icc == colour.profile_of(tuple(chunks))


def test_a_bmp_says_that_it_keeps_no_profile(tmp_path, exact_weights) -> None:
    cover = np.asarray(Image.fromarray(RGB).resize((128, 96)))
    path = _put(tmp_path, hostile_files.png_with(hostile_files.png_bytes(cover), CICP_P3))
    report = stegcli.hide(path, GRAY, tmp_path / "stego.bmp", weights=exact_weights)
    assert any("BMP" in notice for notice in report.notices)


def test_a_gray_cover_s_profile_is_applied_and_its_chunks_are_kept(tmp_path: Path) -> None:
    profile = colour.profile_of((_gama(1.0),), gray=True)
    Image.fromarray(GRAY).save(tmp_path / "icc.png", icc_profile=profile)
    applied = reading.load_cover(tmp_path / "icc.png")
    assert (applied.icc, applied.chunks) == (None, ())
    bright = GRAY > 20
    assert np.abs(applied.rgb[..., 0] - 255 * _encoded(GRAY / 255))[bright].max() <= 2
    path = _put(tmp_path, hostile_files.png_with(hostile_files.png_bytes(GRAY), _gama(1.0)))
    kept = reading.load_cover(path)
    assert kept.chunks == (_gama(1.0),)
    assert np.array_equal(kept.rgb[..., 0], GRAY)


# --- depths -


@pytest.mark.parametrize("is_multiplied", [False, True])
def test_the_alpha_of_a_gray_tiff(tmp_path: Path, is_multiplied: bool) -> None:
    alpha = np.full_like(GRAY, 128)
    gray = (GRAY.astype(int) * 128 + 127) // 255 if is_multiplied else GRAY
    further = {262: 1, 338: 1 if is_multiplied else 2}
    path = _put(tmp_path, hostile_files.tiff([(np.dstack((gray, alpha)), 8, further)]))
    shown = 255 - (255 - GRAY.astype(int)) * 128 / 255
    assert np.abs(reading.load_secret(path)[0] - shown).max() <= 2
    picture = reading.load_cover(path)
    assert np.abs(picture.rgb[..., 1].astype(int) - GRAY).max() <= 2
    assert np.array_equal(picture.alpha, alpha)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("is_white_0", [False, True])
def test_white_is_white_at_every_depth(tmp_path: Path, order: str, bits: int, is_white_0: bool) -> None:
    white = (1 << bits) - 1
    values = np.linspace(0, white, 256).round().astype(np.uint16).reshape(16, 16)
    samples = white - values if is_white_0 else values
    path = _put(tmp_path, hostile_files.tiff([(samples, bits, {262: 0 if is_white_0 else 1})], order))
    try:
        gray, _ = reading.load_secret(path)
    except ImageError:  # Pillow reads not every one of these; none may come out wrong
        assert (bits, order, is_white_0) not in {
            (8, "<", False),
            (12, "<", False),
            (16, "<", True),
            (16, ">", False),
        }
        return
    assert np.array_equal(gray.ravel(), np.rint(values.ravel() / white * 255))


@pytest.mark.parametrize("maxval", [1, 15, 100, 1000, 1023, 4095, 65535])
def test_white_of_a_pgm_is_what_it_says(tmp_path: Path, maxval: int) -> None:
    values = np.linspace(0, maxval, 64).round().astype(">u2" if maxval > 255 else np.uint8)
    path = _put(tmp_path, b"P5 8 8 %d\n" % maxval + values.tobytes())
    assert np.array_equal(reading.load_secret(path)[0].ravel(), np.rint(255 * values.astype(float) / maxval))


@pytest.mark.parametrize(
    ("bits", "further", "words"), [(8, {339: 2}, "signed"), (16, {339: 2}, "signed"), (32, {}, "16 bits")]
)
def test_samples_without_a_white_are_refused(tmp_path: Path, bits: int, further, words: str) -> None:
    path = _put(tmp_path, hostile_files.tiff([(np.arange(64).reshape(8, 8), bits, further)]))
    with pytest.raises(ImageError, match=words):
        reading.load_secret(path)


def test_the_clear_gray_of_a_deep_png_is_clear(tmp_path: Path) -> None:
    values = RNG.choice(np.array([0, 1000, 65535], np.uint16), (70, 90))
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    chunk = (b"tRNS", struct.pack(">H", 1000))
    path = _put(tmp_path, hostile_files.png_with(file.getvalue(), chunk))
    assert np.array_equal(reading.load_cover(path).alpha == 0, values == 1000)
    assert (reading.load_secret(path)[0][values == 1000] == 255).all()


# --- pages -


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("further", [{254: 1}, {254: 4}, {255: 2}])
@pytest.mark.parametrize("preview_first", [False, True])
def test_a_preview_or_a_mask_is_no_page(tmp_path, order, further, preview_first) -> None:
    pages = [(RGB, 8, {}), (RGB[::4, ::4], 8, further)]
    path = _put(tmp_path, hostile_files.tiff(pages[::-1] if preview_first else pages, order))
    assert np.array_equal(reading.load_cover(path).rgb, RGB)


def test_several_pages_and_raw_data_are_refused(tmp_path: Path) -> None:
    small = (RGB[::4, ::4], 8, {})
    for pages, words in [
        ([(RGB, 8, {}), small], "several pages"),
        ([(*small[:2], {50706: 1}), (RGB, 8, {})], "raw"),
        ([(*small[:2], {254: 1, 330: 8})], "raw"),
        ([(GRAY, 8, {262: 32803})], "raw"),
    ]:
        with pytest.raises(ImageError, match=words):
            reading.load_cover(_put(tmp_path, hostile_files.tiff(pages)))


def test_a_circle_of_pages_ends(tmp_path: Path) -> None:
    content = bytearray(hostile_files.tiff([(RGB, 8, {})]))
    first = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, first)[0]
    struct.pack_into("<I", content, first + 2 + 12 * count, first)
    assert np.array_equal(reading.load_cover(_put(tmp_path, bytes(content))).rgb, RGB)


# --- text, palettes, scans -


@pytest.mark.parametrize("name", ["zTXt", "tEXt", "iTXt"])
def test_much_text_is_no_damage(tmp_path: Path, name: str) -> None:
    text = '{"node": 1}' * 250_000
    notes = PngImagePlugin.PngInfo()
    (notes.add_itxt if name == "iTXt" else notes.add_text)("workflow", text, zip=name != "tEXt")
    notes.add_text("small", "kept as it is")
    Image.fromarray(RGB).save(tmp_path / "c.png", pnginfo=notes)
    before = PngImagePlugin.MAX_TEXT_CHUNK
    assert np.array_equal(reading.load_cover(tmp_path / "c.png").rgb, RGB)
    assert before == PngImagePlugin.MAX_TEXT_CHUNK


def test_a_large_profile_is_no_damage(tmp_path: Path) -> None:
    icc = colour.profile_of((CICP_P3,)) + RNG.bytes(3 << 20)
    chunk = (b"iCCP", b"large\0\0" + zlib.compress(icc))
    path = _put(tmp_path, hostile_files.png_with(hostile_files.png_bytes(RGB), chunk))
    assert reading.load_cover(path).icc == icc


@pytest.mark.parametrize("name", [b"gAMA", b"tEXt", b"pHYs", b"iCCP"])
def test_a_damaged_chunk_that_nobody_needs_is_left_out(tmp_path: Path, name: bytes) -> None:
    """As every viewer does; Pillow refuses the picture."""
    content = bytearray(hostile_files.png_with(hostile_files.png_bytes(RGB), (name, b"some words")))
    content[content.index(name) + 6] ^= 1
    assert np.array_equal(reading.load_cover(_put(tmp_path, bytes(content))).rgb, RGB)


@pytest.mark.parametrize("cut", [0, 1, 7])
def test_a_bomb_of_text_is_left_out(tmp_path: Path, cut: int) -> None:
    packed = zlib.compress(bytes(50_000_000))
    chunk = (b"zTXt", b"Raw profile type exif\0\0" + packed[: len(packed) - cut])
    path = _put(tmp_path, hostile_files.png_with(hostile_files.png_bytes(RGB), chunk))
    assert np.array_equal(reading.load_cover(path).rgb, RGB)


@pytest.mark.parametrize(
    "content",
    [
        hostile_files.without_palette(GRAY % 4),
        hostile_files.png_with(hostile_files.without_palette(GRAY % 4), (b"PLTE", b"")),
        hostile_files.png_with(hostile_files.without_palette(GRAY % 4), (b"PLTE", bytes(13))),
        hostile_files.png_with(hostile_files.without_palette(GRAY % 4), (b"PLTE", bytes(3 * 257))),
        hostile_files.png_ending_with(hostile_files.without_palette(GRAY % 4), (b"PLTE", bytes(12))),
    ],
    ids=["none", "empty", "no whole colours", "too many colours", "after the pixels"],
)
def test_indices_without_a_palette_are_refused(tmp_path: Path, content: bytes) -> None:
    path = _put(tmp_path, content)
    for load in (reading.load_cover, reading.load_secret, reading.load_stego):
        with pytest.raises(ImageError, match="palette"):
            load(path)


def test_scans_without_end_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    gray = np.full((2000, 2000), 99, np.uint8)
    with pytest.raises(ImageError, match="scans"):
        reading.load_cover(_put(tmp_path, hostile_files.many_scans(gray, 300)))
    assert reading.load_cover(_put(tmp_path, hostile_files.many_scans(gray[:64, :64], 10))).from_jpeg


def test_twelve_bits_of_a_jpeg_are_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "JPEG")
    content = file.getvalue().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c")
    with pytest.raises(ImageError, match="12 bits"):
        reading.load_cover(_put(tmp_path, content))


# --- files that are no pictures -


@pytest.mark.parametrize(
    ("content", "what", "cure"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "LFS", "git lfs pull"),
        (b"%PDF-1.7\n%\xe2\xe3\n", "PDF", "pdftoppm"),
        (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="x"/>', "SVG", "rsvg"),
        (b"<svg/>", "SVG", "rsvg"),
        (b"<!DOCTYPE html>\n<html><svg/></html>", "web page", "Save"),
        (hostile_files.boxes(b"crx ", b"isom"), "raw", "Develop"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(100), "raw", "Develop"),
        (b"FUJIFILMCCD-RAW 0201", "raw", "Develop"),
        (hostile_files.boxes(b"isom", b"mp42"), "video", "ffmpeg"),
        (b"\xff\x0a" + bytes(50), "JPEG XL", "djxl"),
        (b"PK\3\4" + bytes(50), "archive", "Unpack"),
        (b"\x76\x2f\x31\x01" + bytes(50), "dynamic range", "Export"),
        (b"gimp xcf v011\0", "GIMP", "Export"),
    ],
)
def test_what_is_no_picture_is_named_with_a_cure(
    tmp_path: Path, content: bytes, what: str, cure: str
) -> None:
    with pytest.raises(ImageError, match=what) as caught:
        reading.load_cover(_put(tmp_path, content))
    assert cure in caught.value.hint


def test_heic_without_the_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match="HEIC") as caught:
        reading.load_cover(_put(tmp_path, hostile_files.boxes(b"heic", b"mif1", b"heic")))
    assert "stegcli[heic]" in caught.value.hint
    assert "JPEG" in caught.value.hint


def test_heic_with_the_extra_is_read(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the heic extra is not installed")
    file = io.BytesIO()
    heif.from_pillow(Image.fromarray(RGB)).save(file, quality=95)
    picture = reading.load_cover(_put(tmp_path, file.getvalue()))
    assert np.abs(picture.rgb.astype(int) - RGB).mean() < 6
    with pytest.raises(ImageError, match="more than 100 pixels"):
        reading.load_cover(_put(tmp_path, file.getvalue()), max_pixels=100)


# --- limits and noise -


def test_two_threads_with_two_limits_do_not_see_each_other(tmp_path: Path) -> None:
    paths = {}
    for file_format in ("PNG", "WEBP", "TIFF", "GIF"):
        paths[file_format] = tmp_path / file_format
        Image.fromarray(RGB).save(paths[file_format], file_format)
    wrong: list[str] = []

    def read(limit: int, fits: bool) -> None:
        for _ in range(40):
            for path in paths.values():
                try:
                    reading.load_cover(path, max_pixels=limit)
                    seen = True
                except ImageError:
                    seen = False
                if seen != fits:
                    wrong.append(f"{path.name} {limit}")

    threads = [threading.Thread(target=read, args=(6299 + i % 2, bool(i % 2))) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_damaged_tiff_is_silent_on_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "TIFF", compression="tiff_adobe_deflate")
    content = bytearray(file.getvalue())
    content[200:260] = b"\x55" * 60
    with pytest.raises(ImageError, match="cannot be decoded"):
        reading.load_cover(_put(tmp_path, bytes(content)))
    assert capfd.readouterr().err == ""


# --- what is written -


@pytest.mark.parametrize("name", ["s.png", "s.webp", "s.tif"])
@pytest.mark.parametrize("source", ["JPEG", "TIFF"])
def test_a_camera_s_exif_travels_without_the_places_of_its_pixels(tmp_path, name: str, source: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    exif.get_ifd(0x8769)[0x829A] = 0.01
    Image.fromarray(RGB).save(tmp_path / "c", source, exif=exif.tobytes())
    picture = reading.load_cover(tmp_path / "c")
    writing.save_stego(tmp_path / name, picture.rgb, exif=picture.exif)
    with Image.open(tmp_path / name) as image:
        found = image.getexif()
        assert found[0x010F] == "Canon"
        assert found.get_ifd(0x8769)[0x829A] == pytest.approx(0.01)
        if name != "s.tif":
            assert not {273, 279, 256, 258, 259}.intersection(found)
    assert np.array_equal(reading.load_stego(tmp_path / name).rgb, picture.rgb)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [("s.bmp", (96, 128, 4), "transparency"), ("s.webp", (64, 16_384, 3), "16383")],
)
def test_what_a_format_cannot_hold_is_told_before_any_work(
    tmp_path, exact_weights, name, shape, words
) -> None:
    cover = np.full(shape, 100, np.uint8)
    told: list[str] = []
    with pytest.raises(stegcli.errors.OutputError, match=words):
        stegcli.hide(
            cover, GRAY, tmp_path / name, weights=exact_weights, progress=lambda stage, _: told.append(stage)
        )
    assert set(told) == {"load"}
    assert not (tmp_path / name).exists()


def test_files_and_arrays_are_one_door(tmp_path: Path, exact_weights: Path) -> None:
    """A secret with alpha and a cover to be shrunk: the same pixels, whichever way they arrive."""
    cover = np.asarray(Image.fromarray(RGB).resize((192, 160)))
    alpha = np.full(GRAY.shape, 255, np.uint8)
    alpha[::2] = 60
    secret = np.dstack((RGB, alpha))
    for name, pixels in (("c.png", cover), ("s.png", secret)):
        Image.fromarray(pixels).save(tmp_path / name)
    files = stegcli.hide(tmp_path / "c.png", tmp_path / "s.png", weights=exact_weights, scale_cover=0.8)
    arrays = stegcli.hide(cover, secret, weights=exact_weights, scale_cover=0.8)
    assert np.array_equal(files.cover_rgb, arrays.cover_rgb)
    assert set(arrays.notices) == set(files.notices)
    gray, _ = reading.load_secret(tmp_path / "s.png")
    assert np.array_equal(reading.as_secret(reading.load_stego(tmp_path / "s.png"))[0], gray)
