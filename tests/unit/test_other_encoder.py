"""The model of MozJPEG: what it rounds down, and where; benchmarks/survival.py uses the real encoder."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stegcli.carriers import dct
from stegcli.carriers.blocks import Blocks
from stegcli.methods.robust.channels import OtherEncoder

QUALITY = 30
STEP = 27
"""Step of the first AC coefficients at that quality in MozJPEG's table: 16 * 166 / 100."""
BUSY = 96
"""Five other coefficients that make a block busy."""

F32 = NDArray[np.float32]


def picture(first: float, others: float = 0.0, mean: float = 0.0) -> NDArray[np.uint8]:
    """(64, 64, 3) identical gray blocks, with these steps of the first coefficient and of five others."""
    coefficients = np.zeros(64, np.float32)
    coefficients[[0, 1]] = 8 * mean, first * STEP
    coefficients[[8, 9, 10, 16, 17]] = others
    samples = Blocks.samples_of(tuple(range(64)), np.tile(coefficients, (64, 1))) + 128
    levels = dct.join_blocks(samples.reshape(8, 8, 8, 8))
    return np.repeat(np.rint(np.clip(levels, 0, 255)).astype(np.uint8)[..., None], 3, axis=2)


def first_steps(luma: F32) -> float:
    """Mean steps of the first coefficient."""
    return float(Blocks.of(luma).coefficients((1,)).mean()) / STEP


@pytest.mark.parametrize(
    ("before", "others", "after"),
    [(0.4, 0, 0), (0.54, 0, 0), (0.66, 0, 1), (0.66, BUSY, 0), (1.64, 0, 2), (1.56, BUSY, 1), (2.6, BUSY, 3)],
)
def test_a_step_less_where_that_saves_bits(before: float, others: float, after: float) -> None:
    arrived = OtherEncoder(QUALITY).luma(picture(before, others))
    assert first_steps(arrived) == pytest.approx(after, abs=0.08)


def test_what_arrives_are_levels() -> None:
    noise = np.random.default_rng(0).integers(0, 2, (64, 64, 1), np.uint8) * np.uint8(255)
    arrived = OtherEncoder(QUALITY).luma(np.repeat(noise, 3, axis=2))
    assert arrived.min() >= 0
    assert arrived.max() <= 255
    assert (arrived == np.rint(arrived)).all()


@pytest.mark.parametrize(("white", "stands_out"), [(255, True), (254, False)])
def test_white_is_raised_before_it_is_rounded(white: int, stands_out: bool) -> None:
    rgb = np.full((64, 64, 3), white, np.uint8)
    rgb[:, np.arange(64) % 8 >= 4] -= 4
    arrived = OtherEncoder(QUALITY).luma(rgb)
    assert (arrived[:, :4].mean() > arrived[:, 4:8].mean() + 2) == stands_out
