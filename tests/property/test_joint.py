"""Properties for every cover, clipped or not: small steps, parities, and a reader that only sums."""

from __future__ import annotations

import numpy as np
from channel_cases import Case, draw_case
from hypothesis import given, settings
from hypothesis import strategies as st

from stegcli.carriers import scatter
from stegcli.carriers.phases import joint
from stegcli.pictures.luma import luma_milli


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.integers(2, 30))
    symbols = draw(st.integers(1, 40))
    n = 4 * spread * joint.block_count(symbols) + draw(st.integers(0, 50))
    return draw_case(draw, rng, n, symbols, spread)


def write(case: Case) -> np.ndarray:
    return case.written_by(joint.write)


@settings(deadline=None, max_examples=150)
@given(cases())
def test_four_small_steps_a_block_besides_the_forced(case: Case) -> None:
    stego = write(case)
    positions, bits = case.parity
    # Steps of one in uint8 also mean that nothing wrapped around 0 or 255.
    steps = np.abs(stego.astype(int) - case.pixels).max(axis=1)
    assert steps.max(initial=0) <= 1
    assert (stego[positions].sum(axis=1) % 2 == bits).all()
    free = np.ones(len(stego), dtype=bool)
    free[positions] = False
    blocks = joint.block_count(len(case.targets))
    groups = scatter.embedding_groups(len(stego), blocks, 4 * case.spread, case.keys)
    changed = (steps > 0) & free
    assert (changed[groups].sum(axis=1) <= 4).all()
    changed[groups] = False
    assert not changed.any()


@settings(deadline=None, max_examples=100)
@given(cases())
def test_reading_is_a_sum_of_lumas_and_pad(case: Case) -> None:
    """The rule of the format, implemented a second time, as a reader in another language would."""
    stego = write(case)
    count = len(case.targets)
    blocks = joint.block_count(count)
    groups = scatter.embedding_groups(len(stego), blocks, 4 * case.spread, case.keys)
    pads = joint.pad(blocks, case.keys)
    luma = luma_milli(stego).tolist()
    expected = {}
    for block, group in enumerate(groups.tolist()):
        for symbol in range(4):
            turn = int(pads[block, symbol]) + sum(
                luma[pixel] * int(joint.MULTIPLIERS[place % 16, symbol]) for place, pixel in enumerate(group)
            )
            expected[symbol * blocks + block] = (turn % 65_536 * 1000 + 32_768) // 65_536 % 1000
    read = joint.read(stego, case.keys, count, case.spread)
    assert read.tolist() == [expected[i] for i in range(count)]
