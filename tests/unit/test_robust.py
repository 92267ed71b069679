"""The method `robust`: what is promised survives, what does not is reported, the impossible is refused."""

from __future__ import annotations

import numpy as np
import pytest
import robust_cases as cases

from stegcli.codecs.base import FileSecret
from stegcli.errors import ChangedError, ImageError, NothingFoundError, UsageError
from stegcli.methods import table
from stegcli.methods.base import Cover
from stegcli.methods.robust.profiles import PROFILES, PROMISES, promise_of
from stegcli.pictures import metrics


def carried() -> np.ndarray:
    hidden = cases.stego().hidden
    assert isinstance(hidden, np.ndarray)
    return hidden


def through(format_name: str = "JPEG", **options: object) -> np.ndarray | FileSecret:
    """The secret, revealed from what another save left of the stego."""
    file = cases.saved(cases.stego().rgb, format_name, **options)
    return cases.revealed(cases.decoded(file), file if format_name == "JPEG" else None)


def test_a_stego_opens_as_it_is() -> None:
    assert np.array_equal(cases.revealed(cases.stego().rgb), carried())
    assert metrics.psnr(cases.secret(), carried()) > 33
    assert metrics.psnr(cases.photograph(), cases.stego().rgb) > 43


@pytest.mark.parametrize("quality", [95, 85, 75, 60])
@pytest.mark.parametrize("chroma", ["4:2:0", "4:4:4"])
def test_it_opens_after_jpeg(quality: int, chroma: str) -> None:
    assert np.array_equal(through(quality=quality, subsampling=chroma), carried())


@pytest.mark.parametrize("quality", [95, 90])
def test_it_opens_after_webp(quality: int) -> None:
    assert np.array_equal(through("WEBP", quality=quality), carried())


def test_it_opens_from_pixels_of_a_jpeg_and_after_two() -> None:
    once = cases.decoded(cases.saved(cases.stego().rgb, quality=75))
    assert np.array_equal(cases.revealed(once), carried())
    twice = cases.saved(once, quality=75)
    assert np.array_equal(cases.revealed(cases.decoded(twice), twice), carried())


def test_a_progressive_gray_jpeg_opens() -> None:
    luma = np.asarray(cases.Image.fromarray(cases.stego().rgb).convert("L"))
    file = cases.saved(luma, quality=80, progressive=True)
    assert np.array_equal(cases.revealed(cases.decoded(file), file), carried())


def test_what_was_compressed_harder_says_so() -> None:
    file = cases.saved(cases.stego().rgb, quality=45)
    with pytest.raises(ChangedError, match="compressed harder than promised"):
        cases.revealed(cases.decoded(file), file)


@pytest.mark.parametrize(("top", "left"), [(3, 5), (0, 1), (9, 0), (16, 24)])
def test_a_cropped_stego_opens(top: int, left: int) -> None:
    arrived = cases.decoded(cases.saved(cases.stego().rgb, quality=85))
    assert np.array_equal(cases.revealed(arrived[top:, left:]), carried())


def test_a_stego_without_its_last_rows_and_columns_opens() -> None:
    assert np.array_equal(cases.revealed(cases.stego().rgb[:-13, :-10]), carried())


def test_a_framed_stego_opens() -> None:
    framed = np.zeros((300, 320, 3), np.uint8)
    framed[21:277, 40:296] = cases.stego().rgb
    assert np.array_equal(cases.revealed(framed), carried())


def test_of_two_stegos_in_one_picture_one_opens() -> None:
    other = cases.hidden(cases.photograph()[:, ::-1], cases.secret(40)[::-1], survive="jpeg:85")
    both = np.concatenate([cases.stego().rgb, other.rgb], axis=1)
    method, opened = table.open_stego(both, None, cases.keyring(), search=True)
    found = method.reveal(opened, cases.MODELS).content
    assert any(np.array_equal(found, each) for each in (carried(), other.hidden))


def test_what_is_cut_to_a_piece_is_lost_and_says_so_or_is_not_found() -> None:
    with pytest.raises((ChangedError, NothingFoundError)):
        cases.revealed(cases.stego().rgb[:120, :100])


@pytest.mark.parametrize("rgb", ["photograph", "flat", "noise"])
def test_a_picture_without_a_secret_holds_none(rgb: str) -> None:
    pictures = {
        "photograph": cases.photograph(128),
        "flat": np.full((64, 120, 3), 90, np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (120, 64, 3)).astype(np.uint8),
    }
    with pytest.raises(NothingFoundError):
        table.open_stego(pictures[rgb], None, cases.keyring(), search=True)


@pytest.mark.parametrize("size", [(7, 300), (300, 7), (8, 8), (1, 1)])
def test_pictures_smaller_than_a_block_hold_none(size: tuple[int, int]) -> None:
    with pytest.raises(NothingFoundError):
        table.open_stego(np.zeros((*size, 3), np.uint8), None, cases.keyring(), search=True)


def test_a_passphrase_is_needed_and_must_be_right() -> None:
    made = cases.hidden(cases.photograph(), cases.secret(), passphrase="correct horse", survive="jpeg:85")
    file = cases.saved(made.rgb, quality=85)
    rgb = cases.decoded(file)
    assert np.array_equal(cases.revealed(rgb, file, passphrase="correct horse"), made.hidden)
    for wrong in (None, "correct house"):
        with pytest.raises(NothingFoundError):
            cases.revealed(rgb, file, passphrase=wrong)


