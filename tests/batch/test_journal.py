"""A journal survives a kill at any byte, and trusts only lines that it wrote itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stegcli.batch.entries import Entry
from stegcli.batch.journal import JOURNAL, digest_of, open_journal, read_journal
from stegcli.errors import OutputError


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    """A pair whose stego is in out/."""
    for name in ("cover", "secret"):
        (tmp_path / name).write_text(name)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stego").write_text("stego")
    return Entry((tmp_path / "cover", tmp_path / "secret"), "stego")


def _finish(folder: Path, entry: Entry, how: str = "so") -> None:
    with open_journal(folder, how) as journal:
        journal.begin(entry)
        journal.finish(entry, "stego", digest_of(folder / "stego") or "", {"stego": "stego"})


def test_what_was_finished_is_kept(tmp_path: Path, entry: Entry) -> None:
    out = tmp_path / "out"
    _finish(out, entry)
    with open_journal(out, "so") as journal:
        assert (journal.kept(entry), journal.owns(entry)) == ("stego", True)
    with open_journal(out, "otherwise") as journal:
        assert journal.kept(entry) is None


@pytest.mark.parametrize("changed", ["out/stego", "cover", "secret"])
def test_what_has_changed_since_is_not_kept(tmp_path: Path, entry: Entry, changed: str) -> None:
    _finish(tmp_path / "out", entry)
    (tmp_path / changed).write_text("changed")
    assert read_journal(tmp_path / "out", "so").kept(entry) is None
    (tmp_path / changed).unlink()
    assert read_journal(tmp_path / "out", "so").kept(entry) is None


def test_a_kill_at_any_byte(tmp_path: Path, entry: Entry) -> None:
    out = tmp_path / "out"
    _finish(out, entry)
    whole = (out / JOURNAL).read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(len(whole)):
        (out / JOURNAL).write_bytes(whole[:end])
        with open_journal(out, "so") as journal:
            assert journal.owns(entry) == (end >= first)
            assert journal.kept(entry) is None
        _finish(out, entry)
        assert read_journal(out, "so").kept(entry) == "stego"
        assert all(json.loads(line) for line in (out / JOURNAL).read_text().splitlines())


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\n", b"[]\n", b"null\n", b"{}\n", b'{"done": 1}\n', b"[" * 100_000 + b"\n",
        b'{"done": "stego", "file": "../cover", "sha256": "", "inputs": [], "how": "so"}\n',
        b'{"done": "stego", "file": "stego", "sha256": "", "inputs": [["x", 1]], "how": "so"}\n',
        b'{"done": "stego", "file": "stego", "sha256": "", "inputs": 7, "how": "so"}\n',
    ],
)  # fmt: skip
def test_a_line_that_is_none_says_nothing(tmp_path: Path, entry: Entry, line: bytes) -> None:
    (tmp_path / "out" / JOURNAL).write_bytes(line)
    journal = read_journal(tmp_path / "out", "so")
    assert (journal.kept(entry), journal.owns(entry)) == (None, False)


def test_two_runs_at_once(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="only there a run can keep others out")
    with (
        open_journal(tmp_path, "so"),
        pytest.raises(OutputError, match="another batch"),
        open_journal(tmp_path, "so"),
    ):
        pass
