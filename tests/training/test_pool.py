"""Pictures in memory: what is skipped, what is refused, and what a tile is."""

import logging

import numpy as np
import pytest
import torch
from hostile_files import garbage, header_bomb, truncated
from PIL import Image

from stegcli.errors import TrainingError
from stegcli.training.data import datasets, pool

pytestmark = pytest.mark.train


def refs_of(folder):
    return datasets.find(f"folder:{folder}", None)


@pytest.fixture
def folder(tmp_path, photograph):
    for number in range(9):
        Image.fromarray(photograph(number)).save(tmp_path / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize(("mode", "planes"), [("L", ()), ("RGB", (3,))])
def test_tiles_of_a_folder(folder, mode, planes):
    loaded = pool.load(refs_of(folder), pool.evaluation_tiles("folder"), mode)
    assert loaded.shape == (9, 256, 256, *planes)
    assert loaded.dtype == np.uint8
    assert len(pool.load(refs_of(folder), pool.training_tiles("folder"), mode)) == 18, (
        "both ends of 4:3 pictures"
    )


def test_corrupt_pictures_are_skipped_and_counted(folder, photograph, caplog):
    for name, content in (
        ("x", garbage()),
        ("y", truncated(photograph(0))),
        ("z", b""),
        ("b", header_bomb()),
    ):
        (folder / f"{name}.png").write_bytes(content)
    with caplog.at_level(logging.WARNING, "stegcli.training"):
        loaded = pool.load(refs_of(folder), pool.evaluation_tiles("folder"), "L")
    assert len(loaded) == 9
    assert "4 of 13 pictures could not be read and were skipped" in caplog.text


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_pictures_are_an_error(folder, count):
    refs = refs_of(folder)[:count]
    with pytest.raises(TrainingError, match=f"{count} pictures to train on") as refused:
        pool.load(refs, pool.training_tiles("folder"), "L")
    assert str(pool.MIN_IMAGES) in refused.value.hint


def test_only_corrupt_pictures_are_an_error(tmp_path):
    for number in range(10):
        (tmp_path / f"{number}.png").write_bytes(garbage())
    with pytest.raises(TrainingError, match="of 10 pictures to train on, 0 can be read"):
        pool.load(refs_of(tmp_path), pool.training_tiles("folder"), "RGB")


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2), (4000, 1), (256, 256), (300, 256)])
@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK", "I;16"])
def test_pictures_of_any_size_and_kind(tmp_path, size, mode):
    Image.new(mode, size).save(tmp_path / "one.tif")
    for cut in (pool.training_tiles("folder"), pool.evaluation_tiles("folder"), pool.training_tiles("lfw")):
        for wanted, planes in (("L", ()), ("RGB", (3,))):
            loaded = pool.load(refs_of(tmp_path), cut, wanted, minimum=1)
            assert loaded.shape[1:] == (256, 256, *planes)


def test_gray_pictures_serve_as_covers(tmp_path, photograph):
    Image.fromarray(photograph(1)).convert("L").save(tmp_path / "gray.png")
    (loaded,) = pool.load(refs_of(tmp_path), pool.evaluation_tiles("folder"), "RGB", minimum=1)
    assert np.array_equal(loaded[..., 0], loaded[..., 2])


def test_crops_are_pieces_of_their_picture_maybe_mirrored():
    picture = np.arange(256 * 256, dtype=np.int64).reshape(1, 256, 256) % 251
    cropper = pool.Cropper(picture.astype(np.uint8), torch.device("cpu"))
    drawn = cropper.draw(torch.zeros(8, dtype=torch.long), 16, torch.Generator().manual_seed(1))
    assert drawn.shape == (8, 16, 16)
    windows = np.lib.stride_tricks.sliding_window_view(picture[0].astype(np.uint8), (16, 16))
    for crop in drawn.numpy():
        mirrored = [crop[::a, ::b] for a in (1, -1) for b in (1, -1)]
        assert any((windows[:, :, 0, :] == m[0]).all(-1).any() for m in mirrored)
    whole = cropper.draw(torch.zeros(1, dtype=torch.long), 256, torch.Generator().manual_seed(1))
    assert sorted(whole.flatten().tolist()) == sorted(picture.flatten().tolist())
