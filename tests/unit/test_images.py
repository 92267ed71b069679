from __future__ import annotations

import io
from pathlib import Path

import hostile_files
import numpy as np
import pytest
from PIL import Image, ImageCms

from stegcli.errors import ImageError, OutputError, UsageError
from stegcli.pictures import reading, writing

RNG = np.random.default_rng(2)
RGB = RNG.integers(0, 256, (70, 90, 3), dtype=np.uint8)
ALPHA = RNG.choice(np.array([0, 1, 128, 255], np.uint8), (70, 90))
GRAY = RNG.integers(0, 256, (70, 90), dtype=np.uint8)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ORIENTATION, MAKER = 0x0112, 0x010F


def _exif(orientation: int | None = None) -> Image.Exif:
    exif = Image.Exif()
    exif[MAKER] = "somebody"
    if orientation is not None:
        exif[ORIENTATION] = orientation
    return exif


# --- covers -


def test_an_rgb_cover_is_read_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "c.png")
    picture = reading.load_cover(tmp_path / "c.png")
    assert np.array_equal(picture.rgb, RGB)
    assert picture.rgb.flags.writeable
    assert (picture.alpha, picture.icc, picture.exif, picture.notices, picture.from_jpeg) == (
        None,
        None,
        None,
        (),
        False,
    )


def test_alpha_and_the_colours_below_it_are_kept(tmp_path: Path) -> None:
    Image.fromarray(np.dstack((RGB, ALPHA))).save(tmp_path / "c.png")
    picture = reading.load_cover(tmp_path / "c.png")
    assert np.array_equal(picture.rgb, RGB)
    assert np.array_equal(picture.alpha, ALPHA)


@pytest.mark.parametrize(
    ("mode", "word"), [("1", "gray"), ("L", "gray"), ("P", "palette"), ("CMYK", "CMYK"), ("LAB", "LAB")]
)
def test_other_modes_become_rgb_with_a_notice(tmp_path: Path, mode: str, word: str) -> None:
    file = tmp_path / "c.tif"
    image = (
        Image.frombytes("LAB", (90, 70), RGB.tobytes())
        if mode == "LAB"
        else Image.fromarray(RGB).convert(mode)
    )
    image.save(file)
    picture = reading.load_cover(file)
    assert picture.rgb.shape == RGB.shape
    assert any(word in notice for notice in picture.notices)
    assert picture.icc is None


def test_gray_with_alpha(tmp_path: Path) -> None:
    Image.merge("LA", [Image.fromarray(GRAY), Image.fromarray(ALPHA)]).save(tmp_path / "c.png")
    picture = reading.load_cover(tmp_path / "c.png")
    assert np.array_equal(picture.rgb, np.repeat(GRAY[..., None], 3, 2))
    assert np.array_equal(picture.alpha, ALPHA)


