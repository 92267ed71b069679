"""The entries of a manifest or a folder, and the errors in either."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

import pytest

from stegcli.batch.entries import Entry, to_hide, to_reveal
from stegcli.errors import UsageError


def _png(_cover: str) -> str:
    return "stego.png"


def test_a_manifest_of_pairs(tmp_path: Path) -> None:
    manifest = tmp_path / "pairs.csv"
    manifest.write_text(
        '\ufeffcover,secret,stego\na.png,"b, c.png",\n\nd/e.jpg,f.png,g.webp\n', encoding="utf-8"
    )
    assert to_hide(manifest, _png) == [
        Entry((tmp_path / "a.png", tmp_path / "b, c.png"), "a.stego.png"),
        Entry((tmp_path / "d/e.jpg", tmp_path / "f.png"), "g.webp"),
    ]


def test_a_manifest_of_stegos(tmp_path: Path) -> None:
    manifest = tmp_path / "stegos.csv"
    manifest.write_text("stego\na.png\n")
    assert to_reveal(manifest) == [Entry((tmp_path / "a.png",), "a.revealed.png")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a named pipe is POSIX's")
def test_a_manifest_through_a_pipe_starts_from_the_current_folder(tmp_path: Path) -> None:
    """As from `<(...)`, whose own folder is /dev/fd."""
    pipe = tmp_path / "pairs"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"cover,secret\na.png,b/c.png\n",))
    writer.start()
    assert to_hide(pipe, _png) == [Entry((Path("a.png"), Path("b/c.png")), "a.stego.png")]
    writer.join()


def test_a_manifest_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"stego\nx/a.png\n")))
    assert to_reveal(Path("-")) == [Entry((Path("x/a.png"),), "a.revealed.png")]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a device without an end is POSIX's")
def test_a_device_is_no_manifest() -> None:
    with pytest.raises(UsageError, match="a device"):
        to_reveal(Path("/dev/zero"))


def test_a_folder_of_pairs_and_one_of_stegos(tmp_path: Path) -> None:
    for name in ("covers/b.png", "covers/a.jpg", "secrets/a.png", "secrets/b.gif", "covers/.hidden"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "batch.jsonl").touch()
    (tmp_path / "s.png").touch()
    assert [entry.name for entry in to_hide(tmp_path, _png)] == ["a.stego.png", "b.stego.png"]
    assert to_reveal(tmp_path) == [Entry((tmp_path / "s.png",), "s.revealed.png")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "its first line"),
        ("a.png,b.png\n", "its first line"),
        ("cover,secret,cover\n", "its first line"),
        ("cover,secret,extra\n", "its first line"),
        ("cover,secret\n", "nothing to do"),
        ("cover,secret\na.png\n", "line 2"),
        ("cover,secret\na.png,b.png,c.png\n", "line 2"),
        ("cover,secret\na.png,b.png\nc\0.png,d.png\n", "line 3"),
        ('cover,secret\n"a.png,b.png\n', "not CSV"),
        ("cover,secret,stego\na.png,b.png,../c.png\n", "not a plain file name"),
        ("cover,secret,stego\na.png,b.png,c\\d.png\n", "not a plain file name"),
        ("cover,secret,stego\na.png,b.png,.batch\n", "not a plain file name"),
        ("cover,secret\nx/a.png,b.png\ny/A.jpg,b.png\n", "2 results would be called a.stego.png"),
    ],
)
def test_a_manifest_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    manifest = tmp_path / "pairs.csv"
    manifest.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        to_hide(manifest, _png)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    manifest = tmp_path / "pairs.csv"
    manifest.write_bytes(b"cover,secret\n\xff\xfe,b\n")
    with pytest.raises(UsageError, match="cannot be read"):
        to_hide(manifest, _png)


def test_a_cover_without_its_secret(tmp_path: Path) -> None:
    for name in ("covers/a.png", "secrets/b.png"):
        path = tmp_path / name
        path.parent.mkdir()
        path.touch()
    with pytest.raises(UsageError, match="no secret of that name"):
        to_hide(tmp_path, _png)
