"""Detectors of changed coefficients and of changed pixels of decoded JPEGs: known answers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from jpeg_files import jpeg_bytes
from PIL import Image
from scipy.signal import correlate2d
from skimage import data

from stegcli.carriers import dct
from stegcli.carriers.jpeg_fresh import fresh_cover
from stegcli.carriers.jpeg_scan import JpegCover, non_zero_ac
from stegcli.crew.base import HERE
from stegcli.errors import UsageError
from stegcli.lab.data import photos
from stegcli.lab.security import ensemble, jpeg_evaluate, presets, requantisation
from stegcli.lab.security.dctr import SIZE, dctr
from stegcli.lab.security.jpeg_subjects import CodedJpegSubject, NsF5Subject
from stegcli.lab.security.requantisation import Part
from stegcli.lab.security.subjects import LsbMatchingSubject

NAMES = ("coffee", "astronaut", "chelsea", "rocket", "camera", "brick", "grass", "gravel", "moon", "page")


@pytest.fixture(scope="module")
def cover() -> tuple[JpegCover, np.ndarray]:
    """A JPEG of quality 75, and what rounding took from it."""
    return fresh_cover(np.ascontiguousarray(data.coffee()[100:300, 100:356]), 75)


def test_dctr_is_what_its_paper_says(cover: tuple[JpegCover, np.ndarray]) -> None:
    """Three of the 64 histograms, counted here pixel by pixel by place."""
    file, _ = cover
    found = dctr(file.luma, file.luma_quantization, 3.7).reshape(64, 25, 5)
    assert found.size == SIZE == 8000
    assert found.sum(axis=-1) == pytest.approx(1, abs=1e-5)
    steps = file.luma_quantization.astype(np.float32)
    picture = dct.join_blocks(dct.inverse(file.luma.astype(np.float32) * steps))
    for vertical, horizontal in ((0, 1), (3, 5), (7, 7)):
        basis = np.outer(dct.BASIS[vertical], dct.BASIS[horizontal])
        levels = np.minimum(np.rint(np.abs(correlate2d(picture, basis, "valid")) / 3.7), 4).astype(int)
        counts = np.zeros((5, 5, 5))
        for row in range(8):
            for column in range(8):
                place = counts[min(row, 8 - row), min(column, 8 - column)]
                place += np.bincount(levels[row::8, column::8].ravel(), minlength=5)
        shares = counts.reshape(25, 5) / counts.reshape(25, 5).sum(axis=1, keepdims=True)
        assert found[8 * vertical + horizontal] == pytest.approx(shares, abs=2e-3)


def test_coded_bits_in_a_jpeg_step_by_one_and_keep_dc(cover: tuple[JpegCover, np.ndarray]) -> None:
    file, error = cover
    quiet, loud = (CodedJpegSubject("", rate).stego(file, error, "s") for rate in (0.1, 0.3))
    for stego in (quiet, loud):
        changes = stego.astype(int) - file.luma
        assert np.abs(changes).max() == 1
        assert not changes[..., 0, 0].any()
    assert 0 < np.count_nonzero(quiet != file.luma) < np.count_nonzero(loud != file.luma)
    informed = CodedJpegSubject("", 0.3, informed=True).stego(file, error, "s")
    steps = (informed - file.luma)[informed != file.luma] * error[informed != file.luma]
    assert steps.mean() > 0, "towards what rounding took"


def test_nsf5_shrinks_as_many_as_its_bits_take(cover: tuple[JpegCover, np.ndarray]) -> None:
    file, error = cover
    stego = NsF5Subject("", 0.4).stego(file, error, "s")
    changed = stego != file.luma
    assert np.array_equal(np.abs(stego[changed]), np.abs(file.luma[changed]) - 1)
    assert not changed[..., 0, 0].any()
    share = np.count_nonzero(changed) / non_zero_ac(file)
    assert -share * np.log2(share) - (1 - share) * np.log2(1 - share) == pytest.approx(0.4, abs=0.03)


def test_the_preset_catches_nsf5_and_needs_photographs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble, "SUBSPACES", (100,))
    monkeypatch.setattr(ensemble, "LEARNERS", 21)
    monkeypatch.setattr(jpeg_evaluate, "_SIDE", 160)
    monkeypatch.setattr(jpeg_evaluate, "QUALITIES", (75,))
    monkeypatch.setattr(jpeg_evaluate, "RATES", (0.2,))
    monkeypatch.setattr(jpeg_evaluate, "_CONTROL_RATE", 0.95)  # so small pictures teach little
    for name in NAMES:
        Image.fromarray(getattr(data, name)()).convert("RGB").save(tmp_path / f"{name}.png")
    result = presets.run_jpeg([f"folder:{tmp_path}"], None, covers=40, crew=HERE)
    assert (result.covers >= 25, result.feature_set) == (True, "dctr")
    errors = {row.subject: row.detection_error for row in result.rows}
    assert list(errors) == [
        "covers against other covers, q75", "nsF5, q75, 0.95 bpnzAC", "coded, q75, 0.2 bpnzAC",
    ]  # fmt: skip
    assert errors["nsF5, q75, 0.95 bpnzAC"] < 0.4
    assert errors["nsF5, q75, 0.95 bpnzAC"] < errors["coded, q75, 0.2 bpnzAC"]
    monkeypatch.setattr(jpeg_evaluate, "_SIDE", 4096)
    with pytest.raises(UsageError, match="only 0 photographs"):
        presets.run_jpeg([f"folder:{tmp_path}"], None)


def test_requantisation_catches_what_was_changed_in_decoded_jpegs_and_nothing_else() -> None:
    decoded, shrunk = [], []
    for number, name in enumerate(NAMES):
        file = io.BytesIO(
            jpeg_bytes(np.array(Image.fromarray(getattr(data, name)()).convert("RGB")), quality=75)
        )
        picture = Image.open(file).convert("RGB")
        decoded.append(Part(np.array(picture)[:256, :256], number))
        small = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS)
        shrunk.append(Part(np.array(small)[:256, :256], number))
    subject = LsbMatchingSubject("LSB matching", 0.3)
    errors = [
        {row.subject: row.detection_error for row in requantisation.assess([subject], parts, crew=HERE)}
        for parts in (decoded, shrunk)
    ]
    assert errors[0]["LSB matching"] <= 0.1
    assert errors[1]["LSB matching"] == 0.5
    assert 0.25 <= errors[0]["covers against other covers"] <= 0.75


def test_parts_of_photographs_lie_in_step_with_their_blocks() -> None:
    ramp = np.arange(100 * 140 * 3, dtype=np.uint32).reshape(100, 140, 3)
    found = list(
        requantisation.parts([lambda: ramp.astype(np.uint8), lambda: np.zeros((40, 40, 3), np.uint8)], 32, 2)
    )
    assert [part.photograph for part in found] == [0, 0, 1]
    assert all(part.rgb.shape == (32, 32, 3) for part in found)
    assert np.array_equal(found[0].rgb, ramp.astype(np.uint8)[16:48, 32:64])


def test_photographs_of_a_folder_are_found(tmp_path: Path) -> None:
    Image.fromarray(data.coffee()).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="only 0 photographs"):
        list(jpeg_evaluate.squares(photos.find(f"folder:{tmp_path}", None), 2))