def test_transparent_palette_entry(tmp_path: Path) -> None:
    image = Image.fromarray(GRAY % 4).convert("P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "c.png", transparency=2)
    picture = reading.load_cover(tmp_path / "c.png")
    assert np.array_equal(picture.alpha == 0, GRAY % 4 == 2)
    assert picture.rgb[GRAY % 4 == 1].tolist()[0] == [255, 0, 0]


def test_sixteen_bit_gray_is_rounded_to_eight(tmp_path: Path) -> None:
    values = RNG.integers(0, 65536, (70, 90), dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "c.png")
    picture = reading.load_cover(tmp_path / "c.png")
    assert np.array_equal(picture.rgb[..., 0], np.rint(values / 257).astype(np.uint8))
    assert any("16 bits" in notice for notice in picture.notices)


def test_sixteen_bit_rgb_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "c.png").write_bytes(hostile_files.sixteen_bit_rgb(RGB.astype(np.uint16) * 257))
    picture = reading.load_cover(tmp_path / "c.png")
    assert np.array_equal(picture.rgb, RGB)
    assert any("16 bits" in notice for notice in picture.notices)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(tmp_path: Path, orientation: int) -> None:
    upright = {
        1: RGB, 2: RGB[:, ::-1], 3: RGB[::-1, ::-1], 4: RGB[::-1], 5: RGB.transpose(1, 0, 2),
        6: np.rot90(RGB, -1), 7: RGB[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(RGB),
    }[orientation]  # fmt: skip
    Image.fromarray(RGB).save(tmp_path / "c.png", exif=_exif(orientation))
    picture = reading.load_cover(tmp_path / "c.png")
    assert np.array_equal(picture.rgb, upright)
    exif = Image.Exif()
    exif.load(picture.exif)
    assert dict(exif) == {MAKER: "somebody"}
    assert np.array_equal(reading.load_stego(tmp_path / "c.png").rgb, RGB)


def test_damaged_exif_does_not_stop_a_good_picture(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "c.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x03")
    assert np.array_equal(reading.load_cover(tmp_path / "c.png").rgb, RGB)


def test_the_profile_of_rgb_is_kept_and_that_of_others_dropped(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "rgb.png", icc_profile=ICC)
    Image.fromarray(GRAY).save(tmp_path / "gray.png", icc_profile=ICC)
    assert reading.load_cover(tmp_path / "rgb.png").icc == ICC
    assert reading.load_cover(tmp_path / "gray.png").icc is None


def test_a_jpeg_cover_is_known_and_scaled(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "c.jpg")
    whole = reading.load_cover(tmp_path / "c.jpg")
    small = reading.load_cover(tmp_path / "c.jpg", scale=0.7)
    assert whole.from_jpeg
    assert whole.notices == small.notices == ()
    assert small.rgb.shape == (49, 63, 3)


def test_scaling_takes_alpha_along(tmp_path: Path) -> None:
    Image.fromarray(np.dstack((RGB, ALPHA))).save(tmp_path / "c.png")
    picture = reading.load_cover(tmp_path / "c.png", scale=0.5)
    assert picture.rgb.shape == (35, 45, 3)
    assert picture.alpha.shape == (35, 45)


@pytest.mark.parametrize("scale", [0, -1, 1.5, float("nan")])
def test_a_senseless_scale_is_refused(tmp_path: Path, scale: float) -> None:
    Image.fromarray(RGB).save(tmp_path / "c.png")
    with pytest.raises(UsageError, match="scale"):
        reading.load_cover(tmp_path / "c.png", scale=scale)


def test_a_telephone_s_jpeg_with_two_pictures_is_one_photograph(tmp_path: Path) -> None:
    first = Image.fromarray(RGB)
    first.save(
        tmp_path / "c.jpg", format="MPO", save_all=True, append_images=[Image.fromarray(RGB[:20, :20])]
    )
    picture = reading.load_cover(tmp_path / "c.jpg")
    assert picture.rgb.shape == RGB.shape
    assert picture.from_jpeg


# --- secrets -


def test_a_gray_secret_is_read_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(GRAY).save(tmp_path / "s.png")
    gray, notices = reading.load_secret(tmp_path / "s.png")
    assert np.array_equal(gray, GRAY)
    assert notices == ()


def test_a_colour_secret_becomes_gray_with_a_notice(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "s.png")
    gray, notices = reading.load_secret(tmp_path / "s.png")
    exact = (
        299 * RGB[..., 0].astype(int) + 587 * RGB[..., 1].astype(int) + 114 * RGB[..., 2].astype(int) + 500
    ) // 1000
    assert np.array_equal(gray, exact)
    assert any("colour" in notice for notice in notices)


def test_a_transparent_secret_is_put_on_white(tmp_path: Path) -> None:
    gray = np.repeat(GRAY[..., None], 3, 2)
    Image.fromarray(np.dstack((gray, ALPHA))).save(tmp_path / "s.png")
    revealed, notices = reading.load_secret(tmp_path / "s.png")
    assert (revealed[ALPHA == 0] == 255).all()
    assert np.array_equal(revealed[ALPHA == 255], GRAY[ALPHA == 255])
    assert any("white" in notice for notice in notices)


# --- what cannot be read -


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("load", [reading.load_cover, reading.load_secret, reading.load_stego])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (hostile_files.garbage(), "not a picture"),
        (hostile_files.truncated(RGB), "cannot be decoded"),
        (hostile_files.garbage_inside(RGB), "cannot be decoded|not a picture"),
        (hostile_files.header_bomb(), "more than 89,478,485 pixels"),
        (hostile_files.animation(RGB, "GIF"), "animated"),
        (hostile_files.animation(RGB, "PNG"), "animated"),
        (hostile_files.animation(RGB, "WEBP"), "animated"),
        (hostile_files.animation(RGB, "TIFF"), "pages"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n", "EPS"),
    ],
)
def test_bad_files_are_refused_with_a_reason_and_a_cure(
    tmp_path: Path, load, content: bytes, words: str
) -> None:
    with pytest.raises(ImageError, match=words) as caught:
        load(_write(tmp_path / "bad", content))
    assert caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "words"), [("missing.png", "no such file"), (".", "folder"), ("a\0b", "cannot be opened")]
)
def test_names_that_are_no_file(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        reading.load_cover(tmp_path / name)


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(GRAY.astype(np.float32)).save(tmp_path / "c.tif")
    with pytest.raises(ImageError, match="floating"):
        reading.load_cover(tmp_path / "c.tif")


def test_more_than_sixteen_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((70, 90), 1 << 20, np.int32)).save(tmp_path / "c.tif")
    with pytest.raises(ImageError, match="16 bits"):
        reading.load_cover(tmp_path / "c.tif")


