"""Detectors of changed coefficients, and of changed pixels of decoded JPEGs: known answers."""

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
from stegcli.lab.security import jpeg_evaluate, presets, requantisation, ridge, verdicts
from stegcli.lab.security.jpeg_features import SETS, SIZE, features
from stegcli.lab.security.jpeg_subjects import CodedJpegSubject, NsF5Subject
from stegcli.lab.security.requantisation import Part
from stegcli.lab.security.subjects import LsbMatchingSubject

NAMES = ("coffee", "astronaut", "chelsea", "rocket", "camera", "brick", "grass", "gravel", "moon", "page")


@pytest.fixture(scope="module")
def cover() -> tuple[JpegCover, np.ndarray]:
    """A JPEG of quality 75, and the rounding errors of its coefficients."""
    return fresh_cover(np.ascontiguousarray(data.coffee()[100:300, 100:356]), 75)


def test_features_are_what_their_papers_say(cover: tuple[JpegCover, np.ndarray]) -> None:
    """Some of the histograms, counted here pixel by pixel and place by place."""
    file, _ = cover
    found = features(file.luma, file.luma_quantization, 3.7)
    assert found.size == SIZE == 17_000
    cosines, waves = found[SETS["DCTR"]].reshape(64, 25, 5), found[8000:].reshape(2, 4, 9, 25, 5)
    assert np.concatenate([cosines.sum(axis=-1), waves.sum(axis=-1).reshape(-1, 25)]) == pytest.approx(
        1, abs=1e-5
    )
    picture = _decoded(file)
    for vertical, horizontal in ((0, 1), (3, 5), (7, 7)):
        basis = np.outer(dct.BASIS[vertical], dct.BASIS[horizontal])
        expected = _shares(np.abs(correlate2d(picture, basis, "valid")) / 3.7)
        assert cosines[8 * vertical + horizontal] == pytest.approx(expected, abs=5e-3)
    y, x = np.mgrid[-3.5:4, -3.5:4]
    across = np.exp(-(x**2 + y**2 / 4) / 2) * np.sin(2 * np.pi * 0.56 * x)
    upright = _shares(np.abs(correlate2d(picture, across, "valid")) / (1.5 * 3.7))
    assert waves[1, 2, 0] == pytest.approx(upright, abs=5e-3)
    lying = _shares(np.abs(correlate2d(picture, across.T, "valid")) / (1.5 * 3.7))
    assert waves[1, 2, 8] == pytest.approx(lying, abs=5e-3)


def _decoded(file: JpegCover) -> np.ndarray:
    steps = file.luma_quantization.astype(np.float32)
    return dct.join_blocks(dct.inverse(file.luma.astype(np.float32) * steps))


def _shares(magnitudes: np.ndarray) -> np.ndarray:
    levels = np.minimum(np.rint(magnitudes), 4).astype(int)
    counts = np.zeros((5, 5, 5))
    for row in range(8):
        for column in range(8):
            place = counts[min(row, 8 - row), min(column, 8 - column)]
            place += np.bincount(levels[row::8, column::8].ravel(), minlength=5)
    return counts.reshape(25, 5) / counts.reshape(25, 5).sum(axis=1, keepdims=True)


def test_the_field_s_own_features_agree(cover: tuple[JpegCover, np.ndarray]) -> None:
    """Nearly: where a response lies half way between two magnitudes, they may choose differently."""
    theirs = pytest.importorskip("sealwatch")
    file, _ = cover
    picture = _decoded(file).astype(np.float64)
    found = features(file.luma, file.luma_quantization, 3.7)
    cosines = np.concatenate(list(theirs.dctr.extract(picture, q=3.7).values()))
    waves = theirs.gfr.extract(picture, num_rotations=16, quantization_steps=[1.85, 3.7, 5.55, 7.4])
    apart = np.abs(found - np.concatenate([cosines, waves.reshape(-1)]))
    assert (apart.max() < 0.03, (apart < 2e-3).mean() > 0.995) == (True, True)


