from __future__ import annotations

import threading

import numpy as np
import pytest

from stegcli.carriers import streams
from stegcli.envelope import keys
from stegcli.errors import UsageError

SALT = bytes(16)


@pytest.fixture(autouse=True)
def each_key_once() -> None:
    """Every key is derived here."""


def test_same_passphrase_and_salt_give_the_same_keys() -> None:
    assert keys.derive("one", SALT) == keys.derive("one", SALT)
    assert keys.derive("one", SALT) != keys.derive("One", SALT)
    assert keys.derive("one", SALT) != keys.derive("one", SALT[:-1] + b"\x01")


def test_three_keys_differ() -> None:
    derived = keys.derive(None, SALT)
    assert len({derived.header, derived.keystream, derived.permutation}) == 3
    assert all(len(key) == keys.KEY_BYTES for key in (derived.header, derived.keystream, derived.permutation))


def test_locator_hangs_on_passphrase_and_size_and_on_nothing_else() -> None:
    locator = keys.derive_locator("one", 4096)
    assert len(locator) == keys.KEY_BYTES
    assert locator == keys.derive_locator("one", 4096)
    assert locator not in (keys.derive_locator("two", 4096), keys.derive_locator("one", 4097))


def test_keyring_gives_the_same_and_derives_once(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = keys.derive("one", SALT), keys.derive_locator("one", 5000)
    keyring = keys.Keyring("one")
    assert (keyring.keys(SALT), keyring.locator(5000)) == expected
    monkeypatch.setattr(keys, "Argon2id", None)
    assert (keyring.keys(SALT), keyring.locator(5000)) == expected
    assert "one" not in repr(keyring)
    assert [keys.Keyring(passphrase).is_public for passphrase in (None, "one")] == [True, False]


def test_files_of_a_run_have_keys_of_their_own_and_one_argon2id(monkeypatch: pytest.MonkeyPatch) -> None:
    run = bytes(range(keys.RUN_BYTES))
    salts = [run + bytes([number]) * keys.RUN_BYTES for number in range(3)]
    keyring = keys.Keyring("one")
    keyring.begin_run(run)
    monkeypatch.setattr(keys, "Argon2id", None)
    found = [keyring.keys(salt) for salt in salts]
    assert len({key for each in found for key in (each.header, each.keystream, each.permutation)}) == 9
    monkeypatch.undo()
    assert keys.derive_run("one", run) != keys.derive_run("two", run)
    assert keys.derive("one", salts[0]) not in found
    keyring.forget_run(salts[0])
    assert keyring.keys(salts[0]) == keys.derive("one", salts[0])


def test_a_keyring_holds_no_more_than_so_many_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_argon2", lambda _passphrase, salt: salt * 2)
    keyring = keys.Keyring(None)
    for number in range(2 * keys._REMEMBERED):
        keyring.keys(number.to_bytes(16, "big"))
        keyring.locator(number)
    assert len(keyring._keys) == len(keyring._locators) == keys._REMEMBERED


def test_a_keyring_keeps_the_places_of_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_argon2", lambda _passphrase, salt: salt * 2)
    keyring, drawn = keys.Keyring("one"), []

    def draw(pixel_count: int, locator: bytes) -> np.ndarray:
        drawn.append(pixel_count)
        return np.frombuffer(locator, np.uint8).astype(np.int64) % pixel_count

    for pixel_count in (5000, 5000, 6000, 5000):
        expected = draw(pixel_count, keyring.locator(pixel_count))
        drawn.pop()
        places = keyring.places(pixel_count, draw)
        assert np.array_equal(places, expected)
        with pytest.raises(ValueError, match="read-only"):
            places[0] = 0
    assert drawn == [5000, 6000, 5000]


def test_two_threads_may_derive_at_the_same_time() -> None:
    """Otherwise OpenSSL waits for ever."""
    threads = [threading.Thread(target=keys.derive, args=("one", SALT), daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)


def test_no_passphrase_is_the_public_one(monkeypatch: pytest.MonkeyPatch) -> None:
    public = keys.PUBLIC_PASSPHRASE
    without = keys.derive(None, SALT), keys.derive_locator(None, 4096)
    monkeypatch.setattr(keys, "PUBLIC_PASSPHRASE", "another one")
    assert without == (keys.derive(public, SALT), keys.derive_locator(public, 4096))


def test_accents_may_be_typed_either_way() -> None:
    assert keys.derive("caf\u00e9", SALT) == keys.derive("cafe\u0301", SALT)


@pytest.mark.parametrize("passphrase", ["", "\udc80", " ", "\t\u3000", "p\0", keys.PUBLIC_PASSPHRASE])
def test_what_is_no_passphrase_is_refused_with_a_cure(passphrase: str) -> None:
    for derive, known in ((keys.derive, SALT), (keys.derive_locator, 4096)):
        with pytest.raises(UsageError) as refusal:
            derive(passphrase, known)
        assert refusal.value.hint


def test_repr_keeps_keys_to_itself() -> None:
    assert repr(keys.derive("one", SALT)) == "Keys()"


def test_stream_is_chacha20() -> None:
    # RFC 8439, appendix A.1, test vector 1.
    expected = bytes.fromhex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7")
    assert streams.words32(bytes(32), 8).astype("<u4").tobytes() == expected
    assert streams.words64(bytes(32), 4).astype("<u8").tobytes() == expected


@pytest.mark.parametrize("count", [0, 1, 16_383, 16_384, 40_001])
def test_shorter_stream_is_the_beginning_of_a_longer_one(count: int) -> None:
    assert streams.words32(SALT * 2, count).tolist() == streams.words32(SALT * 2, 50_000)[:count].tolist()


def test_scaled_words_cover_their_range_evenly() -> None:
    places = streams.scaled(streams.words32(SALT * 2, 100_000), 10)
    assert np.bincount(places, minlength=10).min() > 9_600
    assert streams.scaled(np.array([0, 2**32 - 1], np.uint32), 12_000_000).tolist() == [0, 11_999_999]
