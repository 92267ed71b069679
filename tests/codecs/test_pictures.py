"""Pictures through codecs: round trips, targets, thin and flat pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest
import segno
from PIL import Image
from skimage import data

from stegcli.codecs import choice, files, search
from stegcli.codecs.base import (
    FAVOR,
    Budget,
    CodecId,
    Encoded,
    Picture,
    Rate,
    SecretError,
    Target,
    Wishes,
)
from stegcli.codecs.files import AvifCodec, WebpCodec, WebpLosslessCodec
from stegcli.codecs.search import Trials
from stegcli.errors import MissingExtraError, UsageError
from stegcli.pictures import metrics, reading

SIDE = 64


def photo(height: int = SIDE, width: int = SIDE) -> Picture:
    """(h, w, 3) uint8: a photograph of scikit-image's, shrunk with Lanczos."""
    return reading.resize(np.ascontiguousarray(data.astronaut()[:300, 80:380]), (height, width))


def gray(height: int = SIDE, width: int = SIDE) -> Picture:
    """(h, w) uint8."""
    return np.asarray(Image.fromarray(photo(height, width)).convert("L"))


def code() -> Picture:
    """A QR code with three pixels per module."""
    matrix = np.array(
        [list(row) for row in segno.make("https://example.org/?a=long&tail=1").matrix], np.uint8
    )
    return np.kron(255 * (1 - matrix), np.ones((3, 3), np.uint8))


def revealed(encoded: Encoded, size: tuple[int, int]) -> Picture:
    """Decode as a reader does, from the three values that a stego carries."""
    picture = choice.decode(int(encoded.codec_id), encoded.payload, encoded.shape)
    assert isinstance(picture, np.ndarray)
    return reading.resize(picture, size)


def check(secret: Picture, encoded: Encoded) -> None:
    """The writer's report says what the reader sees."""
    seen = revealed(encoded, secret.shape[:2])
    np.testing.assert_array_equal(seen, encoded.decoded)
    assert seen.shape == secret.shape
    assert encoded.psnr_db == metrics.psnr(secret, seen)


@pytest.mark.parametrize("secret", [gray(), photo()], ids=["gray", "colour"])
@pytest.mark.parametrize("favor", sorted(FAVOR))
def test_target_is_reached_with_few_encodes(secret: Picture, favor: str) -> None:
    encoded = choice.encode(secret, Wishes(FAVOR[favor]))
    check(secret, encoded)
    assert encoded.psnr_db >= FAVOR[favor].psnr_db
    # A level is about half a decibel; two searches of 64 levels by bisection would take 12 encodes.
    assert encoded.psnr_db < FAVOR[favor].psnr_db + 1.2
    assert encoded.encodes <= 8


def test_higher_targets_take_more_bytes() -> None:
    sizes = [len(choice.encode(gray(), Wishes(Target(db), quick=True)).payload) for db in (30, 36, 40, 46)]
    assert sizes == sorted(set(sizes))


def test_encoding_is_deterministic() -> None:
    first, second = (choice.encode(photo(40, 52), Wishes()) for _ in range(2))
    assert first.payload == second.payload
    np.testing.assert_array_equal(first.decoded, second.decoded)


def test_the_search_ends_at_the_border() -> None:
    """The lowest of all levels that reaches the target, or its neighbour."""
    trials = Trials.of(AvifCodec(), gray())
    found = search.reaching(trials, 40.0, draft=True)
    assert found is not None
    lowest = next(level for level in range(64) if trials.at(level, draft=True).psnr_db >= 40)
    assert found.level in {lowest, lowest + 1}
    fitting = search.fitting(trials, 1000, draft=True)
    assert fitting is not None
    highest = max(level for level in range(64) if len(trials.at(level, draft=True).payload) <= 1000)
    assert fitting.level in {highest, highest - 1}


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3000, 2), (2, 3000), (1, 2), (7, 5)])
@pytest.mark.parametrize("colour", [False, True])
def test_thin_secrets_reach_the_target_too(size: tuple[int, int], colour: bool) -> None:
    secret = photo(*size) if colour else gray(*size)
    encoded = choice.encode(secret, Wishes(quick=True))
    check(secret, encoded)
    assert encoded.psnr_db >= 40