@pytest.mark.parametrize("factor", [0.75, 1.5])
def test_a_resized_stego_is_found_by_search(factor: float) -> None:
    made = cases.large_stego()
    side = round(2 * cases.SIDE * factor)
    small = cases.resized(made.rgb, (side, side))
    with pytest.raises(NothingFoundError):
        table.open_stego(small, None, cases.keyring())
    told: list[tuple[str, float]] = []
    method, opened = table.open_stego(
        small, None, cases.keyring(), search=True, progress=lambda stage, share: told.append((stage, share))
    )
    assert np.array_equal(method.reveal(opened, cases.MODELS).content, made.hidden)
    assert told[0] == ("search", 0.0)


@pytest.mark.parametrize(("quarters", "flipped"), [(1, False), (2, False), (3, True), (0, True)])
def test_a_turned_stego_is_found_by_search(quarters: int, flipped: bool) -> None:
    turned = np.rot90(cases.stego().rgb, quarters)
    turned = np.ascontiguousarray(turned[:, ::-1] if flipped else turned)
    method, opened = table.open_stego(turned, None, cases.keyring(), search=True)
    assert np.array_equal(method.reveal(opened, cases.MODELS).content, carried())


def test_a_file_comes_back_byte_for_byte() -> None:
    file = FileSecret("note.txt", b"meet me at the usual place " * 3)
    made = cases.hidden(cases.photograph(), file, survive="jpeg:75")
    arrived = cases.saved(made.rgb, quality=75)
    assert cases.revealed(cases.decoded(arrived), arrived) == file


def test_colour_comes_back_in_colour() -> None:
    colour = cases.resized(cases.photograph(), (32, 32))
    made = cases.hidden(cases.photograph(), colour, survive="jpeg:85")
    found = cases.revealed(cases.decoded(cases.saved(made.rgb, quality=85)))
    assert np.array_equal(found, made.hidden)
    assert made.header.is_colour


def test_transparent_blocks_carry_nothing() -> None:
    alpha = np.full((cases.SIDE, cases.SIDE), 255, np.uint8)
    alpha[64:128, 64:200] = 128
    made = cases.hidden(Cover(cases.photograph(), alpha), cases.secret(), survive="jpeg:85")
    assert np.array_equal(made.rgb[64:128, 64:200], cases.photograph()[64:128, 64:200])
    assert np.array_equal(cases.revealed(made.rgb), made.hidden)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_and_saturated_covers_keep_what_is_promised(level: int) -> None:
    flat = np.full((cases.SIDE, cases.SIDE, 3), level, np.uint8)
    made = cases.hidden(flat, cases.secret(), survive="jpeg:75")
    file = cases.saved(made.rgb, quality=75)
    assert np.array_equal(cases.revealed(cases.decoded(file), file), made.hidden)


@pytest.mark.parametrize("shape", [(64, 64), (127, 500), (128, 128)])
def test_small_covers_are_refused(shape: tuple[int, int]) -> None:
    cover = cases.resized(cases.photograph(), shape)
    with pytest.raises(ImageError, match=r"at least|too small"):
        cases.hidden(cover, cases.secret(), survive="jpeg:50")


def test_a_file_that_cannot_fit_is_refused_with_what_would() -> None:
    large = FileSecret("noise.bin", np.random.default_rng(0).bytes(12_000))
    with pytest.raises(ImageError, match="12,0"):
        cases.hidden(cases.photograph(), large, survive="jpeg:50")
    middling = FileSecret("noise.bin", np.random.default_rng(0).bytes(2000))
    with pytest.raises(ImageError, match="would fit"):
        cases.hidden(cases.photograph(), middling, survive="jpeg:50")


@pytest.mark.parametrize(("survive", "says_less"), [("jpeg:85", False), ("webp:90", True)])
def test_the_cure_for_a_clear_cover_is_an_opaque_one(survive: str, says_less: bool) -> None:
    """And not to promise what was promised already."""
    cover = Cover(cases.photograph(), np.full((cases.SIDE, cases.SIDE), 128, np.uint8))
    with pytest.raises(ImageError) as told:
        cases.hidden(cover, FileSecret("note.txt", b"hello"), survive=survive)
    assert "opaque" in told.value.hint
    assert ("promise less" in told.value.hint) == says_less


def test_a_large_secret_comes_back_coarser_so_that_the_stego_looks_well() -> None:
    made = cases.hidden(cases.photograph(), cases.secret(128), survive="jpeg:50")
    assert metrics.psnr(cases.photograph(), made.rgb) >= 40
    assert any("will be revealed at" in notice for notice in made.notices)
    assert all(proof.opened for proof in made.proofs)


def test_a_quality_that_was_asked_for_is_kept() -> None:
    made = cases.hidden(cases.photograph(), cases.secret(64), survive="jpeg:60", target=32.0)
    assert metrics.psnr(cases.secret(64), made.hidden) >= 32


def test_every_channel_is_reported_with_its_margin() -> None:
    proofs = cases.stego().proofs
    assert [proof.channel for proof in proofs] == [each.name for each in PROMISES["jpeg:75"].channels]
    assert all(proof.opened and proof.margin > 0 for proof in proofs)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_profiles_are_whole(name: str) -> None:
    profile, promise = PROFILES[name], promise_of(name)
    assert profile.source
    assert profile.survives in PROMISES
    assert promise.longest_side == profile.longest_side
    assert f"JPEG {profile.quality}" in [channel.name for channel in promise.channels]
    assert promise.quality < profile.quality


@pytest.mark.parametrize("name", ["jpeg", "jpeg:10", "", "fax"])
def test_unknown_promises_name_the_choices(name: str) -> None:
    with pytest.raises(UsageError, match="survive") as caught:
        promise_of(name)
    assert "jpeg:75" in caught.value.hint
    assert "whatsapp" in caught.value.hint


def test_unknown_preferences_are_refused() -> None:
    with pytest.raises(UsageError, match="favor"):
        cases.hidden(cases.photograph(), cases.secret(), survive="jpeg:85", favor="speed")
