from pathlib import Path

import numpy as np
import pytest

from stegcli.carriers.phases import single
from stegcli.codecs.base import Rate, Target
from stegcli.crew.base import HERE
from stegcli.errors import MissingExtraError, UsageError
from stegcli.lab import statistics
from stegcli.lab.data import photos
from stegcli.lab.data.covers import load_cover, middle
from stegcli.lab.quality.hiders import ModelHider
from stegcli.lab.security import ensemble, evaluate
from stegcli.lab.security.coded_subjects import CodedSubject, HillSubject
from stegcli.lab.security.features import FEATURES, SUITE, detectors, features
from stegcli.lab.security.subjects import LSBM_CONTROL, LsbMatchingSubject, PhaseSubject
from stegcli.lab.writing import IdealCoder


def test_the_controls_give_the_known_answers(photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensemble, "SUBSPACES", (100,))
    monkeypatch.setattr(ensemble, "LEARNERS", 21)
    refs = evaluate.covers_of(photos.find(f"folder:{photo_folder}", None), 40)
    rows = evaluate.assess([LsbMatchingSubject(), PhaseSubject(64, "spread 64")], refs, part=0.5, crew=HERE)
    errors = {row.subject: row.detection_error for row in rows}
    assert errors[LSBM_CONTROL] <= 0.1
    assert 0.25 <= errors[evaluate.COVER_CONTROL] <= 0.75  # ten pairs a class: wide, but far from both ends
    assert errors["spread 64"] > errors[LSBM_CONTROL]


@pytest.fixture
def suite_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite whose detectors use parts of the program's own features, as sealwatch may not be installed."""
    monkeypatch.setattr(ensemble, "SUBSPACES", (50,))
    monkeypatch.setattr(ensemble, "LEARNERS", 5)
    monkeypatch.setattr(ensemble, "TRIAL_LEARNERS", 3)
    monkeypatch.setitem(FEATURES, "spam", lambda rgb: features("colour")(rgb)[:60])
    monkeypatch.setitem(FEATURES, "crm", lambda rgb: features("colour")(rgb)[60:200])


@pytest.mark.usefixtures("suite_of_parts")
def test_the_detector_that_errs_least_is_a_subject_s_figure(photo_folder: Path) -> None:
    refs = evaluate.covers_of(photos.find(f"folder:{photo_folder}", None), 20)
    subjects = [LsbMatchingSubject(), LsbMatchingSubject("one in ten", 0.1)]
    rows = evaluate.assess(subjects, refs, feature_set=SUITE, part=0.5, trainings=2, crew=HERE)
    for row in rows:
        assert list(row.by_detector) == ["colour", "spam", "crm", "colour + spam"]
        means = {name: np.mean(errors) for name, errors in row.by_detector.items()}
        assert row.detection_error == pytest.approx(min(means.values()), abs=1e-4)
        assert row.error_low <= row.detection_error <= row.error_high
    assert any(first != second for row in rows for first, second in row.by_detector.values())


def test_what_was_looked_at_is_not_done_again(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble, "SUBSPACES", (50,))
    monkeypatch.setattr(ensemble, "LEARNERS", 5)
    monkeypatch.setattr(ensemble, "TRIAL_LEARNERS", 3)
    refs = evaluate.covers_of(photos.find(f"folder:{photo_folder}", None), 20)
    sparse = LsbMatchingSubject("one in ten", 0.1)
    first = evaluate.assess([LsbMatchingSubject()], refs, part=0.5, kept=tmp_path / "kept", crew=HERE)
    both = evaluate.assess([LsbMatchingSubject(), sparse], refs, part=0.5, kept=tmp_path / "kept", crew=HERE)
    assert both[:2] == first
    monkeypatch.setattr(LsbMatchingSubject, "stego", None)
    assert (
        evaluate.assess([LsbMatchingSubject(), sparse], refs, part=0.5, kept=tmp_path / "kept", crew=HERE)
        == both
    )


