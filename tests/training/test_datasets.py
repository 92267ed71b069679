"""Where pictures are found, and which are held out."""

import tarfile

import numpy as np
import pytest
from PIL import Image

from stegcli.errors import TrainingError
from stegcli.training.data import datasets

pytestmark = pytest.mark.train


@pytest.fixture
def faces(tmp_path):
    """20 people with three pictures each, as in LFW's folder."""
    for person in range(20):
        for number in range(3):
            path = (
                tmp_path / "lfw-deepfunneled" / f"Person_{person:02}" / f"Person_{person:02}_{number:04}.png"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), person, np.uint8)).save(path)
    return tmp_path


def people(refs):
    return {ref.key.split("/")[-2] for ref in refs}


def test_folder_takes_pictures_of_any_depth_and_nothing_else(tmp_path):
    folder = tmp_path / "set"
    (folder / "deep" / "er").mkdir(parents=True)
    for name in ("b.png", "deep/er/a.JPG", "notes.txt", "deep/.hidden"):
        (folder / name).write_bytes(b"")
    assert [ref.key for ref in datasets.find(f"folder:{folder}", None)] == ["set/b.png", "set/deep/er/a.JPG"]


def test_an_archive_is_read_where_it_lies(faces):
    from_folder = datasets.find("lfw", faces)
    archive = faces / "archives" / "lfw-deepfunneled.tar"
    archive.parent.mkdir()
    with tarfile.open(archive, "w") as tar:
        tar.add(faces / "lfw-deepfunneled", "lfw-deepfunneled")
    from_archive = datasets.find("lfw", archive.parent)
    assert [ref.key for ref in from_archive] == [ref.key for ref in from_folder]
    assert [ref.read() for ref in from_archive] == [ref.read() for ref in from_folder]
    with from_archive[0].open() as image:
        assert image.size == (8, 8)
    assert datasets.splits("lfw", faces)[1] != []
    assert datasets.digest(from_archive) == datasets.digest(from_folder)


def test_no_person_is_on_both_sides(faces):
    train, held_out = datasets.splits("lfw", faces)
    assert len(train) + len(held_out) == 60
    assert len(people(held_out)) == 2
    assert not people(train) & people(held_out)


def test_the_split_depends_on_names_and_seed_alone(faces):
    refs = datasets.find("lfw", faces)
    again = datasets.split(list(reversed(refs)), 0.2, 1)
    assert [{r.key for r in part} for part in datasets.split(refs, 0.2, 1)] == [
        {r.key for r in part} for part in again
    ]
    assert datasets.split(refs, 0.2, 1)[1] != datasets.split(refs, 0.2, 2)[1]
    assert [len(part) for part in datasets.split(refs, 0.2, 1)] == [48, 12]


def test_the_digest_says_which_pictures(faces):
    refs = datasets.find("lfw", faces)
    assert datasets.digest(refs) == datasets.digest(refs[::-1])
    assert datasets.digest(refs) != datasets.digest(refs[1:])


@pytest.mark.parametrize("name", ["lfws", "folder:absent", "folder:picture.png"])
def test_what_is_missing_is_said_with_the_cure(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "picture.png").write_bytes(b"")
    with pytest.raises(TrainingError) as refused:
        datasets.find(name, tmp_path)
    assert refused.value.hint
