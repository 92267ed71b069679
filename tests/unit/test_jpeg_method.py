"""A secret in the user's own JPEG: only luma's AC coefficients change, and all of it comes back."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import syndrome_cases as cases
from jpeg_files import jpeg_bytes, luma_of, saved
from PIL import Image
from skimage import data

import stegcli
from stegcli import pipeline
from stegcli.carriers import coefficients, jpeg_scan, ternary
from stegcli.carriers.jpeg_fresh import fresh_cover
from stegcli.codecs.base import FileSecret
from stegcli.envelope.keys import Keyring
from stegcli.errors import ChangedError, ImageError, NothingFoundError, OutputError
from stegcli.methods import table
from stegcli.pictures import reading

pytestmark = pytest.mark.usefixtures("quick_keys")

ORIENTATION, MAKE = 0x0112, 0x010F
LEFT = 6
"""EXIF orientation: the picture must be turned to the right to stand upright."""


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """(250, 203, 3) uint8: neither side is a multiple of 8."""
    return np.array(Image.fromarray(data.coffee()).resize((203, 250), Image.Resampling.LANCZOS))


@pytest.fixture(scope="module")
def large() -> np.ndarray:
    """(360, 400, 3) uint8, with more detail."""
    return np.ascontiguousarray(data.astronaut()[:360, :400])


@pytest.fixture(scope="module")
def letter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "letter.bin"
    path.write_bytes(cases.payload(40))
    return path


def _small(pixels: np.ndarray, side: int) -> np.ndarray:
    return np.array(Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS))


def _opened(content: bytes) -> jpeg_scan.JpegCover:
    return jpeg_scan.open_cover(content, max_pixels=10**7)


def _hide(folder: Path, content: bytes, secret: Any, **options: Any) -> tuple[bytes, pipeline.HideReport]:
    """A cover's bytes -> its stego's."""
    (folder / "cover.jpg").write_bytes(content)
    stego = folder / "stego.jpg"
    report = stegcli.hide(folder / "cover.jpg", secret, stego, model="coded", force=True, **options)
    return stego.read_bytes(), report


@pytest.fixture(scope="module")
def hidden_letter(
    tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray, letter: Path
) -> tuple[bytes, bytes]:
    """(a JPEG of quality 90, the same with the letter in it)."""
    before = jpeg_bytes(photograph, quality=90)
    return before, _hide(tmp_path_factory.mktemp("hidden"), before, letter, as_file=True)[0]


def _check_only_ac_changed(before: bytes, after: bytes) -> np.ndarray:
    """Check that only luma's AC coefficients changed, each by one at most -> the changes, (R, C, 8, 8)."""
    cover, stego = _opened(before), _opened(after)
    assert after[: cover.layout.begin] == before[: cover.layout.begin]
    assert after[stego.layout.end :] == before[cover.layout.end :]
    for ours, theirs in zip(stego.coefficients[1:], cover.coefficients[1:], strict=True):
        assert np.array_equal(ours, theirs)
    changes = stego.luma.astype(int) - cover.luma
    whole = stego.coefficients[0].astype(int) - cover.coefficients[0]
    assert np.count_nonzero(whole) == np.count_nonzero(changes)
    assert not changes[..., 0, 0].any()
    assert np.abs(changes).max() == 1
    return changes


# --- the file -


@pytest.mark.parametrize(
    ("quality", "options", "least_db"),
    [
        (75, {"subsampling": "4:2:0"}, 52.5),
        (90, {"subsampling": "4:2:0"}, 56.5),
        (95, {"subsampling": "4:4:4"}, 59.5),
        (90, {"subsampling": "4:2:2", "optimize": True}, 56.5),
        (85, {"gray": True}, 55),
        (90, {"subsampling": "4:2:0", "restart_marker_rows": 1}, 56.5),
    ],
    ids=["q75", "q90", "q95 4:4:4", "own tables", "gray", "restarts"],
)
def test_at_a_tenth_of_a_bit_nothing_else_changes(
    tmp_path: Path, photograph: np.ndarray, quality: int, options: dict[str, Any], least_db: float
) -> None:
    pixels = photograph[..., 1] if options.pop("gray", False) else photograph
    exif = Image.Exif()
    exif[MAKE] = "A camera"
    before = jpeg_bytes(pixels, quality=quality, exif=exif.tobytes(), **options) + b"what phones append"
    room = coefficients.most_bytes(_opened(before), 0.1)
    secret = tmp_path / "s"
    secret.write_bytes(cases.payload(room - 69 - 16 - 2))  # head, seal, name
    after, report = _hide(tmp_path, before, secret, as_file=True)
    changes = _check_only_ac_changed(before, after)
    assert abs(len(after) / len(before) - 1) < 0.01
    assert report.stego_psnr_db >= least_db
    assert 0.005 < np.count_nonzero(changes) / jpeg_scan.non_zero_ac(_opened(before)) < 0.05
    with Image.open(io.BytesIO(before)) as cover, Image.open(io.BytesIO(after)) as stego:
        apart = np.asarray(cover.convert("RGB")).astype(float) - np.asarray(stego.convert("RGB"))
    assert report.stego_psnr_db == pytest.approx(10 * np.log10(255**2 / np.mean(apart**2)), abs=1e-6)
    assert not [notice for notice in report.notices if "detector" in notice]
    assert stegcli.reveal(tmp_path / "stego.jpg").secret == FileSecret("s", secret.read_bytes())