def test_leaving_groups_out_needs_no_training_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The errors by which a penalty is chosen are those of detectors trained without each group."""
    rng = np.random.default_rng(4)
    groups, labels = np.repeat(np.arange(12), 4), np.tile([-1.0, 1.0], 24)
    values = rng.normal(size=(48, 70)) + 0.2 * labels[:, None] * rng.normal(size=70)
    values = ((values - values.mean(axis=0)) / values.std(axis=0)).astype(np.float32)
    kernel = (values @ values.T).astype(np.float64)
    eigenvalues, vectors = np.linalg.eigh(kernel)
    errors = []
    for penalty in (1.0, 30.0, 300.0):
        wrong = 0
        for group in range(12):
            out = groups == group
            alone = kernel[np.ix_(~out, ~out)] + penalty * np.eye(44)
            fitted = kernel[np.ix_(out, ~out)] @ np.linalg.solve(alone, labels[~out])
            wrong += int((fitted * labels[out] <= 0).sum())
        assert ridge.left_out_errors(eigenvalues, vectors, penalty, labels, groups) == wrong
        errors.append(wrong)
    assert 0 < min(errors) < 24
    monkeypatch.setattr(ridge, "PENALTIES", (1e-2,))
    one = ridge.train(values, labels, groups)
    monkeypatch.setattr(ridge, "PENALTIES", (1e6,))
    stiff = ridge.train(values, labels, groups)
    assert np.linalg.norm(stiff.weights) < 1e-3 * np.linalg.norm(one.weights)


def test_a_ridge_learns_a_shift_and_nothing_from_the_group_that_it_judges() -> None:
    rng = np.random.default_rng(6)
    groups, labels = np.tile(np.repeat(np.arange(16), 4), 2), np.repeat([-1.0, 1.0], 64)
    noise = np.tile(rng.normal(size=(64, 200)), (2, 1)) + 0.1 * rng.normal(size=(128, 200))
    shifted = (noise + 0.2 * labels[:, None]).astype(np.float32)
    assert (ridge.held_out(shifted, labels, groups, 0) * labels > 0).mean() > 0.9
    own = (rng.normal(size=(16, 200))[groups] + 0.1 * noise).astype(np.float32)
    right = []
    for seed in range(8):
        kinds = rng.permutation(np.tile([-1.0, 1.0], 8))[groups]
        right.append((ridge.held_out(own, kinds, groups, seed) * kinds > 0).mean())
    assert (ridge.train(own, kinds, groups).scores(own) * kinds > 0).all()
    assert 0.35 < np.mean(right) < 0.65, "what a group has in common says nothing of others"


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


def test_the_preset_catches_nsf5_goes_on_and_needs_photographs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jpeg_evaluate, "_SIDE", 160)
    chosen = jpeg_evaluate.CoverSet(90, 0.9, rates=(0.2,), informed=(0.2,), one_in=2)
    monkeypatch.setattr(jpeg_evaluate, "COVER_SETS", (chosen,))
    monkeypatch.setattr(jpeg_evaluate, "_CONTROL_RATE", 0.95)  # so small pictures teach little
    monkeypatch.setattr(jpeg_evaluate, "_CONTROLS", 4)
    monkeypatch.setattr(ridge, "PENALTIES", (1e-2,))
    for name in NAMES:
        Image.fromarray(getattr(data, name)()).convert("RGB").save(tmp_path / f"{name}.png")
    kept = tmp_path / "kept"
    result = presets.run_jpeg([f"folder:{tmp_path}"], None, covers=60, kept=kept, crew=HERE)
    assert (result.covers >= 40, result.feature_set) == (True, "dctr+gfr")
    rows = {row.subject: row for row in result.rows}
    control, caught, *hidden = rows
    assert [control, caught, *hidden] == [
        "covers against other covers, q90, shrunk to 0.9",
        "nsF5, q90, 0.95 bpnzAC, shrunk to 0.9",
        "coded, q90, 0.2 bpnzAC, shrunk to 0.9",
        "coded with side information, q90, 0.2 bpnzAC, shrunk to 0.9",
    ]
    assert rows[caught].detection_error < 0.3
    assert all(rows[caught].detection_error < rows[name].detection_error for name in hidden)
    assert 0.25 < rows[control].detection_error < 0.75
    for row in result.rows:
        assert set(row.by_detector) == {"DCTR", "DCTR + GFR"}
        assert row.detection_error == pytest.approx(min(map(np.mean, row.by_detector.values())), abs=1e-3)
        assert (row.pairs, 0 <= row.pooled_low <= row.pooled_error <= row.pooled_high) == (
            -(-result.covers // 2),
            True,
        )
    for module, name in ((jpeg_evaluate, "fresh_cover"), (jpeg_evaluate.jpeg_features, "features")):
        monkeypatch.setattr(module, name, None)  # all is kept, so none of it is needed again
    again = presets.run_jpeg([f"folder:{tmp_path}"], None, covers=60, kept=kept, crew=HERE)
    assert again == result
    monkeypatch.setattr(jpeg_evaluate, "_SIDE", 4096)
    with pytest.raises(UsageError, match="only 0 photographs"):
        presets.run_jpeg([f"folder:{tmp_path}"], None)


def test_whole_photographs_are_judged_by_the_mean_score_of_their_parts() -> None:
    covers, stegos = np.array([-3.0, 1, -1, -1, 2, 1]), np.array([3.0, -1, -1, -1, 2, 4])
    row = verdicts.row("", covers, stegos, 0, stego_psnr_db=None, groups=np.array([0, 0, 1, 1, 2, 2]))
    assert row.detection_error == pytest.approx((3 / 6 + 3 / 6) / 2)
    assert row.pooled_error == pytest.approx((1 / 3 + 1 / 3) / 2)
    assert verdicts.row("", covers, stegos, 0, stego_psnr_db=None).pooled_error is None


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
        list(jpeg_evaluate.squares(photos.find(f"folder:{tmp_path}", None), 0.9, 2))
