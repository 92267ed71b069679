"""Distinguish the pages of a TIFF from copies, masks and raw data in the same file.

Source: "TIFF Revision 6.0", Adobe, 1992; "Digital Negative Specification 1.7", Adobe, 2023.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import IO, Final

__all__ = ["STRUCTURE_TAGS", "Page", "pages"]

_NEW_SUBFILE_TYPE, _SUBFILE_TYPE, _PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION = 254, 255, 262, 330, 50706
_REDUCED, _MASK = 1, 4
_OLD_REDUCED: Final = 2
_RAW_PHOTOMETRICS: Final = frozenset({32803, 34892})
_MOST_PAGES: Final = 4096
_TAGS: Final = frozenset({_NEW_SUBFILE_TYPE, _SUBFILE_TYPE, _PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION})

STRUCTURE_TAGS: Final = frozenset(
    {
        *range(254, 260), 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292,
        293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 334, 336, 338, 339, 340, 341,
        342, 343, 344, 345, 346, 347, 351, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532,
        559, 34675,
    }
)  # fmt: skip
"""Tags about the location and layout of a file's own pixels and their profile: wrong in any other file."""


@dataclass(frozen=True)
class Page:
    """One directory of a TIFF.

    Attributes:
        is_beside: whether it is a reduced copy of another page, or a mask, and so not a page in its own
            right.
        is_raw: whether it is a camera's raw data, or the preview that precedes them.
    """

    is_beside: bool
    is_raw: bool


def pages(file: IO[bytes]) -> list[Page]:
    """Return all directories in the file's order; none if the file is damaged before the first."""
    found: list[Page] = []
    seen: set[int] = set()
    try:
        reader = _Reader(file)
        place = reader.first
        while place and place not in seen and len(found) < _MOST_PAGES:
            seen.add(place)
            tags, place = reader.directory(place)
            found.append(_page(tags))
    except struct.error:
        pass
    return found


def _page(tags: dict[int, int]) -> Page:
    kind = tags.get(_NEW_SUBFILE_TYPE, 0)
    is_beside = bool(kind & (_REDUCED | _MASK)) or tags.get(_SUBFILE_TYPE) == _OLD_REDUCED
    is_preview = is_beside and _SUB_DIRECTORIES in tags
    is_raw = _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) in _RAW_PHOTOMETRICS or is_preview
    return Page(is_beside, is_raw)


class _Reader:
    """Reads the directories of a TIFF or a BigTIFF in either byte order."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._end = file.seek(0, io.SEEK_END)
        order = "<" if self._bytes(0, 2) == b"II" else ">"
        self._is_big = struct.unpack(order + "H", self._bytes(2, 2))[0] == 43
        self._number = struct.Struct(order + ("Q" if self._is_big else "I"))
        self._count = struct.Struct(order + ("Q" if self._is_big else "H"))
        self._entry = struct.Struct(order + ("HHQ8s" if self._is_big else "HHI4s"))
        self._value = {3: struct.Struct(order + "H"), 4: struct.Struct(order + "I")}
        self.first: int = self._number.unpack(self._bytes(8 if self._is_big else 4, self._number.size))[0]

    def directory(self, place: int) -> tuple[dict[int, int], int]:
        """Return the first values of the relevant tags, and the position of the next directory (0: none)."""
        count = self._count.unpack(self._bytes(place, self._count.size))[0]
        start = place + self._count.size
        content = self._bytes(start, min(count, 65535) * self._entry.size)
        tags = {}
        for tag, kind, _, field in self._entry.iter_unpack(content):
            if tag in _TAGS:
                form = self._value.get(kind)
                tags[tag] = form.unpack(field[: form.size])[0] if form else 0
        following = self._bytes(start + len(content), self._number.size)
        return tags, self._number.unpack(following)[0]

    def _bytes(self, place: int, length: int) -> bytes:
        if place + length > self._end:
            raise struct.error("beyond the end of the file")
        self._file.seek(place)
        return self._file.read(length)