def test_white_and_black_blocks_stay(tmp_path: Path, photograph: np.ndarray, letter: Path) -> None:
    pixels = photograph.copy()
    pixels[:, :72], pixels[:64] = 255, 0
    before = jpeg_bytes(pixels, quality=95, subsampling="4:4:4")
    after, _ = _hide(tmp_path, before, letter, as_file=True)
    changes = _check_only_ac_changed(before, after)
    assert not changes[:, :9].any()
    assert not changes[:8].any()
    assert stegcli.reveal(tmp_path / "stego.jpg").secret.content == letter.read_bytes()


def test_a_turned_cover_stays_turned(tmp_path: Path, photograph: np.ndarray) -> None:
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = LEFT, "A camera"
    before = jpeg_bytes(np.rot90(photograph), quality=95, subsampling="4:4:4", exif=exif.tobytes())
    secret = _small(data.camera(), 20)
    after, report = _hide(tmp_path, before, secret)
    _check_only_ac_changed(before, after)
    assert report.cover_size == (203, 250)
    assert report.stego_rgb.shape == photograph.shape
    assert report.stego_psnr_db > 57
    with Image.open(tmp_path / "stego.jpg") as stego:
        assert stego.getexif()[ORIENTATION] == LEFT
    revealed = stegcli.reveal(tmp_path / "stego.jpg").secret
    assert np.array_equal(revealed, report.revealed_secret)
    assert report.revealed_psnr_db > 25
    assert any("metadata" in notice for notice in report.notices)


# --- secrets -


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
@pytest.mark.parametrize("kind", ["gray", "colour", "file"])
def test_every_kind_of_secret_comes_back(
    tmp_path: Path, large: np.ndarray, letter: Path, kind: str, passphrase: str | None
) -> None:
    secrets = {"gray": _small(data.camera(), 48), "colour": _small(data.chelsea(), 32), "file": letter}
    before = jpeg_bytes(large, quality=95)
    _, report = _hide(tmp_path, before, secrets[kind], passphrase=passphrase, as_file=kind == "file")
    told = stegcli.reveal(tmp_path / "stego.jpg", passphrase=passphrase)
    assert told.keyed == (passphrase is not None)
    assert told.model == "coded"
    if kind == "file":
        assert told.secret == FileSecret("letter.bin", letter.read_bytes())
    else:
        assert np.array_equal(told.secret, report.revealed_secret)
        assert told.secret.shape == secrets[kind].shape
        assert report.revealed_psnr_db > 25


def test_only_the_passphrase_opens_it(tmp_path: Path, photograph: np.ndarray, letter: Path) -> None:
    _hide(tmp_path, jpeg_bytes(photograph, quality=90), letter, passphrase="correct horse", as_file=True)
    facts = pipeline.info(tmp_path / "stego.jpg", passphrase="correct horse")
    assert (facts.model, facts.keyed, facts.secret_size) == ("coded", True, None)
    for passphrase in (None, "another one"):
        with pytest.raises(NothingFoundError):
            stegcli.reveal(tmp_path / "stego.jpg", passphrase=passphrase)


def test_a_zip_and_a_mail_keep_it(tmp_path: Path, hidden_letter: tuple[bytes, bytes], letter: Path) -> None:
    _, after = hidden_letter
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("stego.jpg", after)
    mailed = base64.decodebytes(base64.encodebytes(packed.getvalue()))
    with zipfile.ZipFile(io.BytesIO(mailed)) as archive:
        archive.extract("stego.jpg", tmp_path / "arrived")
    assert stegcli.reveal(tmp_path / "arrived" / "stego.jpg").secret.content == letter.read_bytes()