def test_unknown_features_are_refused() -> None:
    assert list(detectors("colour").values()) == [("colour",)]
    assert detectors("colour+spam") == {
        "colour": ("colour",),
        "spam": ("spam",),
        "colour + spam": ("colour", "spam"),
    }
    with pytest.raises(UsageError, match=r"colour\+best"):
        detectors("colour+best")
    with pytest.raises(UsageError, match="best"):
        detectors("best")


def test_covers_are_shrunk_by_a_quarter_and_lie_on_their_side(photo_folder: Path) -> None:
    ref = photos.find(f"folder:{photo_folder}", None)[0]
    assert evaluate.load_cover(ref).shape == (192, 256, 3)


def test_a_cover_that_is_not_shrunk_keeps_its_pixels(photo_folder: Path) -> None:
    ref = photos.find(f"folder:{photo_folder}", None)[0]
    with ref.open() as picture:
        pixels = np.asarray(picture)
    assert np.array_equal(evaluate.load_cover(ref, 1.0), pixels[36:228, 48:304])


def test_the_middle_of_a_cover_has_its_pixels(photo_folder: Path) -> None:
    whole = load_cover(photos.find(f"folder:{photo_folder}", None)[0])
    np.testing.assert_array_equal(middle(whole, 0.5), whole[48:144, 64:192])
    np.testing.assert_array_equal(middle(whole, 1.0), whole)


def test_too_few_large_pictures_are_refused(photo_folder: Path) -> None:
    with pytest.raises(UsageError, match="only 5"):
        evaluate.covers_of(photos.find(f"folder:{photo_folder}", None)[:5], 100)


def test_features_are_shares_and_feel_a_change(cover_rgb: np.ndarray) -> None:
    extract = features("colour")
    before = extract(cover_rgb)
    stego = LsbMatchingSubject().stego(cover_rgb, cover_rgb[..., 0], "seed")
    assert before.dtype == np.float32
    assert before.min() >= 0
    assert not np.allclose(before, extract(stego), atol=1e-3)


def test_mirroring_a_picture_changes_no_symmetric_statistic(cover_rgb: np.ndarray) -> None:
    turned = 255 - cover_rgb  # every residual changes its sign
    even = 7 * 3 * 63
    assert np.allclose(features("colour")(cover_rgb)[:even], features("colour")(turned)[:even], atol=1e-6)


@pytest.mark.parametrize("name", ["spam", "crm", "srmq1"])
def test_the_field_s_own_features_need_the_extra(cover_rgb: np.ndarray, name: str) -> None:
    try:
        import sealwatch  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtraError) as caught:
            FEATURES[name](cover_rgb)
        assert "stegcli[lab]" in caught.value.hint
    else:
        assert FEATURES[name](cover_rgb[:96, :96]).ndim == 1


def test_an_ensemble_learns_a_shift_and_nothing_from_noise() -> None:
    rng = np.random.default_rng(0)
    covers, noise = rng.normal(size=(2, 80, 60)).astype(np.float32)
    shifted = (covers + 0.3 * rng.normal(size=(80, 60)) + 0.8).astype(np.float32)
    detector = ensemble.train(covers[:40], shifted[:40], 1)
    assert (detector.scores(shifted[40:]) > 0).mean() > 0.9
    assert (detector.margins(shifted[40:]) > 0).mean() > 0.9
    blind = ensemble.train(covers[:40], noise[:40], 1)
    assert 0.25 < (blind.scores(noise[40:]) > 0).mean() < 0.75


