"""Sturdy heads and bodies that no honest writer writes: refused in bounded time, with bounded memory."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
import robust_cases as cases
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from stegcli.carriers.keyed_order import subkey
from stegcli.codecs.base import CodecId, SecretError
from stegcli.envelope import sturdy
from stegcli.envelope.head import Head
from stegcli.envelope.opening import check_sizes
from stegcli.envelope.sturdy import SturdyHead
from stegcli.errors import ChangedError, ImageError, ModelError, NothingFoundError
from stegcli.methods import table

PAYLOAD = b"no picture at all"


def head(**fields: object) -> Head:
    values: dict[str, object] = {
        "channel": 19,
        "codec": int(CodecId.AVIF),
        "keyed": False,
        "secret_shape": (32, 32),
        "hidden_shape": (32, 32),
        "is_colour": False,
        "content_bytes": 0,
        "body_bytes": 57,
        "own": bytes(13),
    }
    return Head(**{**values, **fields})  # type: ignore[arg-type]


def sealed(plaintext: bytes, sturdy_head: SturdyHead) -> bytes:
    """The seal of the format, implemented a second time."""
    keys = cases.keyring().keys(sturdy.whole_salt(cases.SALT[:8]))
    cipher = ChaCha20Poly1305(subkey(keys.header, b"robust/body"))
    return cipher.encrypt(bytes(12), plaintext, sturdy_head.to_bytes())


def forged(plaintext: bytes) -> np.ndarray:
    size = len(plaintext) + 16
    short = SturdyHead(60, 8, size, cases.SIDE // 8, cases.SIDE // 8)
    return cases.forged(cases.photograph(), body_bytes=size, body=sealed(plaintext, short))


def test_the_forger_writes_what_honest_heads_say() -> None:
    rgb = forged(head().to_bytes()[:24] + PAYLOAD)
    _, opened = table.open_stego(rgb, None, cases.keyring())
    assert opened.header == head()


def test_a_payload_that_is_no_picture_cannot_be_decoded() -> None:
    rgb = forged(head().to_bytes()[:24] + PAYLOAD)
    with pytest.raises(SecretError):
        cases.revealed(rgb)


def test_sizes_are_held_against_the_limit() -> None:
    _, opened = table.open_stego(
        forged(head(secret_shape=(1 << 20, 1 << 20)).to_bytes()[:24] + PAYLOAD), None, cases.keyring()
    )
    with pytest.raises(ImageError, match="more than"):
        check_sizes(opened.header, 1_000_000)


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b"short",
        bytes(24) + PAYLOAD,
        head(channel=16).to_bytes()[:24] + PAYLOAD,
        head(channel=17).to_bytes()[:24] + PAYLOAD,
    ],
)
def test_bodies_without_a_head_of_ours_hold_nothing(plaintext: bytes) -> None:
    with pytest.raises(NothingFoundError):
        cases.revealed(forged(plaintext))


def test_a_head_of_a_later_version_asks_for_an_upgrade() -> None:
    with pytest.raises(ModelError) as caught:
        cases.revealed(forged(b"\xff" * 24 + PAYLOAD))
    assert "Upgrade" in caught.value.hint


def test_a_body_that_was_not_sealed_is_lost() -> None:
    rgb = cases.forged(cases.photograph(), body_bytes=64, body=bytes(64))
    with pytest.raises(ChangedError):
        cases.revealed(rgb)


@pytest.mark.parametrize("body_bytes", [1, 15, 16, 40])
def test_bodies_shorter_than_their_seal_are_lost(body_bytes: int) -> None:
    rgb = cases.forged(cases.photograph(), body_bytes=body_bytes)
    with pytest.raises((ChangedError, NothingFoundError)):
        cases.revealed(rgb)


@pytest.mark.parametrize(
    "fields",
    [
        {"body_bytes": (1 << 24) - 1},
        {"body_bytes": 100_000, "frequencies": 63},
        {"shape": (4095, 4095), "frequencies": 63},
        {"shape": (1, 1)},
        {"shape": (4095, 1)},
        {"shape": (33, 31)},
        {"quality": 1},
        {"quality": 100, "frequencies": 1},
    ],
)
def test_heads_that_claim_what_cannot_be_cost_little(fields: dict[str, object]) -> None:
    rgb = cases.forged(cases.photograph(), **fields)  # type: ignore[arg-type]
    tracemalloc.start()
    with pytest.raises((ChangedError, NothingFoundError)):
        cases.revealed(rgb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150 << 20


def test_fields_are_bound_to_the_body() -> None:
    """A body under another head's fields does not open, although its key is the same."""
    plaintext = head().to_bytes()[:24] + PAYLOAD
    other = SturdyHead(61, 8, len(plaintext) + 16, cases.SIDE // 8, cases.SIDE // 8)
    rgb = cases.forged(
        cases.photograph(), body_bytes=len(plaintext) + 16, body=sealed(plaintext, other), quality=60
    )
    with pytest.raises(ChangedError):
        cases.revealed(rgb)


def test_a_version_to_come_is_nothing_that_this_one_finds() -> None:
    fields = SturdyHead(60, 8, 64, 32, 32).to_bytes()
    version = struct.unpack(">B", fields[:1])[0] >> 5
    assert version == 1
