"""Several byte strings in one request: they follow each other in the body, their lengths in a header."""

from __future__ import annotations

from typing import Final

from stegcli.errors import UsageError

__all__ = ["LENGTHS", "parts_of"]

LENGTHS: Final = "X-Lengths"
_MOST_PARTS: Final = 3


def parts_of(body: bytes, lengths: str) -> list[bytes]:
    """The parts of a body.

    Args:
        body: of a request.
        lengths: decimal numbers with commas between them.

    Raises:
        UsageError: they do not fit together.
    """
    words = lengths.split(",")
    if len(words) > _MOST_PARTS or not all(word.isascii() and word.isdecimal() for word in words):
        raise UsageError("the page sent a request that makes no sense", "Load it again.")
    sizes = [int(word[:12]) for word in words]
    if sum(sizes) != len(body):
        raise UsageError("the page sent a part of a request", "Load it again.")
    parts, start = [], 0
    for size in sizes:
        parts.append(body[start : start + size])
        start += size
    return parts
