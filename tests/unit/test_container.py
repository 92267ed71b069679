from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from head_vectors import HEADS

from stegcli.carriers import parity, streams
from stegcli.carriers.phases import channel
from stegcli.envelope import convolution, head, header, keys
from stegcli.envelope.header import MAX_SIZE, SEALED_BYTES, Header, group_size, parity_count, seal
from stegcli.errors import ImageError, ModelError, NothingFoundError
from stegcli.methods import isgan, table
from stegcli.methods.phase.body import MAX_SPREAD, Body, code_to_sigma, sigma_to_code
from stegcli.methods.phase.planes import ALL_PLANES, PLANE_OF_PLACE, count_sent, sent

pytestmark = pytest.mark.usefixtures("quick_keys")

HEADER = Header(
    channel=channel.LUMA_PHASE,
    secret_height=1200,
    secret_width=900,
    hidden_height=64,
    hidden_width=48,
    keyed=True,
    own=Body(sha256(b"decoder").digest()[:4], spread=1, noise_code=100).to_bytes(),
)


LOCATOR = sha256(b"locator").digest()


def plan_of(count: int, salt: bytes, sealed: bytes, locator: bytes = LOCATOR, group: int = 1) -> Any:
    return header.parity_plan(count, salt, sealed, header.draw_places(count, locator), group)


def read_salt(pixels: np.ndarray, locator: bytes = LOCATOR) -> tuple[bytes, int]:
    return header.read_salt(pixels, header.draw_places(len(pixels), locator))


def open_header(
    pixels: np.ndarray, subkeys: streams.Keys, locator: bytes = LOCATOR, group: int = 1
) -> Header:
    return header.open_header(pixels, subkeys, header.draw_places(len(pixels), locator), group)


def make_keys(seed: int) -> streams.Keys:
    return streams.Keys(*(sha256(bytes([seed, purpose])).digest() for purpose in range(3)))


def random_pixels(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3), dtype=np.uint8)


def with_header(pixels: np.ndarray, seed: int) -> tuple[np.ndarray, bytes]:
    """Pixels with HEADER under `make_keys(seed)` in their parities, and the salt."""
    salt = sha256(bytes([seed])).digest()[:16]
    sealed = seal(HEADER, make_keys(seed))
    return parity.force_parity(pixels, *plan_of(len(pixels), salt, sealed)), salt


