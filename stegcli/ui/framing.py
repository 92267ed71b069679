"""Several byte strings in one request: concatenated in the body, with their lengths in a header."""

from __future__ import annotations

from typing import Final

from stegcli.errors import UsageError

__all__ = ["LENGTHS", "parts_of"]

LENGTHS: Final = "X-Lengths"
_MOST_PARTS: Final = 3


def parts_of(body: bytes, lengths: str) -> list[bytes]:
    """Split the body of a request.

    Args:
        body: body of the request.
        lengths: lengths of the parts in bytes, decimal, separated by commas.

    Raises:
        UsageError: the lengths do not match the body.
    """
    words = lengths.split(",")
    if len(words) > _MOST_PARTS or not all(word.isascii() and word.isdecimal() for word in words):
        raise UsageError("the page sent an invalid request", "Load it again.")
    sizes = [int(word[:12]) for word in words]
    if sum(sizes) != len(body):
        raise UsageError("the page sent an incomplete request", "Load it again.")
    parts, start = [], 0
    for size in sizes:
        parts.append(body[start : start + size])
        start += size
    return parts