@pytest.mark.parametrize("shade", [0, 255])
@pytest.mark.parametrize("shape", [(64, 80), (64, 80, 3)])
def test_flat_secrets_come_back_exactly_in_a_few_bytes(shade: int, shape: tuple[int, ...]) -> None:
    secret = np.full(shape, shade, np.uint8)
    encoded = choice.encode(secret, Wishes())
    check(secret, encoded)
    assert encoded.psnr_db == math.inf
    assert len(encoded.payload) <= 20


def test_what_is_shorter_without_loss_comes_back_exactly() -> None:
    encoded = choice.encode(code(), Wishes(FAVOR["cover"]))
    check(code(), encoded)
    assert encoded.codec_id is CodecId.WEBP_LOSSLESS
    assert len(encoded.payload) < 300


@pytest.mark.parametrize(("exact_bytes", "taken"), [(1000, True), (1090, True), (1110, False)])
def test_an_exact_result_may_be_a_little_longer(exact_bytes: int, taken: bool) -> None:
    lossy, exact = (
        Encoded(codec, bytes(size), (8, 8), gray(8, 8), psnr_db)
        for codec, size, psnr_db in (
            (CodecId.AVIF, 1000, 40.2),
            (CodecId.WEBP_LOSSLESS, exact_bytes, math.inf),
        )
    )
    assert (min(lossy, exact, key=choice._weighted_bytes) is exact) == taken


def test_a_target_beyond_lossy_is_met_without_loss() -> None:
    encoded = choice.encode(photo(), Wishes(Target(100.0)))
    check(photo(), encoded)
    assert encoded.psnr_db == math.inf


@pytest.mark.parametrize("secret", [gray(), photo()], ids=["gray", "colour"])
@pytest.mark.parametrize("max_bytes", [1000, 500])
def test_a_budget_is_kept_and_used(secret: Picture, max_bytes: int) -> None:
    encoded = choice.encode(secret, Wishes(Budget(max_bytes)))
    check(secret, encoded)
    assert encoded.shape == secret.shape
    assert 0.8 * max_bytes < len(encoded.payload) <= max_bytes


def test_a_small_budget_shrinks_the_secret() -> None:
    encoded = choice.encode(gray(), Wishes(Budget(60), quick=True))
    check(gray(), encoded)
    assert len(encoded.payload) <= 60
    assert encoded.shape[0] < SIDE
    assert encoded.psnr_db > metrics.psnr(gray(), np.full_like(gray(), int(gray().mean())))


def test_a_rate_is_a_budget_per_pixel() -> None:
    by_rate, by_budget = (
        choice.encode(gray(), Wishes(goal, quick=True))
        for goal in (Rate(1.5), Budget(int(1.5 * SIDE * SIDE / 8)))
    )
    assert by_rate.payload == by_budget.payload


def test_a_generous_budget_gives_everything() -> None:
    assert choice.encode(photo(), Wishes(Budget(100_000))).psnr_db == math.inf


def test_a_budget_for_nothing_says_what_would_do() -> None:
    with pytest.raises(UsageError, match="does not fit into 5 bytes") as caught:
        choice.encode(gray(), Wishes(Budget(5), quick=True))
    assert "larger cover" in caught.value.hint


def test_quick_is_a_little_longer_and_as_good() -> None:
    quick, patient = (choice.encode(gray(), Wishes(quick=quick)) for quick in (True, False))
    check(gray(), quick)
    assert quick.psnr_db >= 40
    assert quick.encodes < patient.encodes
    assert len(patient.payload) < len(quick.payload) < 1.15 * len(patient.payload)


def test_looks_are_obeyed() -> None:
    for_eyes = choice.encode(gray(), Wishes(Budget(900), quick=True, looks=True))
    for_psnr = choice.encode(gray(), Wishes(Budget(900), quick=True))
    assert metrics.ssim(gray(), for_eyes.decoded) > metrics.ssim(gray(), for_psnr.decoded)


