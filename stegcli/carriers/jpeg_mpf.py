"""Pictures after a JPEG's end, and the index that locates them (CIPA DC-007, Multi-Picture Format).

Telephones append depth maps, gain maps and second pictures. An APP2 segment lists them by their distance from
a position in the header. When the length of the scan in between changes, those distances change, and so does
the size that the index gives for the first picture.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["moved"]

_APP2: Final = 0xE2
_SIGNATURE: Final = b"MPF\0"
_ENTRIES_TAG: Final = 0xB002
_ENTRY_BYTES: Final = 16
_LARGEST: Final = 0xFFFFFFFF


def moved(head: bytes, scan_end: int, shift: int) -> bytes:
    """Return the bytes before the scan, with the index corrected for a scan whose length has changed.

    An index that cannot be parsed is left unchanged.

    Args:
        head: the bytes before the scan, from an accepted file.
        scan_end: where the scan ended before.
        shift: by how many bytes the scan has become longer.
    """
    found = _index(head) if shift else None
    if found is None:
        return head
    base, end = found
    entries = _entries(head, base, end)
    patched = bytearray(head)
    for place, order in entries:
        size, offset = struct.unpack_from(f"{order}II", head, place + 4)
        if offset == 0:
            if size >= scan_end:
                _put(patched, order, place + 4, size + shift)
        elif base + offset >= scan_end:
            _put(patched, order, place + 8, offset + shift)
    return bytes(patched)


def _put(data: bytearray, order: str, place: int, value: int) -> None:
    if 0 <= value <= _LARGEST:
        struct.pack_into(f"{order}I", data, place, value)


def _index(head: bytes) -> tuple[int, int] | None:
    """Return where the index's own header begins, from which offsets count, and where its segment ends."""
    place = 2
    while place + 4 <= len(head):
        marker, length = head[place + 1], int.from_bytes(head[place + 2 : place + 4], "big")
        if marker == 0xFF:
            place += 1  # a fill byte
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:
            place += 2  # a marker without a segment
        elif marker == _APP2 and head.startswith(_SIGNATURE, place + 4):
            return place + 8, place + 2 + length
        else:
            place += 2 + length
    return None


def _entries(head: bytes, base: int, end: int) -> list[tuple[int, str]]:
    """Return the position of each picture's entry, with the byte order."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[base : base + 4], "")
    if not order or base + 8 > end:
        return []
    directory = base + struct.unpack_from(f"{order}I", head, base + 4)[0]
    if directory + 2 > end:
        return []
    for number in range(struct.unpack_from(f"{order}H", head, directory)[0]):
        field = directory + 2 + 12 * number
        if field + 12 > end:
            return []
        tag, _, length, place = struct.unpack_from(f"{order}HHII", head, field)
        if tag == _ENTRIES_TAG:
            return _listed(base + place, length, end, order)
    return []


def _listed(begin: int, length: int, end: int, order: str) -> list[tuple[int, str]]:
    if length % _ENTRY_BYTES or begin + length > end:
        return []
    return [(place, order) for place in range(begin, begin + length, _ENTRY_BYTES)]
