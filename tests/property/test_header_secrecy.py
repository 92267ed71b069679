"""Nobody can tell without the passphrase that there is a header; if none was given, anybody can."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from skimage import data

from stegcli.carriers import streams
from stegcli.carriers.parity import pixel_parities
from stegcli.carriers.phases import single
from stegcli.envelope import convolution, header, keys

PAIRS = 40
SIDE = 128


def photographs() -> list[np.ndarray]:
    """`PAIRS` pieces of photographs, (SIDE * SIDE, 3) uint8, shrunk by half to remove traces of JPEG."""
    pieces = []
    for photo in (data.astronaut(), data.coffee(), data.chelsea()):
        height, width = (size // 2 for size in photo.shape[:2])
        small = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))
        pieces += [
            small[top : top + SIDE, left : left + SIDE].reshape(-1, 3)
            for top in range(0, height - SIDE + 1, 32)
            for left in range(0, width - SIDE + 1, 32)
        ]
    return pieces[-PAIRS:]


def hidden_in(cover: np.ndarray, rng: np.random.Generator, locator: bytes, spread: int) -> np.ndarray:
    """A stego of noise, with a header under its own keys at the locator's positions."""
    subkeys = streams.Keys(*(rng.bytes(32) for _ in range(3)))
    sealed = rng.bytes(header.SEALED_BYTES)
    group = header.group_size(len(cover), spread)
    places = header.draw_places(len(cover), locator)
    plan = header.parity_plan(len(cover), rng.bytes(keys.SALT_BYTES), sealed, places, group)
    parity = pixel_parities(cover, *plan, None)
    targets = rng.integers(0, 1000, len(cover) // spread)
    return single.write(cover, targets, subkeys, spread=spread, lam=0.001, parity=parity)


def agreement(pixels: np.ndarray, locator: bytes) -> float:
    """Share of the parities at the locator's positions that agree with the nearest codeword of a salt."""
    places = header.draw_places(len(pixels), locator)
    salt, group = header.read_salt(pixels, places)
    positions, bits = header.parity_plan(len(pixels), salt, bytes(header.SEALED_BYTES), places, group)
    salt_bits = convolution.coded_length(8 * keys.SALT_BYTES)
    parities = pixels[positions[:salt_bits]].sum(axis=(1, 2)) % 2
    return float((parities == bits[:salt_bits]).mean())


def detection_error(covers: np.ndarray, stegos: np.ndarray) -> float:
    """(False alarms + missed detections) / 2 at the threshold that is best for these very pictures."""
    thresholds = np.append(np.unique([covers, stegos]), 2)[:, None]
    return float(((covers >= thresholds).mean(axis=1) + (stegos < thresholds).mean(axis=1)).min() / 2)


@pytest.mark.parametrize("spread", [1, 16])
def test_only_a_public_header_gives_a_stego_away(spread: int) -> None:
    public = keys.derive_locator(None, SIDE * SIDE)
    secret = keys.derive_locator("correct horse", SIDE * SIDE)
    rng = np.random.default_rng(spread)
    covers = photographs()
    before = np.array([agreement(cover, public) for cover in covers])
    keyed = np.array([agreement(hidden_in(cover, rng, secret, spread), public) for cover in covers])
    unkeyed = np.array([agreement(hidden_in(cover, rng, public, spread), public) for cover in covers])

    assert len(covers) == PAIRS
    assert detection_error(before, unkeyed) == 0
    # Forty and forty draws of one distribution stay above this in 999 of 1000 cases (Kolmogorov, Smirnov).
    assert detection_error(before, keyed) > 0.28
    assert abs(keyed.mean() - before.mean()) < 0.02
