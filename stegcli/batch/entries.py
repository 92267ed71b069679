"""What there is to do: from a manifest, or from a folder by the names of its files."""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stegcli.batch.journal import JOURNAL
from stegcli.errors import UsageError, one_line
from stegcli.models.files import read_regular
from stegcli.pictures.encoded import STDIN, is_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Ending = Callable[[str], str]
    """File of a cover -> what its stego's name ends in, as `stego.png`."""

__all__ = ["COVERS", "SECRETS", "Entry", "to_hide", "to_reveal"]

COVERS: Final = "covers"
SECRETS: Final = "secrets"
"""Folders below the one that a batch is given, whose files belong together if their stems are equal."""

_MOST_BYTES: Final = 1 << 30
"""Of a manifest."""
_HIDDEN_FILE: Final = "."


@dataclass(frozen=True)
class Entry:
    """One stego to make, or one to reveal.

    Attributes:
        inputs: cover and secret, or the stego.
        name: of the file to write, without a folder; of a revealed file that is no picture, another.
    """

    inputs: tuple[Path, ...]
    name: str

    @property
    def stem(self) -> str:
        """What the names of revealed files begin with."""
        return self.inputs[0].stem


def to_hide(source: Path, ending: Ending) -> list[Entry]:
    """Pairs of a manifest with the columns cover, secret and, where wanted, stego; or of a folder.

    Args:
        source: a CSV file, whose paths are relative to its folder, or, if it is a pipe or `-` for stdin, to
            the current one; or a folder that holds `COVERS` and `SECRETS`.
        ending: what names end in where the manifest gives none.

    Raises:
        UsageError: it cannot be read, a file has no partner, or two stegos would have one name.
    """
    if source.is_dir():
        pairs = [(cover, secret, "") for cover, secret in _partners(source / COVERS, source / SECRETS)]
    else:
        rows = _rows(source, needed=("cover", "secret"), allowed=("cover", "secret", "stego"))
        base = _base(source)
        pairs = [(base / row["cover"], base / row["secret"], row["stego"]) for row in rows]
    entries = [
        Entry((cover, secret), _plain(name) if name else f"{cover.stem}.{ending(str(cover))}")
        for cover, secret, name in pairs
    ]
    return _distinct(entries, source, "stego")


def to_reveal(source: Path) -> list[Entry]:
    """Stegos of a manifest with the columns stego and, where wanted, revealed; or the files of a folder.

    Raises:
        UsageError: as for `to_hide`.
    """
    if source.is_dir():
        stegos = [(path, "") for path in _files(source)]
    else:
        rows = _rows(source, needed=("stego",), allowed=("stego", "revealed"))
        stegos = [(_base(source) / row["stego"], row["revealed"]) for row in rows]
    entries = [Entry((path,), _plain(name) if name else f"{path.stem}.revealed.png") for path, name in stegos]
    return _distinct(entries, source, "revealed")


def _rows(source: Path, needed: Iterable[str], allowed: Iterable[str]) -> Iterator[dict[str, str]]:
    """The rows of a manifest; a column that may be left out is empty then."""
    table = csv.DictReader(io.StringIO(_text(source), newline=""), strict=True)
    try:
        columns = table.fieldnames or ()
        missing, unknown = set(needed) - set(columns), set(columns) - set(allowed)
        if missing or unknown or len(columns) != len(set(columns)):
            raise UsageError(
                f"{source}: its first line is not that of a manifest",
                f"It names the columns: {', '.join(allowed)} (needed: {', '.join(needed)}).",
            )
        for row in table:
            yield _complete(row, source, table.line_num, needed, allowed)
    except csv.Error as error:
        raise UsageError(
            f"{source}, line {table.line_num}: not CSV ({one_line(error)})", "Save it as CSV, in UTF-8."
        ) from error


def _complete(
    row: dict[str, str], source: Path, line: int, needed: Iterable[str], allowed: Iterable[str]
) -> dict[str, str]:
    values = {name: row.get(name) or "" for name in allowed}
    if (
        None in row
        or not all(values[name] for name in needed)
        or any("\0" in text for text in values.values())
    ):
        raise UsageError(
            f"{source}, line {line}: {' and '.join(needed)} must be given, and nothing beside the columns",
            "Put names that hold a comma in quotes.",
        )
    return values


def _base(source: Path) -> Path:
    """Return the folder from which a manifest's paths start; that of a pipe in /dev/fd is no user's."""
    return Path() if is_stream(source) else source.parent


def _text(source: Path) -> str:
    try:
        if is_stream(source):
            return _piped(source).decode("utf-8-sig")
        return read_regular(source, _MOST_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{source}: cannot be read ({one_line(error)})",
            "Give a manifest (CSV, in UTF-8) or a folder of pictures.",
        ) from error


def _piped(source: Path) -> bytes:
    """Return all that a pipe or stdin sends; an OSError for devices, most of which have no end."""
    if source.is_char_device() or source.is_block_device():
        raise OSError(0, "a device, not a file")
    with sys.stdin.buffer if str(source) == STDIN else source.open("rb") as pipe:
        content = pipe.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise OSError(0, f"larger than {_MOST_BYTES:,} bytes")
    return content


def _partners(covers: Path, secrets: Path) -> Iterator[tuple[Path, Path]]:
    """Each cover and the secret of the same stem."""
    if not (covers.is_dir() and secrets.is_dir()):
        raise UsageError(
            f"{covers.parent}: has no folders {COVERS} and {SECRETS}",
            "Put covers and secrets there under equal names, or write a manifest (cover,secret).",
        )
    by_stem = {path.stem: path for path in _files(secrets)}
    for cover in _files(covers):
        if cover.stem not in by_stem:
            raise UsageError(
                f"{cover}: there is no secret of that name in {secrets}",
                "Give each cover a secret of the same name, or write a manifest.",
            )
        yield cover, by_stem[cover.stem]


def _files(folder: Path) -> list[Path]:
    """By name; what is hidden from users, as a system's thumbnails, is no work for them, nor is a journal."""
    try:
        found = [path for path in folder.iterdir() if path.is_file() and path.name != JOURNAL]
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read ({one_line(error)})", "Check its rights.") from error
    return sorted(path for path in found if not path.name.startswith(_HIDDEN_FILE))


def _plain(name: str) -> str:
    """The name of a file in the folder of results, and nowhere else."""
    if Path(name).name != name or "\\" in name or name.startswith(_HIDDEN_FILE):
        raise UsageError(
            f"{name}: not a plain file name", "Results lie in the folder --out: give names alone."
        )
    return name


def _distinct(entries: list[Entry], source: Path, column: str) -> list[Entry]:
    if not entries:
        raise UsageError(f"{source}: there is nothing to do", "Give a manifest or a folder with pictures.")
    name, often = Counter(entry.name.casefold() for entry in entries).most_common(1)[0]
    if often > 1:
        raise UsageError(
            f"{often} results would be called {name}", f"Name them in a manifest's column {column}."
        )
    return entries
