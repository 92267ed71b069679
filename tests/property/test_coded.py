"""For every cover, secret, passphrase and transparency, the secret comes back, or there is no room for it."""

from __future__ import annotations

from typing import Any

import coded_cases
import numpy as np
import pytest
from coded_cases import hidden, revealed
from hypothesis import given, settings
from hypothesis import strategies as st

from stegcli.codecs.base import FileSecret
from stegcli.errors import ImageError
from stegcli.methods.base import Stego

pytestmark = pytest.mark.usefixtures("quick_keys")


@st.composite
def covers(draw: st.DrawFn) -> np.ndarray:
    """(H, W, 3) uint8 of 64 to 90 pixels a side: noise, slopes, few colours, clipped or not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    height, width = draw(st.sampled_from([(64, 64), (81, 90)]))
    kind = draw(st.sampled_from(["noise", "slope", "two colours", "flat", "clipped"]))
    if kind == "noise":
        return rng.integers(256, size=(height, width, 3), dtype=np.uint8)
    if kind == "two colours":
        palette = rng.integers(256, size=(2, 3), dtype=np.uint8)
        return palette[rng.integers(2, size=(height, width))]
    if kind == "flat":
        return np.broadcast_to(rng.integers(256, size=3, dtype=np.uint8), (height, width, 3)).copy()
    slope = np.add.outer(np.arange(height), np.arange(width))[..., None] * rng.uniform(0.1, 3, 3)
    spread = 200 if kind == "clipped" else 8
    return np.clip(slope + spread * rng.normal(size=(height, width, 3)), 0, 255).astype(np.uint8)


@st.composite
def alphas(draw: st.DrawFn, shape: tuple[int, int]) -> np.ndarray | None:
    """(H, W) uint8 with most pixels opaque, or None."""
    kind = draw(st.sampled_from(["none", "hard", "soft"]))
    if kind == "none":
        return None
    alpha = np.full(shape, 255, dtype=np.uint8)
    # Few ways: each number of pixels that carry asks for a key of its own.
    alpha[:8] = 0 if kind == "hard" else np.random.default_rng(0).integers(256, size=(8, shape[1]))
    return alpha


def made_or_none(cover: np.ndarray, secret: np.ndarray | FileSecret, **options: Any) -> Stego | None:
    """None if the cover has no room, such as some with two colours or few opaque pixels."""
    try:
        return hidden(cover, secret, **options)
    except ImageError:
        return None


@settings(deadline=None, max_examples=15)
@given(covers(), st.binary(max_size=120), st.sampled_from([None, "correct horse"]), st.data())
def test_a_file_comes_back_or_does_not_fit(
    cover: np.ndarray, content: bytes, passphrase: str | None, data: st.DataObject
) -> None:
    alpha = data.draw(alphas(cover.shape[:2]))
    secret = FileSecret("file", content)
    made = made_or_none(cover, secret, alpha=alpha, passphrase=passphrase)
    if made is None:
        return
    assert revealed(made.rgb, alpha=alpha, passphrase=passphrase) == secret
    if alpha is not None:
        kept = alpha < 255 if (alpha == 255).any() else alpha == 0
        assert not coded_cases.changed_pixels(cover, made.rgb)[kept].any()


@settings(deadline=None, max_examples=8)
@given(covers(), st.integers(1, 24), st.integers(1, 24), st.booleans(), st.integers(0, 2**32))
def test_a_picture_comes_back_as_the_codec_made_it(
    cover: np.ndarray, height: int, width: int, colour: bool, seed: int
) -> None:
    shape = (height, width, 3) if colour else (height, width)
    secret = np.random.default_rng(seed).integers(256, size=shape, dtype=np.uint8)
    made = made_or_none(cover, secret)
    if made is None:
        return
    found = revealed(made.rgb)
    assert isinstance(found, np.ndarray)
    assert found.shape == made.header.shape
    assert np.array_equal(found, made.hidden) or found.shape != secret.shape
