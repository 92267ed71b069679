"""The sturdy head and the layout of what follows it: fields, tiles, pieces, places after a crop."""

from __future__ import annotations

import numpy as np
import pytest

from stegcli.carriers.blocks import FREQUENCIES, Blocks, luma_table
from stegcli.carriers.streams import Keys
from stegcli.carriers.sturdy import Ground, Pieces
from stegcli.carriers.tiles import BITS, TILE, Tile
from stegcli.envelope import sturdy
from stegcli.envelope.sturdy import SturdyHead
from stegcli.errors import ModelError, NothingFoundError

LOCATOR = b"L" * 32
SALT = b"saltsalt"
HEAD = SturdyHead(60, 8, 2600, 120, 160)
KEYS = Keys(b"a" * 32, b"b" * 32, b"c" * 32)


def certain(bits: np.ndarray) -> np.ndarray:
    return np.where(bits == 1, np.float32(-4), np.float32(4)).astype(np.float32)


@pytest.mark.parametrize(
    "head",
    [HEAD, SturdyHead(1, 1, 1, 1, 1), SturdyHead(100, 63, (1 << 24) - 1, (1 << 12) - 1, (1 << 12) - 1)],
)
def test_a_head_comes_back_from_its_bytes_and_bits(head: SturdyHead) -> None:
    assert SturdyHead.from_bytes(head.to_bytes()) == head
    found, salt = sturdy.opened(certain(sturdy.coded(head, SALT, LOCATOR)), LOCATOR)
    assert found == head
    assert salt == sturdy.whole_salt(SALT)


@pytest.mark.parametrize("field", range(5))
@pytest.mark.parametrize("value", [0, 1 << 24])
def test_fields_out_of_range_are_refused(field: int, value: int) -> None:
    values = [60, 8, 2600, 120, 160]
    values[field] = value
    with pytest.raises(ValueError, match="sturdy head"):
        SturdyHead(*values)


def test_an_earlier_version_is_refused() -> None:
    fields = bytearray(HEAD.to_bytes())
    fields[0] = 0
    with pytest.raises(ValueError, match="version"):
        SturdyHead.from_bytes(bytes(fields))


def test_a_format_of_the_future_says_to_upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sturdy, "_VERSION", 2)
    soft = certain(sturdy.coded(HEAD, SALT, LOCATOR))
    monkeypatch.undo()
    with pytest.raises(ModelError, match="does not know") as refused:
        sturdy.opened(soft, LOCATOR)
    assert "Upgrade" in refused.value.hint


def test_another_key_and_noise_open_nothing() -> None:
    soft = certain(sturdy.coded(HEAD, SALT, LOCATOR))
    noise = np.random.default_rng(0).normal(size=BITS).astype(np.float32)
    for wrong, key in ((soft, b"M" * 32), (noise, LOCATOR), (-soft, LOCATOR), (np.zeros_like(soft), LOCATOR)):
        with pytest.raises(NothingFoundError):
            sturdy.opened(wrong, key)


def test_a_head_bears_many_errors() -> None:
    soft = certain(sturdy.coded(HEAD, SALT, LOCATOR))
    soft[np.random.default_rng(1).permutation(BITS)[: BITS // 10]] *= -1
    assert sturdy.opened(soft, LOCATOR)[0] == HEAD


def test_heads_of_two_salts_share_nothing() -> None:
    first, second = (sturdy.coded(HEAD, salt, LOCATOR) for salt in (SALT, b"pepperpe"))
    assert 0.4 < np.mean(first != second) < 0.6


def noise_blocks(rows: int, columns: int, seed: int = 2) -> Blocks:
    luma = np.random.default_rng(seed).normal(128, 25, (8 * rows, 8 * columns)).astype(np.float32)
    return Blocks.of(luma)


def tiled(blocks: Blocks, tile: Tile, bits: np.ndarray) -> np.ndarray:
    """(H, W) float32: luma with the bits of a tile in it."""
    change = tile.change(blocks, bits, np.zeros(blocks.rows * blocks.columns, np.float32))
    return blocks.joined() + blocks.plus(*change)


def test_tiles_are_found_wherever_a_picture_is_cut() -> None:
    tile, bits = Tile.of(LOCATOR), sturdy.coded(HEAD, SALT, LOCATOR)
    luma = tiled(noise_blocks(70, 80), tile, bits)
    part = Blocks.of(luma[8 * 5 :, 8 * 41 :])
    best = tile.turns(part, 1)[0]
    assert (best.row, best.column) == (5, 41 % TILE)
    assert best.score > 8
    soft = tile.soft(part, np.zeros(part.rows * part.columns, np.intp), best.row, best.column)
    assert sturdy.opened(soft, LOCATOR)[0] == HEAD


def test_no_tile_stands_out_of_noise() -> None:
    assert Tile.of(LOCATOR).turns(noise_blocks(64, 64), 1)[0].score < 5


def test_tile_and_body_share_no_block() -> None:
    tile = Tile.of(LOCATOR)
    others = tile.others(64, 32)
    assert len(others) == 2 * (TILE * TILE - 56)
    change = tile.change(noise_blocks(64, 32), np.ones(BITS, np.uint8), np.zeros(64 * 32, np.float32))[1]
    assert not change[others].any()
    assert change.any()


@pytest.mark.parametrize(("body_bytes", "places"), [(1, 60), (50, 900), (2600, 45_000), (5000, 80_000)])
def test_pieces_come_back(body_bytes: int, places: int) -> None:
    pieces = Pieces(body_bytes, places)
    body = np.random.default_rng(6).bytes(body_bytes)
    coded = pieces.encode(body)
    assert len(coded) == pieces.count * pieces.share <= places
    assert pieces.fits
    assert pieces.decode(certain(coded), threads=2) == (body, True)


def test_bodies_that_cannot_fit_are_known_by_numbers() -> None:
    assert not Pieces(1000, 8000).fits
    assert not Pieces(0, 8000).fits
    assert not Pieces(100_000, 3).fits


def test_a_body_is_read_from_what_is_left_of_its_blocks() -> None:
    blocks = noise_blocks(40, 40)
    ground = Ground.of(np.arange(1, 1600), 8, 60, KEYS)
    pieces = Pieces(500, 1599 * 8)
    body = np.random.default_rng(7).bytes(500)
    coefficients = blocks.coefficients(ground.frequencies)
    change = ground.change(coefficients, pieces.encode(body), np.full(1600, -1, np.float32))
    assert not change[0].any()
    seen = np.ones(1600, np.bool_)
    seen[:400] = False
    soft = ground.soft(coefficients + change, np.zeros(1600, np.intp), seen)
    used = pieces.count * pieces.share
    assert (soft == 0).mean() > 0.2
    assert pieces.decode(soft[:used], threads=1) == (body, True)


def test_frequencies_begin_with_those_of_small_steps() -> None:
    assert len(set(FREQUENCIES)) == 63
    assert 0 not in FREQUENCIES
    steps = luma_table(50)[list(FREQUENCIES)]
    assert (np.diff(steps) >= 0).all()
    assert luma_table(75)[1] == 6
    assert luma_table(1).max() == 255
    assert luma_table(100).max() == 1
