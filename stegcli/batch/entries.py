"""The entries of a batch: from a manifest, or from a folder by the names of its files."""

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
    """File name of a cover -> ending of its stego's name, such as `stego.png`."""

__all__ = ["COVERS", "SECRETS", "Entry", "to_hide", "to_reveal"]

COVERS: Final = "covers"
SECRETS: Final = "secrets"
"""Subfolders of the given folder; their files belong together if their stems are equal."""

_MOST_BYTES: Final = 1 << 30
"""Largest size of a manifest in bytes."""
_HIDDEN_FILE: Final = "."
"""Beginning of the names of files that a system hides from its users."""


@dataclass(frozen=True)
class Entry:
    """One stego to make, or one to reveal.

    Attributes:
        inputs: cover and secret, or the stego.
        name: name of the file to write, without a folder; a revealed file that is not a picture gets another.
    """

    inputs: tuple[Path, ...]
    name: str

    @property
    def stem(self) -> str:
        """Beginning of the names of revealed files."""
        return self.inputs[0].stem


def to_hide(source: Path, ending: Ending) -> list[Entry]:
    """Return the pairs of a manifest with the columns cover, secret and, optionally, stego; or of a folder.

    Args:
        source: a CSV file, whose paths are relative to its folder, or, if it is a pipe or `-` for stdin, to
            the current one; or a folder that holds `COVERS` and `SECRETS`.
        ending: ending of the names that the manifest does not give.

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
    """Return the stegos of a manifest with the columns stego and, optionally, revealed; or a folder's files.

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
    """Yield the rows of a manifest; an optional column that is missing is empty."""
    table = csv.DictReader(io.StringIO(_text(source), newline=""), strict=True)
    try:
        columns = table.fieldnames or ()
        missing, unknown = set(needed) - set(columns), set(columns) - set(allowed)
        if missing or unknown or len(columns) != len(set(columns)):
            raise UsageError(
                f"{source}: its first line does not name the columns of a manifest",
                f"Columns: {', '.join(allowed)}; required: {', '.join(needed)}.",
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
            f"{source}, line {line}: a value is missing, or there are more values than columns",
            f"Give {' and '.join(needed)} in every line, and put names that contain a comma in quotes.",
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
    """Yield each cover with the secret that has the same stem."""
    if not (covers.is_dir() and secrets.is_dir()):
        raise UsageError(
            f"{covers.parent}: the folders {COVERS} and {SECRETS} are missing",
            "Put covers and secrets into them under the same names, or write a manifest (cover,secret).",
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
    """Return the files of a folder by name, except the journal and hidden files such as thumbnails."""
    try:
        found = [path for path in folder.iterdir() if path.is_file() and path.name != JOURNAL]
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read ({one_line(error)})", "Check its permissions.") from error
    return sorted(path for path in found if not path.name.startswith(_HIDDEN_FILE))


def _plain(name: str) -> str:
    """Return a name if it is that of a file directly in the results' folder; otherwise raise a UsageError."""
    if Path(name).name != name or "\\" in name or name.startswith(_HIDDEN_FILE):
        raise UsageError(
            f"{name}: not a plain file name",
            "Results go into the folder of --out: give names without folders.",
        )
    return name


def _distinct(entries: list[Entry], source: Path, column: str) -> list[Entry]:
    """Return the entries; UsageError if there are none, or if two results would have the same name."""
    if not entries:
        raise UsageError(f"{source}: there is nothing to do", "Give a manifest or a folder with pictures.")
    name, often = Counter(entry.name.casefold() for entry in entries).most_common(1)[0]
    if often > 1:
        raise UsageError(
            f"{often} results would be called {name}", f"Name them in the column {column} of a manifest."
        )
    return entries
