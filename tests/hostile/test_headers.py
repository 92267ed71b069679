"""Headers that an attacker sealed: without a passphrase everybody has the key, and may state any size."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from desk import Desk

from stegcli import pipeline
from stegcli.carriers import parity
from stegcli.carriers.phases import channel
from stegcli.envelope import header, keys
from stegcli.errors import ImageError, NothingFoundError
from stegcli.methods import isgan
from stegcli.methods.phase.body import MAX_SPREAD, Body
from stegcli.models import store
from stegcli.pictures import reading

pytestmark = pytest.mark.usefixtures("quick_keys")

SALT = bytes(range(16))
SIDE = 64
HUGE = 12_000
ONE_PLANE = Body(b"1234", planes=1)


def _forged(cover_rgb: np.ndarray, body: Body | None = None, **fields: int) -> np.ndarray:
    """(64, 64, 3) uint8: a stego that opens with the public key and whose header holds these fields."""
    fingerprint = store.find("phase").entry.fingerprint
    honest = header.Header(
        channel=channel.LUMA_PHASE,
        secret_height=SIDE,
        secret_width=SIDE,
        hidden_height=SIDE,
        hidden_width=SIDE,
        keyed=False,
        own=replace(body or Body(fingerprint, noise_code=100), model=fingerprint).to_bytes(),
    )
    ring = keys.Keyring(None)
    pixels = np.ascontiguousarray(cover_rgb[:SIDE, :SIDE]).reshape(-1, 3)
    sealed = header.seal(replace(honest, **fields), ring.keys(SALT))
    places = header.draw_places(len(pixels), ring.locator(len(pixels)))
    plan = header.parity_plan(len(pixels), SALT, sealed, places)
    return parity.force_parity(pixels, *plan).reshape(SIDE, SIDE, 3)


def test_an_honest_header_that_was_forged_opens(cover_rgb: np.ndarray) -> None:
    assert pipeline.reveal(_forged(cover_rgb)).size == (SIDE, SIDE)


@pytest.mark.parametrize(("width", "height"), [(HUGE, HUGE), (1, header.MAX_SIZE), (9_460, 9_460)])
def test_a_huge_secret_is_refused_before_it_is_made(cover_rgb: np.ndarray, width: int, height: int) -> None:
    stego = _forged(cover_rgb, secret_width=width, secret_height=height)
    limit = min(width * height - 1, reading.DEFAULT_MAX_PIXELS)
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=f"gives back a picture of {width}x{height}") as caught:
            pipeline.reveal(stego, max_pixels=limit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    assert "--max-pixels" in caught.value.hint
    assert pipeline.reveal(stego, size="hidden", max_pixels=limit).size == (SIDE, SIDE)


def test_the_limit_is_the_callers(cover_rgb: np.ndarray) -> None:
    stego = _forged(cover_rgb, secret_width=100, secret_height=100)
    assert pipeline.reveal(stego, max_pixels=10_000).size == (100, 100)
    with pytest.raises(ImageError, match="more than 9,999 pixels"):
        pipeline.reveal(stego, max_pixels=9_999)


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"hidden_width": HUGE, "hidden_height": HUGE}, None),
        ({"hidden_width": HUGE, "hidden_height": HUGE}, ONE_PLANE),
        ({"hidden_width": header.MAX_SIZE, "hidden_height": 1}, ONE_PLANE),
        ({"hidden_width": SIDE + 1}, None),
        ({}, Body(b"1234", spread=MAX_SPREAD)),
        ({"channel": channel.LUMA_JOINT}, Body(b"1234", spread=2)),
        ({"channel": isgan.CHANNEL, "hidden_width": 32, "hidden_height": 128}, None),
        ({"channel": isgan.CHANNEL, "hidden_width": HUGE, "hidden_height": HUGE}, None),
    ],
)
@pytest.mark.parametrize("read", [pipeline.reveal, pipeline.info])
def test_what_cannot_lie_in_the_picture_is_not_found(
    cover_rgb: np.ndarray, fields: dict[str, int], body: Body | None, read
) -> None:
    with pytest.raises(NothingFoundError):
        read(_forged(cover_rgb, body, **fields))


def test_few_planes_of_many_pixels_are_held_against_the_limit(cover_rgb: np.ndarray) -> None:
    stego = _forged(cover_rgb, ONE_PLANE, hidden_width=512, hidden_height=512)
    with pytest.raises(ImageError, match="carries a picture of 512x512"):
        pipeline.reveal(stego, size="hidden", max_pixels=SIDE * SIDE)


def test_the_command_line_refuses(desk: Desk, cover_rgb: np.ndarray) -> None:
    desk.put("huge.png", _forged(cover_rgb, secret_width=HUGE, secret_height=HUGE))
    desk.refuses(3, "reveal", "huge.png", "-o", "out.png", words="12000x12000")
