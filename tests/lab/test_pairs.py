from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stegcli.errors import UsageError
from stegcli.lab.data import photos
from stegcli.lab.data.covers import covers_of
from stegcli.lab.data.pairs import from_dataset, from_folder


def test_no_picture_is_used_twice(photo_folder: Path) -> None:
    source = from_dataset(f"folder:{photo_folder}", None, 20, 3)
    keys = [ref.key for pair in source.members for ref in pair]
    assert len(source) == 20
    assert len(set(keys)) == 40


def test_a_seed_chooses_the_pairs(photo_folder: Path) -> None:
    first, again, other = (from_dataset(f"folder:{photo_folder}", None, 5, seed) for seed in (1, 1, 2))
    assert first == again != other
    pair = next(iter(first))
    assert (pair.cover_rgb.shape, pair.secret_gray.shape) == ((256, 256, 3), (256, 256))
    assert pair.with_secret_side(0.5).secret_gray.shape == (128, 128)


def test_a_known_set_gives_only_pictures_that_training_never_saw(tmp_path: Path) -> None:
    folder = tmp_path / "imagenet"
    folder.mkdir()
    for number in range(40):
        Image.new("RGB", (260, 256), (number, 0, 0)).save(folder / f"{number}.png")
    held_out = {ref.key for ref in photos.splits("imagenet", tmp_path)[1]}
    used = {ref.key for pair in from_dataset("imagenet", tmp_path, 50, 0).members for ref in pair}
    assert used == held_out
    assert len(used) == 4


@pytest.mark.parametrize("names", [("a.cover.png", "a.secret.png"), ("cover/a.png", "secret/a.png")])
def test_pairs_of_a_folder_are_used_as_they_are(tmp_path: Path, names: tuple[str, str]) -> None:
    for name, size in zip(names, [(90, 70), (30, 20)], strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", size, (9, 9, 9)).save(tmp_path / name)
    (pair,) = from_folder(tmp_path)
    assert pair.cover_rgb.shape == (70, 90, 3)
    assert np.array_equal(pair.secret_gray, np.full((20, 30), 9))


def test_a_folder_without_pairs_says_how_to_name_them(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="no pairs") as caught:
        from_folder(tmp_path)
    assert "cover" in caught.value.hint


def test_pictures_that_cannot_be_decoded_are_left_out_and_named(
    photo_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad file must not end a measurement of hours."""
    whole = sorted(photo_folder.iterdir())
    for path in whole[:24]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    Image.open(whole[0]).save(tmp_path / "whole.jpg")
    content = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "cut.png").write_bytes(whole[0].read_bytes()[:20_000])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "garbage.webp").write_bytes(b"RIFF\xff\xff\xff\xffWEBP garbage")
    source = from_dataset(f"folder:{tmp_path}", None, 50, 0)
    assert len(source) == len(list(source)) == 12
    named = {record.getMessage().split()[0].rpartition("/")[2] for record in caplog.records}
    assert named == {"cut.jpg", "cut.png", "empty.png", "garbage.webp"}
    found = covers_of(photos.find(f"folder:{tmp_path}", None), 100)
    assert len(found) == 25
    caplog.clear()
    for role, content in (("cover", whole[0].read_bytes()), ("secret", b"garbage")):
        (tmp_path / "pairs" / role).mkdir(parents=True)
        (tmp_path / "pairs" / role / "bad.png").write_bytes(content)
        (tmp_path / "pairs" / role / "good.png").write_bytes(whole[1].read_bytes())
    assert len(from_folder(tmp_path / "pairs")) == 1
    (tmp_path / "pairs" / "cover" / "good.png").write_bytes(b"garbage")
    with pytest.raises(UsageError, match="no pair"):
        from_folder(tmp_path / "pairs")
