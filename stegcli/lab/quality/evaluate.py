"""Measure the quality of models and baselines over many pairs, at one or several spreads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stegcli._version import __version__
from stegcli.crew.base import HERE, Crew
from stegcli.lab.data.pairs import Pair, PairSource
from stegcli.lab.quality.chains import Chain, rows_of
from stegcli.lab.quality.hiders import Hider, identities
from stegcli.lab.quality.journal import Journal
from stegcli.lab.quality.measure import FIGURES, Measured, measure
from stegcli.lab.statistics import Summary, summarise
from stegcli.progress import Progress

__all__ = ["Evaluation", "Line", "evaluate", "samples"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """Result of one hider at one spread.

    Attributes:
        hider: name of the hider.
        spread: cover pixels per pixel of the secret.
        simulated: see `Hidden`.
        summaries: summaries by the names of `FIGURES`.
        values: single values by the same names, one per pair.
    """

    hider: str
    spread: int
    simulated: bool
    summaries: dict[str, Summary]
    values: dict[str, list[float]]


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation.

    Attributes:
        settings: everything that it depends on.
        pairs: names and digests of the pairs.
        lines: hiders in the given order, spreads ascending.
    """

    settings: Row
    pairs: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]

    def as_json(self) -> Row:
        """Return summaries and what they are based on; values of single pairs are in the journal."""
        return {
            **self.settings,
            "pairs": len(self.pairs),
            "pair_sha256": [digest for _, digest in self.pairs],
            "version": __version__,
            "rows": [
                {
                    "hider": line.hider,
                    "spread": line.spread,
                    "simulated": line.simulated,
                    **{name: vars(summary) for name, summary in line.summaries.items()},
                }
                for line in self.lines
            ],
        }


def settings_of(
    hiders: Sequence[Hider], source: PairSource, spreads: Sequence[int], favor: str, seed: int
) -> Row:
    """Return what two runs must share for one to continue the other."""
    return {
        "what": "quality",
        "source": source.description,
        "favor": favor,
        "seed": seed,
        "spreads": list(spreads),
        "hiders": identities(hiders),
        "members": hashlib.sha256(repr([(c.key, s.key) for c, s in source.members]).encode()).hexdigest(),
    }


def evaluate(
    hiders: Sequence[Hider],
    source: PairSource,
    *,
    spreads: Sequence[int] = (1,),
    favor: str = "balanced",
    seed: int = 0,
    journal: Path | None = None,
    crew: Crew = HERE,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure every hider on every pair.

    Args:
        hiders: baselines aim at the stego PSNR of the first one.
        source: the pairs.
        spreads: the secret's sides are divided by the square root of each.
        favor: setting of the models, for the record.
        seed: determines everything random.
        journal: file of finished rows, which are not measured again.
        crew: who measures; the figures are the same but for the seconds, which others at work make longer.
        progress: called with the share of the work done.
    """
    settings = settings_of(hiders, source, spreads, favor, seed)
    book = Journal(journal, settings, names=("simulated", *FIGURES))
    names: list[tuple[str, str]] = []
    found = rows_of(
        hiders,
        _chains(source, spreads, seed, names),
        _row,
        count=len(source) * len(spreads),
        book=book,
        crew=crew,
        progress=progress,
    )
    lines = [
        _line(hider.name, spread, [row[hider.name] for row in found[place :: len(spreads)]], seed)
        for hider in hiders
        for place, spread in enumerate(spreads)
    ]
    return Evaluation(settings, tuple(names), tuple(lines))


def samples(
    hiders: Sequence[Hider], source: PairSource, count: int, spread: int, seed: int
) -> list[tuple[Pair, list[tuple[str, Measured]]]]:
    """Make the pictures of the first pairs again: everything follows from the seed."""
    found = []
    for number, pair in zip(range(count), source, strict=False):
        small = pair.with_secret_side(spread**-0.5)
        row: list[tuple[str, Measured]] = []
        for hider in hiders:
            target = None if not row else row[0][1].figures["stego_psnr_db"]
            row.append((hider.name, measure(hider, small, f"{seed}/{number}/{spread}", target)))
        found.append((small, row))
    return found


def _chains(
    source: PairSource, spreads: Sequence[int], seed: int, names: list[tuple[str, str]]
) -> Iterator[Chain]:
    """Every pair at every spread; name and digest of each pair are noted."""
    for number, pair in enumerate(source):
        names.append((pair.name, pair.digest))
        for spread in spreads:
            small = pair.with_secret_side(spread**-0.5)
            yield Chain(f"{small.digest}/{spread}", small, f"{seed}/{number}/{spread}")


def _row(hider: Hider, pair: Pair, seed: str, stego_psnr_db: float | None) -> Row:
    measured = measure(hider, pair, seed, stego_psnr_db)
    return {"pair": pair.name, "hider": hider.name, **measured.row()}


def _line(hider: str, spread: int, rows: list[Row], seed: int) -> Line:
    values = {name: [_number(row[name]) for row in rows if row[name] is not None] for name in FIGURES}
    present = {name: each for name, each in values.items() if each}
    summaries = {name: summarise(np.array(each), seed) for name, each in present.items()}
    return Line(hider, spread, bool(rows[0]["simulated"]), summaries, present)


def _number(value: float | str) -> float:
    return float(value)