def destroyed(pixels: np.ndarray, share: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hit = rng.random(len(pixels)) < share
    return np.where(hit[:, None], rng.integers(0, 256, pixels.shape), pixels).astype(np.uint8)


def test_layout_is_26_bytes_that_come_back() -> None:
    plaintext = HEADER.to_bytes()
    assert len(plaintext) == 26
    assert len(seal(HEADER, make_keys(0))) == SEALED_BYTES == 42
    assert Header.from_bytes(plaintext) == HEADER
    own = Body(b"1234", spread=MAX_SPREAD, noise_code=255, planes=1)
    assert Body.from_bytes(own.to_bytes()) == own
    largest = replace(HEADER, secret_height=MAX_SIZE, keyed=False, own=own.to_bytes())
    assert Header.from_bytes(largest.to_bytes()) == largest


@pytest.mark.parametrize(
    "change",
    [
        {"secret_height": 0},
        {"hidden_width": MAX_SIZE + 1},
        {"channel": 256},
        {"own": b"abc"},
    ],
)
def test_header_refuses_what_the_layout_cannot_hold(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        replace(HEADER, **change)


@pytest.mark.parametrize(
    "change", [{"spread": 0}, {"planes": 0}, {"planes": 65}, {"noise_code": 256}, {"model": b"abc"}]
)
def test_the_phase_codec_s_bytes_refuse_what_they_cannot_hold(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"out of range|must be"):
        Body(**{"model": b"1234", **change})


@pytest.mark.parametrize("index_and_value", [(0, 0), (23, 2), (25, 1)])
def test_other_versions_flags_and_reserved_bytes_are_refused(
    index_and_value: tuple[int, int],
) -> None:
    index, value = index_and_value
    plaintext = bytearray(HEADER.to_bytes())
    plaintext[index] = value
    with pytest.raises(ValueError, match="version"):
        Header.from_bytes(bytes(plaintext))


def test_noise_codes_are_within_a_sixtieth_octave() -> None:
    for sigma in np.geomspace(0.00033, 0.5, 50):
        assert abs(np.log2(code_to_sigma(sigma_to_code(sigma)) / sigma)) <= 1 / 48 + 1e-9
    assert [sigma_to_code(sigma) for sigma in (9.0, 0.5, 1e-9, 0.0)] == [0, 0, 255, 255]


def test_positions_are_distinct_and_the_locator_s() -> None:
    for count in (parity.MIN_PIXELS, 5000, 65_536, 1_000_003):
        positions, bits = plan_of(count, bytes(16), bytes(42))
        elsewhere, same_bits = plan_of(count, bytes(16), bytes(42), bytes(32))
        assert (positions != elsewhere).mean() > 0.99
        assert positions.shape == (len(bits), 1)
        assert (bits == same_bits).all()
        assert len(np.unique(positions)) == len(bits) == parity_count(count)
        assert 0 <= positions.min() <= positions.max() < count


@pytest.mark.parametrize("count", [parity.MIN_PIXELS, 65_536, 600_000])
def test_header_comes_back_from_random_pixels(count: int) -> None:
    pixels, salt = with_header(random_pixels(count), 1)
    assert read_salt(pixels) == (salt, 1)
    assert open_header(pixels, make_keys(1)) == HEADER


@pytest.mark.parametrize("value", [0, 255])
def test_header_is_forced_into_pixels_at_either_end(value: int) -> None:
    cover = np.full((parity.MIN_PIXELS, 3), value, dtype=np.uint8)
    stego, _ = with_header(cover, 1)
    assert open_header(stego, make_keys(1)) == HEADER
    assert np.abs(stego.astype(int) - cover).max() == 1


def test_forcing_changes_blue_by_one_where_needed_and_nothing_else() -> None:
    cover = random_pixels(65_536)
    positions, bits = plan_of(len(cover), bytes(16), bytes(42))
    residual = parity.force_parity(cover, positions, bits).astype(int) - cover
    places = positions[:, 0]
    wrong = places[cover[places].sum(axis=1) % 2 != bits]
    assert np.flatnonzero(residual.any(axis=1)).tolist() == sorted(wrong.tolist())
    assert not residual[:, :2].any()
    assert set(np.unique(residual[wrong, 2])) == {-1, 1}
    assert abs(residual[wrong, 2].mean()) < 0.15


@pytest.mark.parametrize("seed", range(25))
def test_header_opens_with_a_tenth_of_a_256x256_image_destroyed(seed: int) -> None:
    pixels, salt = with_header(random_pixels(65_536, seed), seed)
    damaged = destroyed(pixels, 0.1, seed)
    assert read_salt(damaged) == (salt, 1)
    assert open_header(damaged, make_keys(seed)) == HEADER


@pytest.mark.parametrize("value", [0, 255])
def test_header_opens_with_a_20_pixel_stripe_overwritten(value: int) -> None:
    pixels, salt = with_header(random_pixels(65_536), 2)
    picture = pixels.reshape(256, 256, 3).copy()
    picture[100:120] = value
    picture[:, 30:50] = value
    assert read_salt(picture.reshape(-1, 3)) == (salt, 1)
    assert open_header(picture.reshape(-1, 3), make_keys(2)) == HEADER


def test_wrong_key_nothing_hidden_and_ruin_are_one_answer() -> None:
    pixels, _ = with_header(random_pixels(65_536), 3)
    answers = []
    for tried, subkeys, locator in [
        (pixels, make_keys(4), LOCATOR),
        (pixels, make_keys(3), bytes(32)),
        (random_pixels(65_536, 9), make_keys(3), LOCATOR),
        (destroyed(pixels, 0.9, 5), make_keys(3), LOCATOR),
        (pixels[:-1], make_keys(3), LOCATOR),
    ]:
        with pytest.raises(NothingFoundError) as answer:
            open_header(tried, subkeys, locator)
        answers.append((str(answer.value), answer.value.hint))
    assert len(set(answers)) == 1


@pytest.mark.parametrize(
    ("number", "own"),
    [
        (channel.LUMA_PHASE, Body(b"1234", spread=2)),
        (channel.LUMA_JOINT, Body(b"1234", spread=2)),
        (isgan.CHANNEL, Body(b"1234")),
    ],
)
def test_header_that_claims_more_than_the_stego_holds_is_not_believed(number: int, own: Body) -> None:
    pixels = random_pixels(parity.MIN_PIXELS)
    keyring = keys.Keyring(None)
    salt = bytes(16)
    sealed = seal(replace(HEADER, channel=number, keyed=False, own=own.to_bytes()), keyring.keys(salt))
    stego = parity.force_parity(pixels, *plan_of(len(pixels), salt, sealed, keyring.locator(len(pixels))))
    with pytest.raises(NothingFoundError):
        table.open_stego(stego.reshape(64, 64, 3), None, keyring)


def test_a_method_of_the_future_says_to_upgrade() -> None:
    pixels = random_pixels(parity.MIN_PIXELS)
    keyring = keys.Keyring(None)
    sealed = seal(replace(HEADER, channel=99, keyed=False), keyring.keys(bytes(16)))
    plan = plan_of(len(pixels), bytes(16), sealed, keyring.locator(len(pixels)))
    with pytest.raises(ModelError, match="does not know") as refused:
        table.open_stego(parity.force_parity(pixels, *plan).reshape(64, 64, 3), None, keyring)
    assert "Upgrade" in refused.value.hint


@pytest.mark.parametrize("version", [2, 255])
def test_a_format_of_the_future_says_to_upgrade(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = keys.Keyring(None)
    monkeypatch.setattr(header, "FORMAT_VERSION", version)
    pixels, salt = random_pixels(parity.MIN_PIXELS), bytes(16)
    plan = plan_of(len(pixels), salt, seal(HEADER, keyring.keys(salt)), keyring.locator(len(pixels)))
    stego = parity.force_parity(pixels, *plan).reshape(64, 64, 3)
    monkeypatch.undo()
    with pytest.raises(ModelError, match="does not know") as refused:
        table.open_stego(stego, None, keyring)
    assert "Upgrade" in refused.value.hint


@pytest.mark.parametrize("known", HEADS.values(), ids=HEADS)
def test_bits_of_a_format_of_the_future_say_to_upgrade(
    known: head.Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head, "FORMAT_VERSION", 3)
    sealed = head.seal_head(known, make_keys(1))
    monkeypatch.undo()
    with pytest.raises(ModelError, match="does not know"):
        head.open_head(sealed, make_keys(1))
    with pytest.raises(NothingFoundError):
        head.open_head(sealed, make_keys(2))


def test_too_few_pixels_are_refused() -> None:
    with pytest.raises(ImageError):
        read_salt(random_pixels(parity.MIN_PIXELS - 1))


@pytest.mark.parametrize("count", [65_536, 600_000])
def test_destroyed_share_is_estimated_from_the_header(count: int) -> None:
    pixels, salt = with_header(random_pixels(count), 1)
    written = plan_of(count, salt, seal(HEADER, make_keys(1)))
    assert 0.02 <= parity.destroyed_share(destroyed(pixels, 0.03, 1), *written) <= 0.045
    assert parity.destroyed_share(pixels, *written) == 0
    positions, bits = written
    pixels[positions[0], 1] ^= 1
    assert parity.destroyed_share(pixels, *written) == 0, "one wrong parity says nothing"
    pixels[positions[1], 1] ^= 1
    assert parity.destroyed_share(pixels, *written) == pytest.approx(4 / len(bits))
    pixels[positions[:, 0], 2] ^= 1
    assert parity.destroyed_share(pixels, *written) == 1


def test_the_dearest_parities_may_stay_wrong() -> None:
    rng = np.random.default_rng(5)
    pixels = rng.integers(256, size=(1 << 16, 3), dtype=np.uint8)
    cost = rng.random(1 << 16, dtype=np.float32)
    salt = bytes(range(16))
    written = plan_of(len(pixels), salt, seal(HEADER, make_keys(1)))
    spared = parity.spare_most_expensive(pixels, *written, cost)
    left_out = np.setdiff1d(written[0], spared[0])
    assert len(left_out) == parity.spared_count(len(written[1]))
    assert cost[left_out].min() > 0.8  # an eighth of those that were wrong
    stego = parity.force_parity(pixels, *spared)
    for share in (0.0, 0.03, 0.1):
        damaged = destroyed(stego, share, 2)
        assert read_salt(damaged) == (salt, 1)
        assert open_header(damaged, make_keys(1)) == HEADER
        estimate = parity.destroyed_share(damaged, *written, len(left_out))
        assert estimate == pytest.approx(share, abs=0.025)


def likeliest_salt(pixels: np.ndarray, places: np.ndarray) -> tuple[bytes, int]:
    """All groups are tried; of equal ones the smallest is taken."""
    tried = []
    for group in header._group_sizes(len(pixels)):
        votes = header._votes(pixels, places, group)[: header._SALT_CODED_BITS]
        salt = convolution.decode(votes)
        likelihood = int(votes @ (2 * convolution.encode(salt).astype(np.int64) - 1))
        tried.append((likelihood, -group, np.packbits(salt).tobytes()))
    _, group, salt = max(tried)
    return salt, -group


@pytest.mark.parametrize("count", [20_000, 70_000, 1 << 21])
def test_a_group_that_cannot_be_likelier_is_passed_over(count: int) -> None:
    pixels = random_pixels(count)
    places = header.draw_places(count, LOCATOR)
    assert header.read_salt(pixels, places) == likeliest_salt(pixels, places)
    for group in header._group_sizes(count):
        plan = header.parity_plan(count, bytes(16), bytes(SEALED_BYTES), places, group)
        stego = parity.force_parity(pixels, *plan)
        assert header.read_salt(stego, places) == likeliest_salt(stego, places) == (bytes(16), group)


@pytest.mark.parametrize(("count", "spread", "group"), [(65_536, 8, 1), (65_536, 32, 4), (1 << 20, 128, 16)])
def test_parities_of_groups_come_back_and_count_damage(count: int, spread: int, group: int) -> None:
    assert group_size(count, spread) == group
    pixels = random_pixels(count)
    cost = np.random.default_rng(6).random(count, dtype=np.float32)
    salt = bytes(range(16))
    plan = plan_of(count, salt, seal(HEADER, make_keys(1)), group=group)
    assert len(np.unique(plan[0])) == group * len(plan[1]) <= max(count / 2, len(plan[1]))
    spared = parity.spare_most_expensive(pixels, *plan, cost)
    positions, bits = parity.pixel_parities(pixels, *spared, cost)
    stego = parity.force_parity(pixels, positions[:, None], bits)
    changed = (stego != pixels).any(axis=1)
    assert changed.sum() < 0.5 * len(plan[1]), "one change for every second group, less the spared ones"
    if group > 1:
        assert cost[changed].mean() < 1.5 / (group + 1), "the cheapest pixel of each group"
    for share in (0.0, 0.1 / group):
        damaged = destroyed(stego, share, 2)
        assert read_salt(damaged) == (salt, group)
        assert open_header(damaged, make_keys(1), group=group) == HEADER
        left = parity.spared_count(len(plan[1]))
        assert parity.destroyed_share(damaged, *plan, left) == pytest.approx(share, abs=0.025)


@pytest.mark.parametrize(("shape", "planes"), [((256, 256), 64), ((250, 250), 16), ((13, 9), 5), ((1, 1), 1)])
def test_symbols_are_the_places_of_the_planes_sent(shape: tuple[int, int], planes: int) -> None:
    mask = sent(shape, planes)
    assert count_sent(shape, planes) == mask.sum()
    assert mask.shape == shape
    assert mask[0, 0]


def test_planes_are_dispersed() -> None:
    order = np.array(PLANE_OF_PLACE)
    assert sorted(order.ravel().tolist()) == list(range(ALL_PLANES))
    rows, columns = np.nonzero(sent((8, 8), 16))
    assert (rows % 2 == 0).all() and (columns % 2 == 0).all()  # noqa: PT018 - one lattice
    rows, columns = np.nonzero(sent((8, 8), 4))
    assert (rows % 4 == 0).all() and (columns % 4 == 0).all()  # noqa: PT018 - a coarser one
    assert [len(np.unique(np.add(*np.nonzero(sent((8, 8), 32))) % 2))] == [1]  # half of them: a chequerboard
