"""Batches: functions of seed and step, divided among processes."""

import logging

import numpy as np
import pytest
import torch
from PIL import Image

from stegcli.errors import TrainingError
from stegcli.pictures.luma import gray as numpy_gray
from stegcli.training.data import feeds
from stegcli.training.data.feeds import PairFeed, PhaseFeed, Pool

pytestmark = pytest.mark.train

CPU = torch.device("cpu")


def pools(planes=()):
    random = np.random.default_rng(0)
    sets = [
        random.integers(0, 128, (3, 256, 256, *planes)),
        random.integers(128, 256, (5, 256, 256, *planes)),
    ]
    return [
        Pool(name, w, s.astype(np.uint8), s[:3].astype(np.uint8), "")
        for name, w, s in zip("ab", (1, 3), sets, strict=True)
    ]


def feed(kind, **changes):
    settings = {"batch_size": 8, "crop": 16, "seed": 3, "device": CPU, **changes}
    return kind(pools((3,) if kind is PairFeed else ()), **settings)


@pytest.mark.parametrize("kind", [PhaseFeed, PairFeed])
def test_a_batch_is_a_function_of_seed_and_step(kind):
    once, again = feed(kind), feed(kind)
    again.batch(99)
    for step in (0, 1, 10**6):
        for name, pictures in once.batch(step).items():
            assert torch.equal(pictures, again.batch(step)[name])
            assert not torch.equal(pictures, once.batch(step + 1)[name])
            assert not torch.equal(pictures, feed(kind, seed=4).batch(step)[name])


@pytest.mark.parametrize("kind", [PhaseFeed, PairFeed])
def test_two_processes_share_one_batch(kind):
    whole = feed(kind).batch(5)
    parts = [feed(kind, rank=rank, world=2).batch(5) for rank in (0, 1)]
    for name, pictures in whole.items():
        assert torch.equal(pictures[0::2], parts[0][name])
        assert torch.equal(pictures[1::2], parts[1][name])


def test_processes_that_cannot_share_evenly():
    with pytest.raises(TrainingError, match="3 processes cannot share batches of 8"):
        feed(PairFeed, world=3)


def test_shapes_and_weights():
    (name, secret), *rest = feed(PhaseFeed, batch_size=400).batch(0).items()
    assert (name, secret.shape, secret.dtype, rest) == ("secret", (400, 1, 16, 16), torch.uint8, [])
    from_second = (secret.amin(dim=(1, 2, 3)) >= 128).float().mean()
    assert 0.66 < from_second < 0.84, "three of four"
    pair = feed(PairFeed).batch(0)
    assert {name: tuple(p.shape) for name, p in pair.items()} == {
        "cover": (8, 3, 16, 16),
        "secret": (8, 1, 16, 16),
    }


def test_validation_shows_what_was_held_out():
    held = feed(PhaseFeed).validation()
    assert {name: [p["secret"].shape[0] for p in parts] for name, parts in held.items()} == {
        "a": [3],
        "b": [3],
    }
    assert np.array_equal(held["a"][0]["secret"][:, 0].numpy(), pools()[0].held_out)
    pairs = feed(PairFeed).validation()["a"]
    assert [tuple(p["cover"].shape) for p in pairs] == [(1, 3, 256, 256)]
    assert [tuple(p["secret"].shape) for p in pairs] == [(1, 1, 256, 256)]


def test_gray_is_the_programs_own_rule():
    rgb = np.random.default_rng(1).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    assert np.array_equal(feeds.gray(torch.from_numpy(rgb))[:, 0].numpy(), numpy_gray(rgb))


def test_streams_of_a_step_differ():
    drawn = [torch.rand(4, generator=feeds.step_generator(1, 2, CPU, stream)) for stream in range(4)]
    assert len({tuple(d.tolist()) for d in drawn}) == 4


@pytest.mark.parametrize(("count", "told"), [(24, False), (10, True)])
def test_a_small_folder_validates_on_what_it_trains_on_and_says_so(tmp_path, photograph, caplog, count, told):
    for number in range(count):
        Image.fromarray(photograph(number)).save(tmp_path / f"{number}.png")
    with caplog.at_level(logging.INFO, "stegcli.training"):
        loaded = feeds.load_pool(f"folder:{tmp_path}", 1.0, None, "RGB", 4)
    assert 2 <= len(loaded.held_out) <= 4
    assert ("too small" in caplog.text) == told
    assert f"{count - round(count / 10)} pictures to train" in caplog.text