def test_the_pixel_limit_is_the_caller_s_and_pillow_s_is_untouched(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "c.png")
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError, match="more than 6,299 pixels"):
        reading.load_cover(tmp_path / "c.png", max_pixels=6299)
    assert reading.load_cover(tmp_path / "c.png", max_pixels=6300).rgb.shape == RGB.shape
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_picture_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(hostile_files.png_bytes(RGB)))
    monkeypatch.setattr("sys.stdin", stdin)
    assert np.array_equal(reading.load_cover("-").rgb, RGB)


# --- writing -


@pytest.mark.parametrize("name", ["s.png", "s.webp", "s.tif", "s.TIFF", "s.bmp"])
def test_rgb_comes_back_exactly(tmp_path: Path, name: str) -> None:
    writing.save_stego(tmp_path / name, RGB)
    assert np.array_equal(reading.load_stego(tmp_path / name).rgb, RGB)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["s.png", "s.webp", "s.tif"])
def test_alpha_profile_and_exif_come_back(tmp_path: Path, name: str) -> None:
    writing.save_stego(tmp_path / name, RGB, ALPHA, ICC, _exif().tobytes())
    again = reading.load_stego(tmp_path / name)
    assert np.array_equal(again.rgb, RGB)
    assert np.array_equal(again.alpha, ALPHA)
    assert again.icc == ICC
    with Image.open(tmp_path / name) as image:
        assert image.getexif()[MAKER] == "somebody"


def test_bmp_without_need_of_transparency(tmp_path: Path) -> None:
    writing.save_stego(tmp_path / "s.bmp", RGB, np.full_like(ALPHA, 255))
    assert np.array_equal(reading.load_stego(tmp_path / "s.bmp").rgb, RGB)
    with pytest.raises(OutputError, match="transparency"):
        writing.save_stego(tmp_path / "t.bmp", RGB, ALPHA)


def test_gray_comes_back_exactly(tmp_path: Path) -> None:
    writing.save_gray(tmp_path / "r.png", GRAY)
    with Image.open(tmp_path / "r.png") as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), GRAY)


@pytest.mark.parametrize(
    ("name", "words"),
    [("s.jpg", "lossy"), ("s.JPEG", "lossy"), ("s.avif", "lossy"), ("s.gif", "256"), ("s", "format")],
)
def test_other_names_are_refused(name: str, words: str) -> None:
    with pytest.raises(OutputError, match=words) as caught:
        writing.output_format(name)
    assert ".png" in caught.value.hint


def test_an_existing_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    target = _write(tmp_path / "s.png", b"precious")
    with pytest.raises(OutputError, match="exists"):
        writing.check_writable(target, force=False)
    with pytest.raises(OutputError, match="exists"):
        writing.save_stego(target, RGB)
    assert target.read_bytes() == b"precious"
    writing.check_writable(target, force=True)
    writing.save_stego(target, RGB, force=True)
    assert np.array_equal(reading.load_stego(target).rgb, RGB)
    assert list(tmp_path.iterdir()) == [target]


def test_an_input_is_never_replaced(tmp_path: Path) -> None:
    target = _write(tmp_path / "c.png", b"cover")
    (tmp_path / "link.png").symlink_to(target)
    for name in ("c.png", "link.png"):
        with pytest.raises(OutputError, match="input"):
            writing.check_writable(tmp_path / name, force=True, inputs=[target])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none/s.png", "folder does not exist"),
        ("file/s.png", "folder does not exist"),
        ("x" * 300 + ".png", "cannot be written"),
    ],
)
def test_unwritable_places_are_found_before_any_work(tmp_path: Path, name: str, words: str) -> None:
    _write(tmp_path / "file", b"")
    with pytest.raises(OutputError, match=words):
        writing.check_writable(tmp_path / name, force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "s.png").mkdir()
    with pytest.raises(OutputError, match="folder"):
        writing.check_writable(tmp_path / "s.png", force=True)


@pytest.mark.parametrize("blow", [KeyboardInterrupt, MemoryError, OSError(28, "No space left on device")])
def test_nothing_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blow) -> None:
    def fail(_descriptor: int) -> None:
        raise blow

    monkeypatch.setattr("os.fsync", fail)
    expected = OutputError if isinstance(blow, OSError) else blow
    with pytest.raises(expected):
        writing.save_stego(tmp_path / "s.png", RGB)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_too_large_for_its_format(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        writing.save_stego(tmp_path / "s.webp", np.zeros((64, 16_384, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_file_permissions_are_the_user_s_usual_ones(tmp_path: Path) -> None:
    usual = _write(tmp_path / "usual", b"")
    writing.save_stego(tmp_path / "s.png", RGB)
    assert (tmp_path / "s.png").stat().st_mode == usual.stat().st_mode


# --- resizing -


def test_resize_takes_height_before_width() -> None:
    assert reading.resize_gray(GRAY, (30, 45)).shape == (30, 45)
    assert reading.resize_gray(GRAY, GRAY.shape) is GRAY