def test_chroma_is_obeyed() -> None:
    halved, full = (
        choice.encode(photo(), Wishes(Budget(900), quick=True, chroma=chroma))
        for chroma in ("4:2:0", "4:4:4")
    )
    check(photo(), halved)
    # The profile, in the first three bits of the sequence header: 1 is 4:4:4.
    assert (halved.payload[1] >> 5, full.payload[1] >> 5) == (0, 1)


@pytest.mark.parametrize("codec", [AvifCodec("4:4:4"), AvifCodec("4:2:0"), WebpCodec(), WebpLosslessCodec()])
@pytest.mark.parametrize("secret", [gray(33, 47), photo(47, 33)], ids=["gray", "colour"])
def test_the_stripped_file_decodes_as_the_whole_one(
    codec: AvifCodec | WebpCodec | WebpLosslessCodec, secret: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: list[bytes] = []
    save = files._saved
    monkeypatch.setattr(
        files, "_saved", lambda *args, **options: whole.append(save(*args, **options)) or whole[-1]
    )
    payload = codec.encode(secret, codec.levels // 2)
    with Image.open(files.io.BytesIO(whole[0])) as image:
        expected = np.asarray(image.convert("L" if secret.ndim == 2 else "RGB"))
    np.testing.assert_array_equal(codec.decode(payload, secret.shape), expected)
    assert len(payload) <= len(whole[0]) - (250 if isinstance(codec, AvifCodec) else 25)


def test_a_large_picture_has_no_tiles_and_comes_back() -> None:
    secret = gray(1100, 4200)  # wider than a single AV1 tile may be
    codec = AvifCodec()
    decoded = codec.decode(codec.encode(secret, 30, draft=True), secret.shape)
    assert metrics.psnr(secret, decoded) > 36


def test_every_level_of_avif_is_another_quantizer() -> None:
    """libavif's own rounding of 0..100 to 0..63."""
    levels = [((100 - round(100 * level / 63)) * 63 + 50) // 100 for level in range(64)]
    assert levels == list(range(63, -1, -1))


# --- without AVIF -


@pytest.fixture
def no_avif(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_avif", lambda: False)
    monkeypatch.setattr(files, "has_avif", lambda: False)


@pytest.mark.usefixtures("no_avif")
@pytest.mark.parametrize("secret", [gray(), photo()], ids=["gray", "colour"])
def test_without_avif_webp_is_written(secret: Picture) -> None:
    encoded = choice.encode(secret, Wishes(Target(34.0)))
    check(secret, encoded)
    assert encoded.psnr_db >= 34
    assert encoded.codec_id in {CodecId.WEBP, CodecId.WEBP_LOSSLESS}


def test_an_avif_payload_without_avif_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = choice.encode(gray(), Wishes())
    assert encoded.codec_id is CodecId.AVIF
    monkeypatch.setattr(files, "has_avif", lambda: False)
    with pytest.raises(MissingExtraError) as caught:
        choice.decode(int(encoded.codec_id), encoded.payload, encoded.shape)
    assert "pip install -U pillow" in caught.value.hint


# --- what is no secret -


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros(16, np.uint8)]
)
def test_other_arrays_are_a_bug_of_the_caller(picture: Picture) -> None:
    with pytest.raises(ValueError, match="a secret must be"):
        choice.encode(picture)


@pytest.mark.parametrize("shape", [(0, 4), (1, 17_000)])
def test_sizes_that_no_codec_takes(shape: tuple[int, int]) -> None:
    with pytest.raises(UsageError):
        choice.encode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("wish", [lambda: Target(0), lambda: Target(101), lambda: Budget(0), lambda: Rate(0)])
def test_wishes_out_of_range(wish: object) -> None:
    with pytest.raises(UsageError):
        wish()  # type: ignore[operator]


def test_ids_are_part_of_the_format() -> None:
    assert {each.name: int(each) for each in CodecId} == {
        "STORED": 1, "DEFLATE": 2, "LZMA": 3, "WEBP_LOSSLESS": 4, "WEBP": 5, "AVIF": 6,
    }  # fmt: skip
    with pytest.raises(SecretError, match="codec 7 is not known"):
        choice.decode(7, b"", (4, 4))
