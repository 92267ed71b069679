"""Every hider on every pair, by whatever crew: what evaluations of quality and of damage have in common.

A chain is one pair at one spread: its hiders follow each other, because those after the first aim at the
stego PSNR of the first. Chains depend on nothing but their pair and seed, so that they can be spread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from stegcli.crew.base import Crew
from stegcli.lab.data.pairs import Pair
from stegcli.lab.quality.hiders import Hider
from stegcli.lab.quality.journal import Journal
from stegcli.progress import Progress

__all__ = ["Chain", "Measure", "rows_of"]

Row = dict[str, Any]
Measure = Callable[[Hider, Pair, str, float | None], Row]
"""Hider, pair, seed and the stego PSNR to aim at -> a row that holds "stego_psnr_db".

Of a module's top level, to travel.
"""


@dataclass(frozen=True)
class Chain:
    """One pair at one spread.

    Attributes:
        key: of its rows in the journal, before the hider's name.
        pair: the secret has its size.
        seed: whatever is random follows from it.
        known: rows of an earlier run, by hider.
    """

    key: str
    pair: Pair
    seed: str
    known: dict[str, Row] = field(default_factory=dict)


@dataclass(frozen=True)
class _Measuring:
    """The job: the rows of a chain that are not known.

    Attributes:
        hiders: the first is the one that the others aim at.
        measure: makes a row.
    """

    hiders: tuple[Hider, ...]
    measure: Measure

    def tools(self) -> None:
        """Hiders load their own networks."""

    def do(self, tools: None, chain: Chain) -> list[tuple[str, Row]]:
        """Keys and rows, in the hiders' order."""
        del tools
        target: float | None = None
        found = []
        for hider in self.hiders:
            row = chain.known.get(hider.name)
            if row is None:
                row = self.measure(hider, chain.pair, chain.seed, target)
                found.append((_row_key(chain.key, hider), row))
            target = float(row["stego_psnr_db"]) if target is None else target
        return found


def rows_of(
    hiders: Sequence[Hider],
    chains: Iterable[Chain],
    measure: Measure,
    *,
    count: int,
    book: Journal,
    crew: Crew,
    progress: Progress | None,
) -> list[dict[str, Row]]:
    """The rows of every chain by hider, in the chains' order.

    Args:
        hiders: the first is the one that the others aim at.
        chains: made as they are needed; a pair that comes twice is measured once.
        measure: makes a row.
        count: how many chains there are.
        book: finished rows; those that it holds are not measured again.
        crew: who measures.
        progress: told the share of the work done.
    """
    rows = _Rows(hiders, book, count, progress)
    job = _Measuring(tuple(hiders), measure)
    with closing(crew.outcomes(job, rows.unfinished(chains), count)) as outcomes:
        for outcome in outcomes:
            rows.take(outcome.checked())
    return rows.all()


class _Rows:
    """What is measured and what is not, while others measure."""

    def __init__(self, hiders: Sequence[Hider], book: Journal, count: int, progress: Progress | None) -> None:
        self._hiders, self._book, self._count, self._progress = hiders, book, count, progress
        self._keys: list[str] = []
        self._finished = 0

    def unfinished(self, chains: Iterable[Chain]) -> Iterator[Chain]:
        """Those that somebody has to measure; of equal ones the first."""
        for chain in chains:
            is_asked = chain.key in self._keys
            self._keys.append(chain.key)
            kept = {hider.name: self._book.get(_row_key(chain.key, hider)) for hider in self._hiders}
            known = {name: row for name, row in kept.items() if row is not None}
            if is_asked or len(known) == len(self._hiders):
                self._tell()
            else:
                yield replace(chain, known=known)

    def take(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Note the rows of one chain."""
        for key, row in rows:
            self._book.add(key, row)
        self._tell()

    def all(self) -> list[dict[str, Row]]:
        """See `rows_of`, once nothing is unfinished."""
        found = []
        for key in self._keys:
            rows = {hider.name: self._book.get(_row_key(key, hider)) for hider in self._hiders}
            found.append({name: row for name, row in rows.items() if row is not None})
        return found

    def _tell(self) -> None:
        self._finished += 1
        if self._progress is not None:
            self._progress("measure", self._finished / self._count)


def _row_key(chain: str, hider: Hider) -> str:
    return f"{chain}/{hider.name}"