def test_a_rate_that_is_heard_is_told(tmp_path: Path, photograph: np.ndarray) -> None:
    before = jpeg_bytes(photograph, quality=90)
    room = coefficients.most_bytes(_opened(before), 0.2)
    (tmp_path / "fits").write_bytes(cases.payload(room - 69 - 16 - 5))
    _, report = _hide(tmp_path, before, tmp_path / "fits", as_file=True)
    assert any("0.20 bits" in notice and "detector" in notice for notice in report.notices)
    (tmp_path / "not").write_bytes(cases.payload(room))
    (tmp_path / "stego.jpg").unlink()
    with pytest.raises(ImageError, match=f"room for {room - 69 - 16}"):
        _hide(tmp_path, before, tmp_path / "not", as_file=True)
    assert not (tmp_path / "stego.jpg").exists()


def test_a_picture_is_reduced_to_the_quiet_rate_unless_it_matters_more(
    tmp_path: Path, large: np.ndarray
) -> None:
    before, secret = jpeg_bytes(large, quality=90), _small(data.camera(), 96)
    quiet, loud = (_hide(tmp_path, before, secret, favor=favor)[1] for favor in ("balanced", "secret"))
    bits = jpeg_scan.non_zero_ac(_opened(before)) / large[..., 0].size
    assert quiet.bpp < 0.1 * bits < loud.bpp < 0.2 * bits
    assert quiet.revealed_psnr_db < loud.revealed_psnr_db < 46
    assert any("no room for more" in notice for notice in quiet.notices)


# --- other covers -


@pytest.mark.parametrize("scale", [1.0, 0.7])
def test_other_pictures_become_pillows_own_jpeg(
    tmp_path: Path, large: np.ndarray, letter: Path, scale: float
) -> None:
    Image.fromarray(large[:300, :410]).save(tmp_path / "cover.png")
    stego = tmp_path / "stego.jpg"
    report = stegcli.hide(
        tmp_path / "cover.png", letter, stego, model="coded", as_file=True, scale_cover=scale
    )
    small = reading.load_cover(tmp_path / "cover.png", scale=scale).rgb
    cover, error = fresh_cover(small, 95, "4:4:4")
    assert cover.data == jpeg_bytes(small, quality=95, subsampling="4:4:4")
    changes = _check_only_ac_changed(cover.data, stego.read_bytes())
    towards = np.sign(error[changes != 0]) == changes[changes != 0]
    assert towards.mean() > 0.8
    assert any("quality 95" in notice for notice in report.notices)
    assert np.array_equal(report.cover_rgb, np.asarray(Image.open(io.BytesIO(cover.data)).convert("RGB")))
    assert stegcli.reveal(stego).secret.content == letter.read_bytes()


def test_a_transparent_cover_is_no_jpeg(tmp_path: Path, photograph: np.ndarray, letter: Path) -> None:
    alpha = np.full(photograph.shape[:2], 255, np.uint8)
    alpha[0, 0] = 0
    with pytest.raises(OutputError, match="no transparency"):
        stegcli.hide(np.dstack((photograph, alpha)), letter, tmp_path / "s.jpg", model="coded", as_file=True)


# --- what cannot be -


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda rgb: jpeg_bytes(rgb, progressive=True), "is progressive"),
        (lambda rgb: saved(Image.fromarray(rgb).convert("CMYK")), "is in CMYK"),
    ],
    ids=["progressive", "CMYK"],
)
def test_unfit_jpegs_are_refused_with_the_cure(
    tmp_path: Path, photograph: np.ndarray, letter: Path, make: Any, words: str
) -> None:
    with pytest.raises(ImageError, match=words) as caught:
        _hide(tmp_path, make(photograph), letter, as_file=True)
    assert "-o stego.png" in caught.value.hint
    assert not (tmp_path / "stego.jpg").exists()


def test_a_jpeg_too_small_says_so(tmp_path: Path, photograph: np.ndarray, letter: Path) -> None:
    with pytest.raises(ImageError, match="too small"):
        _hide(tmp_path, jpeg_bytes(photograph[:40, :40]), letter, as_file=True)


def test_encoded_again_nothing_is_found(tmp_path: Path, hidden_letter: tuple[bytes, bytes]) -> None:
    _, after = hidden_letter
    with Image.open(io.BytesIO(after)) as stego:
        stego.save(tmp_path / "again.jpg", quality=85)
    with pytest.raises(NothingFoundError):
        stegcli.reveal(tmp_path / "again.jpg")


