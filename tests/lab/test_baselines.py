import numpy as np
import pytest

from stegcli.carriers.costs import hill_cost
from stegcli.errors import UsageError
from stegcli.lab import writing
from stegcli.lab.data.pairs import Pair
from stegcli.lab.quality import baselines
from stegcli.pictures import metrics


@pytest.mark.parametrize("name", ["lsb-332", "webp-lsbm", "avif-lsbm"])
def test_what_is_written_is_read_from_the_pixels(pair: Pair, name: str) -> None:
    hidden = baselines.baseline(name).hide(pair.cover_rgb, pair.secret_gray, "seed", 52.0)
    revealed = hidden.reveal(hidden.stego_rgb)
    assert revealed is not None
    assert metrics.psnr(pair.secret_gray, revealed) > 38
    assert hidden.written_bits > 0


@pytest.mark.parametrize("name", ["webp-lsbm", "avif-lsbm", "webp-hill", "avif-hill"])
def test_files_keep_the_stego_that_they_are_compared_with(pair: Pair, name: str) -> None:
    hidden = baselines.baseline(name).hide(pair.cover_rgb, pair.secret_gray, "seed", 55.0)
    assert metrics.psnr(pair.cover_rgb, hidden.stego_rgb) > 54.9
    assert np.abs(hidden.stego_rgb.astype(int) - pair.cover_rgb).max() == 1


def test_the_forty_decibel_file_reveals_at_forty(pair: Pair) -> None:
    hidden = baselines.baseline("avif-hill-40").hide(pair.cover_rgb, pair.secret_gray, "seed", None)
    revealed = hidden.reveal(hidden.stego_rgb)
    assert revealed is not None
    assert 40 <= metrics.psnr(pair.secret_gray, revealed) < 42
    assert hidden.simulated


def test_a_file_that_lost_pixels_does_not_open(pair: Pair) -> None:
    hidden = baselines.baseline("avif-lsbm").hide(pair.cover_rgb, pair.secret_gray, "seed", 52.0)
    damaged = hidden.stego_rgb.copy()
    damaged[::7] ^= 1
    assert hidden.reveal(damaged) is None


def test_raw_values_take_the_nearest_level() -> None:
    rgb = np.array([[[7, 250, 255], [0, 128, 3]]], np.uint8)
    places, values = np.array([0, 1]), np.array([0, 255], np.uint8)
    stego = writing.replace_332(rgb, places, values)
    assert (writing.read_332(stego, places) == values).all()
    assert np.abs(stego.astype(int) - rgb).max() <= 7
    assert stego[0, 0, 0] == 8  # nearer to 7 than 0 is


def test_an_ideal_coder_changes_what_its_payload_needs(cover_rgb: np.ndarray) -> None:
    coder = writing.IdealCoder.on(cover_rgb)
    bits = coder.capacity(5000.0)
    stego = coder.write(bits, np.random.default_rng(0))
    changed = np.count_nonzero(stego != cover_rgb)
    assert changed == pytest.approx(5000, rel=0.05)
    assert bits > 2 * 5000  # LSB matching carries two bits a change


def test_costs_are_those_of_conseal(cover_rgb: np.ndarray) -> None:
    conseal = pytest.importorskip("conseal")
    ours = hill_cost(cover_rgb[..., 1].astype(np.float32)).astype(float)
    theirs = conseal.hill._costmap.compute_cost(cover_rgb[..., 1])
    inner = (slice(16, -16), slice(16, -16))
    assert np.corrcoef(np.log(ours[inner].ravel()), np.log(theirs[inner].ravel()))[0, 1] > 0.99


def test_an_unknown_baseline_lists_the_known() -> None:
    with pytest.raises(UsageError) as caught:
        baselines.choose("lsb")
    assert "avif-hill" in caught.value.hint
    assert baselines.choose("none") == []
    assert len(baselines.choose("all")) == len(baselines.NAMES)


def test_a_secret_too_rich_for_the_cover_gets_the_best_file_that_fits() -> None:
    rng = np.random.default_rng(0)
    cover, secret = rng.integers(256, size=(2, 96, 96, 3), dtype=np.uint8)
    hidden = baselines.baseline("avif-lsbm-40").hide(cover, secret[..., 0], "seed", None)
    assert hidden.written_bits <= cover.size
    assert hidden.reveal(hidden.stego_rgb) is not None


@pytest.mark.parametrize("name", ["webp-lsbm", "avif-lsbm-40"])
def test_no_damaged_file_raises(secret_gray: np.ndarray, name: str) -> None:
    content, decode = baselines.baseline(name)._file(secret_gray[:96, :96], 30_000, 60_000)
    whole = np.frombuffer(content, np.uint8)
    assert decode(content) is not None
    rng = np.random.default_rng(0)
    for _ in range(40):
        damaged = whole.copy()
        damaged[rng.integers(len(whole), size=20)] ^= 1 << int(rng.integers(8))
        decode(damaged.tobytes())  # None or a picture
