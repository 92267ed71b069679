"""Journals that were cut short, that belong to somebody else, or that cannot be written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from stegcli.errors import OutputError, UsageError
from stegcli.lab.quality.journal import Journal

SETTINGS = {"seed": 1}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with rows "a" and "b"."""
    path = tmp_path / "out.pairs.jsonl"
    journal = Journal(path, SETTINGS)
    for key in ("a", "b"):
        journal.add(key, {"value": key})
    return path


def test_rows_are_found_again(path: Path) -> None:
    again = Journal(path, SETTINGS, names=("value",))
    assert (len(again), again.get("a"), again.get("c")) == (2, {"value": "a"}, None)


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_line_costs_its_own_row_and_no_other(path: Path, cut: int) -> None:
    """The row that is added next must not be joined to it."""
    path.write_bytes(path.read_bytes()[:-cut])
    torn = Journal(path, SETTINGS)
    assert torn.get("a") == {"value": "a"} or cut > 32
    torn.add("c", {"value": "c"})
    assert Journal(path, SETTINGS).get("c") == {"value": "c"}


@pytest.mark.parametrize("head", ["", '{"', '{"settings": {"se'])
def test_a_run_that_was_cut_off_in_its_first_line_begins_anew(path: Path, head: str) -> None:
    path.write_text(head)
    journal = Journal(path, SETTINGS)
    assert len(journal) == 0
    journal.add("c", {"value": "c"})
    assert len(Journal(path, SETTINGS)) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\x00 no text",
        b"null",
        b"[1, 2]",
        b'"text"',
        b'{"key": "c"}',
        b'{"row": {"value": 1}}',
        b'{"key": ["c"], "row": {"value": 1}}',
        b'{"key": "c", "row": null}',
        b'{"key": "c", "row": {"another": 1}}',
        b"[" * 100_000,
    ],
)
def test_foreign_lines_are_passed_over(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        file.write(line + b"\n")
    again = Journal(path, SETTINGS, names=("value",))
    assert (len(again), again.get("c")) == (2, None)
    again.add("c", {"value": "c"})
    assert Journal(path, SETTINGS, names=("value",)).get("c") == {"value": "c"}


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0 a picture", b"null\n", b"[]\n", b'{"settings": {"seed": 2}}\n', b"notes\n"]
)
def test_what_is_no_journal_of_this_measurement_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(UsageError, match="another measurement"):
        Journal(path, SETTINGS)
    assert path.read_bytes() == content
    assert len(Journal(path, SETTINGS, fresh=True)) == 0


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be read") as refusal:
        Journal(tmp_path, SETTINGS)
    assert refusal.value.hint


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no limit on file sizes to play a full disk with"
)
def test_a_full_disk_keeps_what_was_finished(path: Path) -> None:
    import resource
    import signal

    journal = Journal(path, SETTINGS)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written") as refusal:
            journal.add("c", {"value": "c" * 10_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert "kept" in refusal.value.hint
    again = Journal(path, SETTINGS)
    assert len(again) == 2
    again.add("c", {"value": "c"})
    assert [json.loads(line) for line in path.read_bytes().splitlines()[-1:]] == [
        {"key": "c", "row": {"value": "c"}}
    ]
