"""Read files that strangers may have named: only regular ones, and only up to a given size."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_regular"]

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
"""Non-blocking, so that a pipe without a writer is opened without waiting, and then refused."""


def read_regular(path: Path, most: int) -> bytes:
    """Return the content of a regular file; links to one are followed.

    A device never ends, a pipe may never begin, and files in `/proc` claim to be empty.

    Args:
        path: path of the file.
        most: largest number of bytes that it may have.

    Raises:
        OSError: it cannot be read, is not a regular file, or is larger; `strerror` says which.
    """
    descriptor = os.open(path, _FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file", str(path))
        content = file.read(most + 1) if status.st_size <= most else b""
    if max(status.st_size, len(content)) > most:
        raise OSError(0, f"larger than {most:,} bytes", str(path))
    return content
