"""Bits in pixels and in integers: for any cover, payload and key, the reader finds them without prices."""

from __future__ import annotations

import numpy as np
import pytest
import syndrome_cases as cases
from hypothesis import given, settings
from hypothesis import strategies as st

from stegcli.carriers import polar, samples, syndrome, ternary
from stegcli.carriers.prices import Cells, colour_precision, greatest_entropy
from stegcli.carriers.syndrome import Layout, Marks
from stegcli.errors import ImageError, NothingFoundError


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(cases.COVERS),
    st.one_of(st.integers(0, 400), st.integers(400, 20_000)),
    st.floats(0, 1),
    st.integers(0, 2**32),
)
def test_what_is_written_is_read(kind: str, count: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels, rho = cases.pixels(kind, count, rng), cases.costs(count, rng)
    payload = cases.payload(int(share * samples.room(pixels)), seed)

    written = samples.write(pixels, rho, cases.precision(rng), payload, cases.keys(seed))

    marks = Marks.from_bytes(written.marks.to_bytes())
    assert samples.read(written.pixels, marks, cases.keys(seed)) == payload
    far = np.abs(written.pixels.astype(int) - pixels) > 1
    assert far.sum() == written.oversteps
    if share < 0.7 and count > 1000:
        assert written.oversteps <= 2


@settings(deadline=None, max_examples=60)
@given(st.one_of(st.integers(1, 400), st.integers(400, 20_000)), st.floats(0, 0.6), st.integers(0, 2**32))
def test_integers_carry_with_prices_each_way_and_never_take_a_forbidden_step(
    count: int, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = np.rint(rng.laplace(0, 4, count)).astype(np.int16)
    up, down = cases.costs(count, rng), cases.costs(count, rng)
    up[rng.random(count) < 0.2] = np.inf
    down[rng.random(count) < 0.2] = np.inf
    prices = ternary.Prices(up, down)
    payload = cases.payload(int(share * ternary.room(prices)), seed)
    try:
        written = ternary.write(values, prices, payload, cases.keys(seed))
    except ImageError:
        assert count < 1000  # where a few dozen bits must give way to each other, there may be no way
        return
    assert ternary.read(written.values, written.marks, cases.keys(seed)) == payload
    steps = written.values - values
    assert set(np.unique(steps)) <= {-1, 0, 1}
    assert np.isfinite(up[steps == 1]).all()
    assert np.isfinite(down[steps == -1]).all()


@pytest.mark.parametrize("count", [64, 100, 1000, 2999])
def test_reader_by_the_rules_alone_finds_the_same_bits(count: int) -> None:
    """Implemented from the docstrings, as in another language."""
    rng = np.random.default_rng(count)
    pixels, keys = cases.pixels("photograph", count, rng), cases.keys(count)
    payload = cases.payload(samples.room(pixels) // 2)
    written = samples.write(pixels, cases.costs(count, rng), np.eye(3), payload, keys)

    red, green, blue = (written.pixels[:, channel].astype(int) % 4 for channel in range(3))
    order = Layout(count).order(keys, written.marks.draw).order
    exponents = [(e, 1) for e in range(11, 5, -1) if count >> e & 1]
    bits = cases.reader_by_the_rules(green + 4 * red + 16 * blue, written.marks, order, exponents)
    assert np.packbits(bits[: 8 * len(payload)]).tobytes() == payload


def test_blocks_of_a_large_cover_stand_side_by_side() -> None:
    """Two long blocks and shorter ones: strips, turns and interleaving, implemented a second time."""
    count, keys, rng = (2 << 18) + 5003, cases.keys(1), np.random.default_rng(1)
    values = rng.integers(0, 4, count).astype(np.uint8)
    layout = Layout(count)
    order = layout.order(keys, 3)
    columns = count // 2
    places = [
        int(order.order[j]) + columns * ((b + int(order.turns[j])) % 2)
        for j in range(columns)
        for b in (0, 1)
    ]
    assert [(g.start, g.exponent, g.blocks) for g in layout.groups] == [
        (0, 18, 2),
        (1 << 19, 12, 1),
        ((1 << 19) + 4096, 9, 1),
        ((1 << 19) + 4608, 8, 1),
        ((1 << 19) + 4864, 7, 1),
    ]
    assert sorted(places) == list(range(2 * columns))
    taken = order.take(values)
    assert (taken == values[places]).all()
    assert (order.put(taken, count)[: 2 * columns] == values[: 2 * columns]).all()


def test_loss_of_six_layers_against_the_ideal_coder() -> None:
    """Payload carried, as a share of what 27 steps would ideally carry at the price that was paid."""
    rng = np.random.default_rng(3)
    count = 1 << 14
    pixels, rho = cases.pixels("photograph", count, rng), cases.costs(count, rng)
    precision = cases.precision(rng)
    payload = cases.payload(count // 16)
    written = samples.write(pixels, rho, precision, payload, cases.keys(3))

    square = np.einsum("di,ij,dj->d", cases.STEPS, precision, cases.STEPS)
    prices = rho[:, None].astype(np.float64) * square
    after = pixels[:, None, :].astype(int) + cases.STEPS
    prices[((after < 0) | (after > 255)).any(axis=2)] = np.inf
    steps = written.pixels.astype(int) - pixels
    taken = prices[np.arange(count), (steps + 1) @ [9, 3, 1]]
    prices[np.isinf(prices)] = 1e9
    assert 1 - 8 * len(payload) / cases.ideal_bits(prices, float(taken.sum())) <= 0.15


def test_entropy_of_layers_is_that_of_steps() -> None:
    rng = np.random.default_rng(4)
    pixels, rho, precision = cases.pixels("ends", 3000, rng), cases.costs(3000, rng), cases.precision(rng)
    layers = Cells(pixels, rho, precision).layer_entropies(0.7)
    square = np.einsum("di,ij,dj->d", cases.STEPS, precision, cases.STEPS)
    after = pixels[:, None, :].astype(int) + cases.STEPS
    weights = np.exp(-0.7 * rho[:, None].astype(np.float64) * square)
    weights[((after < 0) | (after > 255)).any(axis=2)] = 0
    # Prices are kept to half a hundredth.
    assert layers.sum() == pytest.approx(
        cases.entropy(weights / weights.sum(axis=1, keepdims=True)), rel=2e-3
    )
    assert Cells(pixels, rho, precision).layer_entropies(1e-9).sum() == pytest.approx(
        greatest_entropy(pixels), rel=1e-6
    )


def test_changes_go_where_they_cost_least() -> None:
    rng = np.random.default_rng(5)
    pixels = cases.pixels("photograph", 20_000, rng)
    rho = np.where(np.arange(20_000) % 2, 1, 8).astype(np.float32)
    written = samples.write(pixels, rho, np.eye(3), cases.payload(1000), cases.keys(5))
    changed = (written.pixels != pixels).any(axis=1)
    assert changed[rho == 1].mean() > 20 * changed[rho == 8].mean()


def test_channels_that_share_noise_step_together() -> None:
    rng = np.random.default_rng(6)
    pixels = cases.pixels("photograph", 20_000, rng)
    ones = np.ones(20_000, dtype=np.float32)
    joint, apart = (
        samples.write(pixels, ones, a, cases.payload(1500), cases.keys(6)).pixels.astype(int) - pixels
        for a in (cases.precision(rng), np.eye(3))
    )
    assert np.corrcoef(joint.T)[0, 1] > 0.5
    assert abs(np.corrcoef(apart.T)[0, 1]) < 0.05


def test_stego_depends_on_the_key_and_not_on_the_number_of_threads() -> None:
    rng = np.random.default_rng(7)
    pixels, rho = cases.pixels("photograph", 20_000, rng), cases.costs(20_000, rng)
    payload = cases.payload(2000)
    one, four, other = (
        samples.write(pixels, rho, np.eye(3), payload, cases.keys(key), threads)
        for key, threads in ((7, 1), (7, 4), (8, 1))
    )
    assert (one.pixels == four.pixels).all()
    assert (one.pixels != other.pixels).any()
    assert samples.read(one.pixels, one.marks, cases.keys(8)) != payload
    assert samples.read(four.pixels, four.marks, cases.keys(7)) == payload


def test_too_large_a_payload_is_refused_with_the_room() -> None:
    pixels = np.full((100, 3), 255, dtype=np.uint8)
    most = samples.room(pixels)
    with pytest.raises(ImageError, match=f"room for {most} bytes"):
        samples.write(pixels, np.ones(100, np.float32), np.eye(3), bytes(most + 1), cases.keys(0))
    assert samples.room(pixels, bits_per_pixel=0.4) == 5
    assert samples.room(pixels[:63]) == 0
    assert samples.room(pixels[:0]) == 0


def test_marks_that_no_cover_of_that_size_has_are_told_without_allocating() -> None:
    pixels = np.zeros((1000, 3), dtype=np.uint8)
    with pytest.raises(NothingFoundError):
        samples.read(pixels, Marks(2**32 - 1, 0, 0, (65_535,) * 6), cases.keys(0))


def test_any_marks_give_bytes_or_nothing_found() -> None:
    """A head that was forged, or opened with a wrong key, must not cause any other error."""
    rng = np.random.default_rng(8)
    pixels = cases.pixels("ends", 5000, rng)
    for _ in range(50):
        marks = Marks(
            int(rng.integers(0, 3000)),
            *map(int, rng.integers(0, 16, 2)),
            tuple(map(int, rng.integers(0, 65_536, 6))),
        )
        try:
            assert len(samples.read(pixels, marks, cases.keys(0))) == marks.size
        except NothingFoundError:
            assert Layout(5000).capacity(marks.rates) < 8 * marks.size


def test_precision_of_a_photograph_finds_what_its_channels_share(cover_rgb: np.ndarray) -> None:
    precision = colour_precision(cover_rgb)
    assert np.trace(precision) == pytest.approx(3)
    assert (np.linalg.eigvalsh(precision) > 0).all()
    assert (precision[np.triu_indices(3, 1)] < 0).any()
    flat = colour_precision(np.full((1, 1, 3), 9, dtype=np.uint8))
    assert flat == pytest.approx(np.eye(3))


def test_blocks_in_which_a_wet_bit_moved_are_coded_anew() -> None:
    """So close to the 0.7 that are free some blocks fail, and some of these no code can solve."""
    rng = np.random.default_rng(9)
    odds = (2 * rng.normal(size=(1024, 240))).astype(np.float32)
    wet = rng.random(odds.shape) < 0.3
    odds[wet] = np.where(rng.random(wet.sum()) < 0.5, syndrome.WET, -syndrome.WET)
    message = rng.integers(0, 2, (int(0.57 * 1024), 240)).astype(np.uint8)
    once, anew = polar.cancel(odds, message, 0), syndrome.embed(odds, message, 0)
    failed, still = (syndrome.moved_wet(odds, bits).any(axis=0) for bits in (once, anew))
    assert 0 < failed.sum() < 24
    assert not (still & ~failed).any()
    assert still.sum() < 0.8 * failed.sum()
    polar.transform(anew)
    assert (anew[polar.frozen_set(10, len(message), 0)] == message).all()
