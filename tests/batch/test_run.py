"""Whole batches, in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from batch_cases import Doomed, Stillborn, hiding, pairs

from stegcli.batch import run
from stegcli.batch.entries import to_reveal
from stegcli.batch.run import Plan
from stegcli.batch.work import Revealing
from stegcli.envelope.header import _votes, draw_places, read_salt
from stegcli.envelope.keys import RUN_BYTES, Keyring
from stegcli.errors import ModelError, UsageError
from stegcli.pictures.reading import DEFAULT_MAX_PIXELS, load_stego
from stegcli.pipeline import HideSettings


def _counting() -> Callable[[int], bytes]:
    """Return bytes that are the same in every run of the tests."""

    def numbers() -> Iterator[int]:
        yield from range(1, 1000)

    each = numbers()
    return lambda size: next(each).to_bytes(size, "big")


def test_the_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    entries = pairs(tmp_path, 3)
    for workers, name in ((1, "one"), (2, "two")):
        results = list(run.hide_all(entries, Plan(workers), hiding(tmp_path / name, "words"), _counting()))
        assert [each.status for each in results] == ["done"] * 3
    for entry in entries:
        assert (tmp_path / "one" / entry.name).read_bytes() == (tmp_path / "two" / entry.name).read_bytes()


def test_a_dead_process_takes_one_picture_with_it(tmp_path: Path) -> None:
    entries = pairs(tmp_path, 4)
    work = Doomed(tmp_path / "out", HideSettings(), None, fatal=entries[1].name)
    results = {each.entry.name: each for each in run.hide_all(entries, Plan(2), work)}
    assert {name: each.status for name, each in results.items()} == {
        "p0.stego.png": "done", "p1.stego.png": "failed", "p2.stego.png": "done", "p3.stego.png": "done",
    }  # fmt: skip
    assert results["p1.stego.png"].values["kind"] == "died"
    again = list(run.hide_all(entries, Plan(1), hiding(tmp_path / "out")))
    assert sorted(each.status for each in again) == ["done", "kept", "kept", "kept"]


def test_there_and_back_with_a_passphrase(tmp_path: Path) -> None:
    entries = pairs(tmp_path, 2)
    for _ in run.hide_all(entries, Plan(1), hiding(tmp_path / "out", "words")):
        pass
    with pytest.raises(UsageError, match="another passphrase"):
        list(run.hide_all(entries, Plan(1), hiding(tmp_path / "out", "others")))
    salts = [_salt_of(tmp_path / "out" / entry.name, "words") for entry in entries]
    assert salts[0][:RUN_BYTES] == salts[1][:RUN_BYTES]
    assert salts[0] != salts[1]
    work = Revealing(tmp_path / "back", None, "cpu", "words", "original", DEFAULT_MAX_PIXELS)
    results = list(run.reveal_all(to_reveal(tmp_path / "out"), Plan(1), work))
    assert sorted(each.file for each in results) == ["p0.stego.revealed.png", "p1.stego.revealed.png"]


def test_what_is_wrong_with_the_model_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        next(run.hide_all(pairs(tmp_path, 1), Plan(1), _with_model(tmp_path / "out", "nobody")))


def _with_model(folder: Path, model: str):
    from stegcli.batch.work import Hiding

    return Hiding(folder, HideSettings(model=model), None)


def _salt_of(stego: Path, passphrase: str) -> bytes:
    pixels = load_stego(stego).rgb.reshape(-1, 3)
    return read_salt(pixels, draw_places(len(pixels), Keyring(passphrase).locator(len(pixels))))[0]


def test_a_salt_in_parities_shows_itself_to_whoever_has_the_locator(tmp_path: Path) -> None:
    """Why salts of one run may begin alike there: a guesser learns no more than from a single picture."""
    from stegcli import pipeline
    from stegcli.envelope import convolution

    cover, secret = pairs(tmp_path, 1)[0].inputs
    pipeline.hide(cover, secret, tmp_path / "stego.png", passphrase="words")
    pixels = load_stego(tmp_path / "stego.png").rgb.reshape(-1, 3)

    def agreement(passphrase: str) -> float:
        places = draw_places(len(pixels), Keyring(passphrase).locator(len(pixels)))
        salt = read_salt(pixels, places)[0]
        coded = convolution.encode(np.unpackbits(np.frombuffer(salt, np.uint8)))
        votes = _votes(pixels, places, 1)[: len(coded)]
        return float(((votes > 0) == (coded > 0)).mean())

    assert agreement("words") == 1
    assert agreement("others") < 0.9


def test_a_process_that_dies_before_it_begins(tmp_path: Path) -> None:
    """A process that dies is not restarted for ever."""
    work = Stillborn(tmp_path / "out", HideSettings(), None)
    with pytest.raises(OSError, match="cannot be started: killed by signal 9"):
        list(run.hide_all(pairs(tmp_path, 2), Plan(1), work))
