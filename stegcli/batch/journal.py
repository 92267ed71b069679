"""What earlier runs into a folder have done: a file of JSON lines that survives a kill at any moment.

One line says that a file is about to be written, a second one that it was written and verified, with its
hash. A file that has only the first line belongs to the batch and is made again; a file that has none
belongs to the user and is not touched. A line that a kill cut short is removed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from stegcli.errors import OutputError, one_line

try:
    import fcntl
except ImportError:  # Windows: the user must not start two runs into one folder
    fcntl = None  # type: ignore[assignment, unused-ignore]

if TYPE_CHECKING:
    from stegcli.batch.entries import Entry

__all__ = ["JOURNAL", "Journal", "digest_of", "open_journal", "read_journal"]

JOURNAL: Final = "batch.jsonl"
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class _Done:
    """A finished file: its name and hash, its inputs, and the digest of the options."""

    file: str
    sha256: str
    inputs: tuple[tuple[int, int], ...]
    how: str


@dataclass
class Journal:
    """The journal of one folder, which one run at a time has open.

    Attributes:
        folder: folder of the results.
        how: digest of the options, which distinguishes runs with different ones.
        is_checked: whether the kept results were found to be hidden under this run's passphrase.
    """

    folder: Path
    how: str
    _file: IO[bytes]
    is_checked: bool = False
    _begun: set[str] = field(default_factory=set)
    _done: dict[str, _Done] = field(default_factory=dict)

    def kept(self, entry: Entry) -> str | None:
        """Return the entry's file if it is as it was verified, and inputs and options are the same."""
        done = self._done.get(entry.name)
        if done is None or done.how != self.how or done.inputs != _stamps(entry):
            return None
        return done.file if digest_of(self.folder / done.file) == done.sha256 else None

    def owns(self, entry: Entry) -> bool:
        """Whether an earlier run began to write that file, so that it may be replaced."""
        return entry.name in self._begun

    def begin(self, entry: Entry) -> None:
        """Record that the entry's file may appear from now on; to be called before it can."""
        if entry.name not in self._begun:
            self._begun.add(entry.name)
            self._write({"begun": entry.name})

    def finish(self, entry: Entry, file: str, sha256: str, result: dict[str, Any]) -> None:
        """Record that an entry's file was written and verified.

        Args:
            entry: the entry.
            file: name of its file in the folder.
            sha256: SHA-256 of the file.
            result: line of output about it, which is kept on disk only.
        """
        done = _Done(file, sha256, _stamps(entry) or (), self.how)
        self._done[entry.name] = done
        self._write({"done": entry.name, **vars(done), "result": result})

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def read(self) -> int:
        """Read all lines, ignoring any that is not a journal's; return the number of bytes of whole lines."""
        end = 0
        for raw in self._file:
            if raw.endswith(b"\n"):
                end += len(raw)
                self._take(raw)
        return end

    def _take(self, raw: bytes) -> None:
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            line = json.loads(raw)
            if "begun" in line:
                self._begun.add(str(line["begun"]))
                return
            inputs = tuple((int(size), int(when)) for size, when in line["inputs"])
            done = _Done(_inside(line["file"]), str(line["sha256"]), inputs, str(line["how"]))
            self._done[str(line["done"])] = done


@contextmanager
def open_journal(folder: Path, how: str) -> Iterator[Journal]:
    """Open the journal of a folder; both are created if they do not exist.

    Args:
        folder: folder of the results.
        how: digest of the options; a file that was made with other options is made again.

    Raises:
        OutputError: it cannot be written, or another run is using the folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / JOURNAL, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise _unwritable(folder, error) from error
    with os.fdopen(descriptor, "r+b") as file:
        _take_alone(file, folder)
        journal = Journal(folder, how, file)
        try:
            end = journal.read()
            file.truncate(end)
            file.seek(end)
        except OSError as error:
            raise _unwritable(folder, error) from error
        yield journal


def read_journal(folder: Path, how: str) -> Journal:
    """Read a journal without opening it for writing; arguments as for `open_journal`."""
    try:
        content = (folder / JOURNAL).read_bytes()
    except OSError:
        content = b""
    journal = Journal(folder, how, io.BytesIO(content))
    journal.read()
    return journal


def digest_of(path: Path) -> str | None:
    """Return the SHA-256 of a file as 64 hexadecimal digits, or None if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except (OSError, ValueError):
        return None
    return digest.hexdigest()


def _take_alone(file: IO[bytes], folder: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(
            f"{folder}: another batch is writing there", "Wait for it, or give another folder with --out."
        ) from None
    except OSError:  # file systems without locks
        return


def _stamps(entry: Entry) -> tuple[tuple[int, int], ...] | None:
    """Return size and modification time of each input, or None if one does not exist."""
    try:
        found = [path.stat() for path in entry.inputs]
    except (OSError, ValueError):
        return None
    return tuple((each.st_size, each.st_mtime_ns) for each in found)


def _inside(name: object) -> str:
    """Return a file name from a journal; ValueError if it leads out of the folder."""
    if not isinstance(name, str) or Path(name).name != name:
        raise ValueError("not a plain file name")
    return name


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{folder / JOURNAL}: cannot be written ({one_line(error)})",
        "Check the disk and its permissions, or give another folder with --out.",
    )
