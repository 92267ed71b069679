"""Picture files that can be read only once: stdin, pipes, devices. Their bytes are kept with their name."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Protocol

from stegcli.errors import ImageError, one_line

__all__ = ["STDIN", "Encoded", "Sink", "is_stream", "read_once"]

PathLike = str | os.PathLike[str]

STDIN: Final = "-"

_BYTES_PER_PIXEL: Final = 8
"""Four channels of 16 bits, uncompressed: no picture within a limit on pixels takes more ..."""
_METADATA_BYTES: Final = 64 << 20
"""... apart from its metadata."""
_CHUNK_BYTES: Final = 1 << 20


class Sink(Protocol):
    """Any binary stream to which a whole picture file is written at once."""

    def write(self, content: bytes, /) -> object:
        """Write all of it."""


@dataclass(frozen=True)
class Encoded:
    """A picture file in memory. It is accepted as a path, so that errors and reports can name it.

    Attributes:
        name: name as the user gave it.
        content: the whole file.
    """

    name: str
    content: bytes = field(repr=False)

    def __fspath__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return self.name


def is_stream(path: PathLike) -> bool:
    """Whether a second reading would not return the same bytes: stdin, a pipe, a device."""
    if os.fspath(path) == STDIN:
        return True
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):  # opening it will report why it cannot be opened
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def read_once(path: PathLike, max_pixels: int) -> PathLike:
    """Return a file's path unchanged, and a stream as `Encoded`.

    Args:
        path: "-" is stdin.
        max_pixels: limits what is read, since a stream may never end.

    Raises:
        ImageError: the stream cannot be read, or sends more than a picture with that many pixels can have.
    """
    if isinstance(path, Encoded) or not is_stream(path):
        return path
    name = os.fspath(path)
    limit = _BYTES_PER_PIXEL * max_pixels + _METADATA_BYTES
    try:
        if name == STDIN:
            return Encoded(name, _bounded(_stdin(), name, limit))
        with Path(path).open("rb") as file:
            return Encoded(name, _bounded(file, name, limit))
    except OSError as error:
        raise ImageError(
            f"{name}: cannot be read ({one_line(error)})", "Check what writes to the pipe."
        ) from error


def _stdin() -> IO[bytes]:
    if sys.stdin is None:  # as in a daemon
        raise ImageError("-: there is no stdin", "Give the name of a file.")
    return sys.stdin.buffer


def _bounded(file: IO[bytes], name: str, limit: int) -> bytes:
    _refuse_device(file, name)
    content = bytearray()
    while chunk := file.read(_CHUNK_BYTES):
        content += chunk
        if len(content) > limit:
            hint = "If you trust it and have the memory, raise the limit with --max-pixels."
            raise ImageError(f"{name}: sends more bytes than a picture within the limit can have", hint)
    if not content:
        raise ImageError(f"{name}: sends no data", "Check what writes to the pipe.")
    return bytes(content)


def _refuse_device(file: IO[bytes], name: str) -> None:
    """Raise an ImageError for what has no end: /dev/zero and the like, a disk, a terminal."""
    try:
        status, nothing = os.fstat(file.fileno()), Path(os.devnull).stat()
    except (OSError, AttributeError):  # a stream without a descriptor, given by a caller of the library
        return
    is_device = stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)
    if is_device and status.st_rdev != nothing.st_rdev:  # /dev/null ends at once
        raise ImageError(f"{name}: a device, not a picture", "Give a picture file, or pipe one in.")
