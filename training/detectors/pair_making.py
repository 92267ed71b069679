"""Make covers and stegos of the phase channel to train a detector on, as in `evaluate security`.

This needs the whole program; training on the result does not (see `pair_file`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from stegcli._version import __version__
from stegcli.crew.base import HERE, Crew
from stegcli.lab.data import covers, photos
from stegcli.lab.security.subjects import PhaseSubject
from stegcli.progress import Progress
from stegcli.training.detectors import pair_file
from stegcli.training.detectors.pair_file import PackedPair

_Work = tuple[str, photos.ImageRef]

SPREADS = (1, 4, 16, 64)


def prepare(
    out: Path,
    datasets: Sequence[str],
    data_root: Path | None,
    *,
    count: int,
    spreads: Sequence[int],
    megabytes: float | None = None,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the file OUT or, if it would be too large, OUT-1, OUT-2, ...; return their paths.

    Args:
        out: name of the file.
        datasets: as for `photos.find`.
        data_root: folder of the known data sets.
        count: largest number of covers; the first ones are those of the lab's table with the same seed.
        spreads: spreads of the stegos.
        megabytes: largest size of a file, in millions of bytes.
        seed: seed of choice and embedding.
        workers: number of processes; None for one per core.
        progress: called with the share of the work done.
    """
    refs = [ref for dataset in datasets for ref in photos.find(dataset, data_root)]
    random.Random(seed).shuffle(refs)  # noqa: S311 - repeatable on purpose
    refs = covers.covers_of(refs, count)
    work = [(f"{seed}/{i}", ref) for i, ref in enumerate(refs)]
    made: list[PackedPair] = []
    crew = HERE if workers == 1 else Crew(workers=workers)
    for pair in crew.map(partial(_made, tuple(spreads)), work):
        made.append(pair)
        if progress is not None:
            progress("pairs", len(made) / len(work))
    parts = list(_shares(made, megabytes))
    paths = [_numbered(out, number, len(parts)) for number in range(1, len(parts) + 1)]
    sources = [Path(name.removeprefix("folder:")).name for name in datasets]
    for path, part in zip(paths, parts, strict=True):
        pair_file.save(path, part, sources, __version__)
    return paths


def _made(spreads: tuple[int, ...], item: _Work) -> PackedPair:
    seed, ref = item
    cover = covers.load_cover(ref)
    stegos = {m: PhaseSubject(m, f"phase, spread {m}").write(cover, seed)[0] for m in spreads}
    return pair_file.packed(ref.key, ref.read(), cover, stegos)


def _shares(pairs: Sequence[PackedPair], megabytes: float | None) -> Iterator[list[PackedPair]]:
    """Yield consecutive pairs of at most that many megabytes."""
    share: list[PackedPair] = []
    size = 0
    for pair in pairs:
        if share and megabytes and size + pair.size > 1e6 * megabytes:
            yield share
            share, size = [], 0
        share.append(pair)
        size += pair.size
    yield share


def _numbered(out: Path, number: int, parts: int) -> Path:
    return out if parts == 1 else out.with_stem(f"{out.stem}-{number}")