def test_one_changed_coefficient_of_the_body_is_told(
    tmp_path: Path, photograph: np.ndarray, hidden_letter: tuple[bytes, bytes]
) -> None:
    _, after = hidden_letter
    stego = _opened(after)
    _, opened = table.open_stego(photograph, None, Keyring(None), after)
    free = np.ones(len(opened.values), bool)
    free[opened.places] = False
    values = opened.values.copy()
    values[np.flatnonzero(free & (np.abs(values) > 2))[::7]] += 1
    luma = coefficients.put_back(stego.luma, values)
    (tmp_path / "changed.jpg").write_bytes(jpeg_scan.write(stego, luma))
    with pytest.raises(ChangedError):
        stegcli.reveal(tmp_path / "changed.jpg")


@pytest.mark.parametrize("place", [0, 1000, -1])
def test_a_damaged_jpeg_hides_nothing(photograph: np.ndarray, place: int) -> None:
    content = bytearray(jpeg_bytes(photograph))
    content[place] ^= 0x55
    with pytest.raises(NothingFoundError):
        table.open_stego(photograph, None, Keyring(None), bytes(content))


# --- the carrier -


def test_values_are_all_ac_of_luma_in_their_order() -> None:
    luma = np.arange(2 * 3 * 64, dtype=np.int16).reshape(2, 3, 8, 8)
    values = coefficients.values(luma)
    assert values[:64].tolist() == [*range(1, 64), 65]
    assert len(values) == 2 * 3 * 63
    again = coefficients.put_back(luma, -values)
    assert np.array_equal(coefficients.values(again), -values)
    assert np.array_equal(again[..., 0, 0], luma[..., 0, 0])


def test_only_steps_towards_the_unrounded_value_are_cheaper(photograph: np.ndarray) -> None:
    cover, error = fresh_cover(photograph, 90)
    plain, informed = coefficients.step_prices(cover), coefficients.step_prices(cover, error)
    errors = coefficients.values(error)
    finite = np.isfinite(plain.up)
    share = informed.up[finite] / plain.up[finite]
    ups = errors[finite] > 0
    assert (share[~ups] == 1).all()
    assert share[ups].min() == pytest.approx(0.05, abs=1e-3)
    near = ups & (np.abs(errors[finite]) < 0.45)
    assert np.allclose(share[near], 1 - 2 * errors[finite][near], atol=1e-5)
    assert (informed.down[errors > 0] == plain.down[errors > 0]).all()


def test_in_rational_frequencies_a_half_is_no_reason() -> None:
    """Ramps of whole grey levels are rounded there by half a step without any noise."""
    rows, columns = np.mgrid[:64, :64]
    gray = np.where((rows // 4 + columns // 4) % 2, 130, 125).astype(np.uint8)
    cover, error = fresh_cover(np.repeat(gray[..., None], 3, axis=2), 50)
    error[...] = 0.5
    plain, informed = coefficients.step_prices(cover), coefficients.step_prices(cover, error)
    share = (informed.up / plain.up).reshape(-1, 63)
    rational = [8 * row + column - 1 for row, column in ((0, 4), (4, 0), (4, 4))]
    finite = np.isfinite(share)
    assert (share[:, rational][finite[:, rational]] == 1).all()
    others = np.delete(share, rational, axis=1)
    assert np.allclose(others[np.isfinite(others)], 0.05)


def test_where_no_way_is_left_the_writer_says_so_and_other_keys_help() -> None:
    """Most values must stay: under some keys the code asks one of them to change, under others not."""
    rng = np.random.default_rng(3)
    values = rng.integers(-2, 3, 2048).astype(np.int16)
    price = np.where(rng.random(2048) < 0.11, 1.0, np.inf).astype(np.float32)
    prices = ternary.Prices(price, price)
    marks = ternary.write(values, prices, cases.payload(30), cases.keys(0)).marks
    fixed = ternary.Marks(30, 0, marks.shape, marks.rates)
    stuck = 0
    for seed in range(64):
        try:
            written = ternary.write(values, prices, cases.payload(30), cases.keys(seed), marks=fixed)
        except ternary.StuckError:
            stuck += 1
            continue
        assert (written.values == values)[np.isinf(price)].all()
        assert ternary.read(written.values, fixed, cases.keys(seed)) == cases.payload(30)
    assert 0 < stuck < 64


def test_luma_is_what_viewers_see_change(hidden_letter: tuple[bytes, bytes]) -> None:
    before, after = hidden_letter
    apart = np.abs(luma_of(after) - luma_of(before))
    assert 0 < apart.max() <= 12
