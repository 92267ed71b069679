"""Distributed work: in order, with its errors, and with the same results from any engine."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import pytest

from stegcli.crew.base import HERE, Crew
from stegcli.errors import DiedError, ImageError, UsageError

TWO = Crew("processes", 2)


class StubbornError(Exception):
    """An object that cannot be pickled."""

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("stays where it is")


def square(number: int) -> int:
    if number == 13:
        raise ImageError("thirteen", "Give another number.")
    if number == 14:
        raise StubbornError("fourteen")
    return number**2


def threads_of(name: str) -> str | None:
    return os.environ.get(name)


@dataclass(frozen=True)
class Adding:
    """Work whose tools are a number, and which is killed by a task of that size."""

    large: int

    def tools(self) -> int:
        return self.large

    def do(self, tools: int, task: int) -> int:
        if task == self.large:
            os.kill(os.getpid(), signal.SIGKILL)
        return tools + task


@pytest.mark.parametrize("crew", [HERE, TWO], ids=["here", "processes"])
def test_results_come_in_order_whoever_is_first(crew: Crew) -> None:
    assert list(crew.map(square, range(9))) == [number**2 for number in range(9)]
    assert list(crew.map(square, [])) == []


@pytest.mark.parametrize("crew", [HERE, TWO], ids=["here", "processes"])
def test_an_error_is_raised_where_the_work_was_given(crew: Crew) -> None:
    with pytest.raises(ImageError, match="thirteen") as caught:
        list(crew.map(square, [13]))
    assert caught.value.hint == "Give another number."


def test_an_error_says_where_it_was_raised_and_its_text_at_least() -> None:
    with pytest.raises(RuntimeError, match="StubbornError: fourteen") as caught:
        list(TWO.map(square, [14]))
    assert "in square" in str(caught.value.__cause__)


def test_a_dead_process_takes_one_task_with_it() -> None:
    outcomes = {each.number: each for each in TWO.outcomes(Adding(2), range(5), 5)}
    assert {number: each.result for number, each in outcomes.items()} == {0: 2, 1: 3, 2: None, 3: 5, 4: 6}
    assert isinstance(outcomes[2].error, DiedError)
    assert "killed by signal 9" in outcomes[2].error.message


def test_a_process_has_its_threads_and_this_one_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    assert list(TWO.map(threads_of, ["OMP_NUM_THREADS", "NUMBA_NUM_THREADS"])) == ["1", "1"]
    assert threads_of("OMP_NUM_THREADS") == "3"
    assert threads_of("NUMBA_NUM_THREADS") is None


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="0 workers"):
        Crew("processes", 0)
    with pytest.raises(UsageError, match="without Ray"):
        Crew("processes", address="127.0.0.1:6379")