def test_the_field_s_own_ensemble_agrees() -> None:
    """Both train on the same pairs and judge others; their subspaces differ, and ours standardises."""
    theirs = pytest.importorskip("sealwatch").ensemble_classifier.FldEnsembleTrainer
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(60, 60))
    covers = rng.normal(size=(400, 60)) @ mixing
    stegos = (covers + 0.5 * rng.normal(size=(400, 60)) @ mixing + 1.2 * mixing[0]).astype(np.float32)
    covers = covers.astype(np.float32)
    ours = ensemble.train(covers[:200], stegos[:200], 1)
    trainer = theirs(covers[:200], stegos[:200], seed=1, L=61, d_sub=len(ours.learners[0].chosen), verbose=0)
    other, _ = trainer.train()
    error = statistics.detection_error(ours.scores(covers[200:]), ours.scores(stegos[200:]))
    alarms, hits = ((other.predict(each[200:]) > 0).mean() for each in (covers, stegos))
    assert 0.05 < error < 0.45, "neither blind nor all-knowing"
    assert (alarms + 1 - hits) / 2 == pytest.approx(error, abs=0.05)


def test_an_ensemble_folds_into_the_mean_margin_of_its_learners() -> None:
    rng = np.random.default_rng(1)
    covers = (5 + 3 * rng.normal(size=(60, 80))).astype(np.float32)
    detector = ensemble.train(covers, (covers + 0.5).astype(np.float32), 2)
    normal = ((covers - detector.centre) / detector.scale).astype(np.float32)
    expected = np.mean(
        [(normal[:, e.chosen] @ e.weights - e.threshold) / e.spread for e in detector.learners], axis=0
    )
    assert np.allclose(detector.margins(covers), expected, atol=1e-3)
    weights, offset = detector.folded()
    assert np.allclose(covers @ weights + offset, expected, atol=1e-3)


def test_a_subject_writes_what_hide_writes(cover_rgb: np.ndarray) -> None:
    subject = PhaseSubject(4, "spread 4", single.LAMBDAS["balanced"])
    assert subject.write(cover_rgb, "seed")[1] == pytest.approx(0.027, abs=0.004)
    stego = subject.stego(cover_rgb, cover_rgb[..., 0], "seed")
    changed = (stego != cover_rgb).any(axis=-1).mean()
    assert 0.16 < changed < 0.23


def test_coded_bits_are_what_hide_writes(cover_rgb: np.ndarray, secret_gray: np.ndarray) -> None:
    cover, secret = cover_rgb[:128, :128], secret_gray[:128, :128]
    made = ModelHider("coded@40", None, "balanced", "cpu").hide(cover, secret, "seed", None)
    subject = CodedSubject("coded", Rate(made.written_bits / secret.size))
    stego = subject.stego(cover, secret, "seed")
    changes, expected = ((each != cover).any(axis=-1).mean() for each in (stego, made.stego_rgb))
    assert changes == pytest.approx(expected, rel=0.1)
    assert np.abs(stego.astype(int) - cover).max() == 1


def test_more_bits_change_more(cover_rgb: np.ndarray, secret_gray: np.ndarray) -> None:
    cover, secret = cover_rgb[:128, :128], secret_gray[:128, :128]
    subjects = [CodedSubject(f"{rate}", Rate(rate)) for rate in (0.05, 0.2, 0.8)]
    subjects += [CodedSubject("more than fits", Rate(50.0))]
    changed = [(each.stego(cover, secret, "seed") != cover).mean() for each in subjects]
    assert changed == sorted(changed)
    assert changed[0] > 0.004
    assert changed[-1] > 0.4


def test_the_quality_decides_how_many_bits(cover_rgb: np.ndarray, secret_gray: np.ndarray) -> None:
    cover, secret = cover_rgb[:128, :128], secret_gray[:128, :128]
    near, far = (
        CodedSubject("coded", Target(40.0), spread).stego(cover, secret, "seed") for spread in (1, 16)
    )
    assert (near != cover).mean() > 2 * (far != cover).mean()


def test_the_ideal_rival_carries_its_rate(cover_rgb: np.ndarray) -> None:
    stego = HillSubject("HILL", 0.3).stego(cover_rgb, cover_rgb[..., 0], "seed")
    bits = IdealCoder.on(cover_rgb).capacity(float(np.count_nonzero(stego != cover_rgb)))
    assert bits / cover_rgb[..., 0].size == pytest.approx(0.3, rel=0.05)
