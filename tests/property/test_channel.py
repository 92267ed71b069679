"""Properties for every cover, clipped or not: symbols come back, parities hold, nothing else changes."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from channel_cases import PALETTES, Case, draw_case
from hypothesis import given, settings
from hypothesis import strategies as st

from stegcli.carriers import scatter
from stegcli.carriers.phases import single
from stegcli.carriers.phases.choice import wrap
from stegcli.carriers.streams import Keys
from stegcli.pictures.luma import luma_milli


def write(case: Case) -> np.ndarray:
    return case.written_by(single.write)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 400))
    spread = draw(st.integers(1, n) | st.just(1))
    symbols = draw(st.integers(1, n // spread) | st.just(n // spread))
    return draw_case(draw, rng, n, symbols, spread)


def residual(case: Case, stego: np.ndarray) -> np.ndarray:
    return stego.astype(int) - case.pixels


@settings(deadline=None, max_examples=150)
@given(cases())
def test_parities_hold_and_steps_stay_small(case: Case) -> None:
    stego = write(case)
    positions, bits = case.parity
    assert stego.dtype == np.uint8
    # Steps of at most two in uint8 also mean that nothing wrapped around 0 or 255.
    assert np.abs(residual(case, stego)).max() <= 2
    assert (stego[positions].sum(axis=1) % 2 == bits).all()


@settings(deadline=None, max_examples=150)
@given(cases())
def test_one_pixel_per_group_changes_besides_the_forced(case: Case) -> None:
    stego = write(case)
    positions, bits = case.parity
    forced = np.zeros(len(stego), dtype=bool)
    forced[positions] = case.pixels[positions].sum(axis=1) % 2 != bits
    changed = residual(case, stego).any(axis=1)
    assert changed[forced].all()
    groups = scatter.embedding_groups(len(stego), len(case.targets), case.spread, case.keys)
    assert ((changed & ~forced)[groups].sum(axis=1) <= 1).all()
    outside = np.ones(len(stego), dtype=bool)
    outside[groups] = False
    assert not (changed & ~forced & outside).any()


@settings(deadline=None, max_examples=150)
@given(cases())
def test_reading_is_luma_plus_pad(case: Case) -> None:
    """The rule of the format, implemented a second time, as a reader in another language would."""
    stego = write(case)
    groups = scatter.embedding_groups(len(stego), len(case.targets), case.spread, case.keys)
    pads = single.pad(len(case.targets), case.keys)
    luma = luma_milli(stego).astype(object)
    expected = [(sum(luma[group]) + int(pad)) % 1000 for group, pad in zip(groups, pads, strict=True)]
    assert single.read(stego, case.keys, len(case.targets), case.spread).tolist() == expected


@settings(deadline=None, max_examples=150)
@given(cases())
def test_writing_never_makes_a_free_group_worse(case: Case) -> None:
    untouched = case._replace(parity=(np.empty(0, np.int64), np.empty(0, np.uint8)))
    stego = write(untouched)
    before, after = (
        np.abs(wrap(single.read(pixels, case.keys, len(case.targets), case.spread) - case.targets))
        for pixels in (case.pixels, stego)
    )
    assert (after <= before).all()


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(sorted(PALETTES)), st.integers(0, 100), st.sampled_from([1, 5]))
def test_symbols_come_back_from_any_cover(palette: str, seed: int, spread: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.choice(PALETTES[palette], (4000 * spread, 3)).astype(np.uint8)
    targets = rng.integers(0, 1000, 4000)
    keys = Keys(*(sha256(rng.bytes(8)).digest() for _ in range(3)))
    forced = rng.permutation(len(pixels))[:400], rng.integers(0, 2, 400).astype(np.uint8)
    stego = single.write(pixels, targets, keys, spread=spread, lam=0.001, parity=forced)
    error = wrap(single.read(stego, keys, 4000, spread) - targets) / 1000
    assert np.sqrt(np.mean(error**2)) < 0.06
