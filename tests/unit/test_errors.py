from __future__ import annotations

import pickle

import pytest

from stegcli import errors
from stegcli.errors import ExitCode, NothingFoundError, ReaderGoneError, StegError

CHILDREN = [
    (errors.UsageError, 2, "usage"),
    (errors.OutputError, 2, "output"),
    (errors.ImageError, 3, "image"),
    (errors.NothingFoundError, 4, "nothing-found"),
    (errors.ModelError, 5, "model"),
    (errors.DeviceError, 6, "device"),
    (errors.MissingExtraError, 7, "extra"),
    (errors.TrainingError, 8, "training"),
    (errors.ChangedError, 4, "changed"),
    (errors.PartsError, 4, "parts"),
    (errors.BatchError, 10, "batch"),
    (errors.DiedError, 9, "died"),
]


@pytest.mark.parametrize("error", [child("what", "cure") for child, _, _ in CHILDREN] + [ReaderGoneError()])
def test_an_error_passes_from_process_to_process(error: StegError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.message, again.hint, str(again)) == (
        type(error), error.message, error.hint, str(error),
    )  # fmt: skip


@pytest.mark.parametrize(("child", "code", "kind"), CHILDREN)
def test_every_error_knows_its_code_and_kind(child: type[StegError], code: int, kind: str) -> None:
    error = child("what happened", "what to do")
    assert (error.exit_code, error.kind, error.message, error.hint) == (
        code,
        kind,
        "what happened",
        "what to do",
    )
    assert str(error) == "what happened"


def test_no_child_is_left_out() -> None:
    own = {child for child in StegError.__subclasses__() if child.__module__ == errors.__name__}
    assert {child for child, _, _ in CHILDREN} == own - {ReaderGoneError}


def test_a_reader_that_went_away_is_told_nothing() -> None:
    assert (ReaderGoneError().exit_code, ReaderGoneError().message, ReaderGoneError().hint) == (141, "", "")


def test_nothing_found_has_one_text() -> None:
    assert str(NothingFoundError()) == str(NothingFoundError())
    assert NothingFoundError().hint


def test_exit_codes_are_the_published_ones() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "BUG": 1,
        "USAGE": 2,
        "IMAGE": 3,
        "NOTHING_FOUND": 4,
        "MODEL": 5,
        "DEVICE": 6,
        "EXTRA": 7,
        "TRAINING": 8,
        "SYSTEM": 9,
        "SOME_FAILED": 10,
        "INTERRUPTED": 130,
        "READER_GONE": 141,
    }
