"""Which pictures of a data set become covers."""

from __future__ import annotations

from pathlib import Path

import hostile_files
import numpy as np
import pytest

from stegcli.errors import ImageError
from stegcli.lab.data import covers, photos

RNG = np.random.default_rng(8)


def test_a_damaged_picture_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covers, "MIN_COVERS", 2)
    pixels = RNG.integers(0, 256, (260, 350, 3), dtype=np.uint8)
    for name, content in [
        ("a.png", hostile_files.png_bytes(pixels)),
        ("b.png", hostile_files.truncated(pixels)),
        ("c.png", hostile_files.garbage()),
        ("d.png", hostile_files.png_bytes(pixels[:50])),
        ("e.png", hostile_files.png_bytes(pixels)),
    ]:
        (tmp_path / name).write_bytes(content)
    found = covers.covers_of(photos.find(f"folder:{tmp_path}", None), 10)
    assert [Path(ref.key).name for ref in found] == ["a.png", "e.png"]
    assert covers.load_cover(found[0]).shape == (192, 256, 3)


def test_a_picture_that_was_damaged_since_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(hostile_files.garbage())
    with pytest.raises(ImageError, match=r"b\.png"):
        covers.load_cover(photos.ImageRef("folder/b.png", str(tmp_path / "b.png")))
