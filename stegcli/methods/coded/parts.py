"""One secret over several covers: split so that an incomplete set of parts reveals nothing.

    payload ──fresh key, ChaCha20-Poly1305──> sealed ──cut──> slices, one a cover
    key = share 1 xor share 2 xor ... xor share n            all shares but one are drawn, so each is noise
    part = set (8) | index (1) | count (1) | sealed bytes (4) | share (32) | slice

A part is the body of its stego and is sealed once more, under the stego's own keys. Somebody with the
passphrase and all parts except one has neither the key nor all of what it would open. The set says which
parts belong together, and the inner seal proves that they form one whole.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from os import urandom
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from stegcli.errors import ChangedError, PartsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["MOST_PARTS", "OVERHEAD_BYTES", "SEAL_BYTES", "Part", "joined", "split"]

MOST_PARTS: Final = 255
SEAL_BYTES: Final = 16
"""Number of bytes by which the slices together are longer than the payload."""
_KEY_BYTES: Final = 32
_SET_BYTES: Final = 8
_LAYOUT: Final = struct.Struct(f">{_SET_BYTES}sBBI{_KEY_BYTES}s")
OVERHEAD_BYTES: Final = _LAYOUT.size
"""Bytes of each part besides its slice."""
_NONCE: Final = bytes(12)  # the key is drawn for this message alone
_VERSION: Final = b"stegcli/parts/1"


@dataclass(frozen=True)
class Part:
    """What one cover carries.

    Attributes:
        set_id: 8 bytes that all parts of one secret share.
        index: 0..count - 1.
        count: number of parts, 1..255.
        sealed_bytes: length of all slices together.
        share: share of the key.
        piece: the slice.
    """

    set_id: bytes
    index: int
    count: int
    sealed_bytes: int
    share: bytes = field(repr=False)
    piece: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count or len(self.piece) > self.sealed_bytes:
            raise ValueError(f"part {self.index} of {self.count} with {len(self.piece)} bytes")

    def to_bytes(self) -> bytes:
        """Pack the part as the body of a stego, before it is sealed there."""
        return _LAYOUT.pack(self.set_id, self.index, self.count, self.sealed_bytes, self.share) + self.piece

    @classmethod
    def from_bytes(cls, body: bytes) -> Part:
        """Inverse of `to_bytes`.

        Raises:
            ValueError: the bytes are not a part.
        """
        if len(body) < _LAYOUT.size:
            raise ValueError("too short for a part")
        set_id, index, count, sealed_bytes, share = _LAYOUT.unpack_from(body)
        return cls(set_id, index, count, sealed_bytes, share, body[_LAYOUT.size :])


def split(payload: bytes, sizes: Sequence[int], draw: Callable[[int], bytes] = urandom) -> list[Part]:
    """Split a payload into parts.

    Args:
        payload: payload of a codec.
        sizes: bytes of each slice; their sum is the length of the payload plus `SEAL_BYTES`.
        draw: returns a number of random bytes.
    """
    if not 1 <= len(sizes) <= MOST_PARTS or sum(sizes) != len(payload) + SEAL_BYTES:
        raise ValueError(f"{sizes} do not share out {len(payload)} bytes")
    set_id, key = draw(_SET_BYTES), draw(_KEY_BYTES)
    sealed = ChaCha20Poly1305(key).encrypt(_NONCE, payload, _bound(set_id, len(sizes)))
    shares = [draw(_KEY_BYTES) for _ in sizes[1:]]
    shares.append(_xor([key, *shares]))
    parts, start = [], 0
    for index, (size, share) in enumerate(zip(sizes, shares, strict=True)):
        parts.append(Part(set_id, index, len(sizes), len(sealed), share, sealed[start : start + size]))
        start += size
    return parts


def joined(found: Sequence[tuple[str, Part]]) -> bytes:
    """Join a complete set of parts to the payload.

    Args:
        found: names of the stegos, and the parts in them; a part may occur twice.

    Raises:
        PartsError: there are no parts, they belong to several secrets, or some are missing, which it names.
        ChangedError: they do not fit together.
    """
    sets = {part.set_id for _, part in found}
    if len(sets) > 1:
        named = ", ".join(sorted(name for name, _ in found)[:_NAMED])
        raise PartsError(
            f"there are parts of {len(sets)} secrets ({named} ...)",
            "Put only those of one secret into the folder.",
        )
    parts = {part.index: part for _, part in found}
    if not found:
        raise PartsError("there is no part of a secret", "Give the folder that `hide --covers` wrote.")
    count = found[0][1].count
    missing = [index for index in range(count) if index not in parts]
    if missing:
        raise PartsError(
            f"{_listed(missing)} of {count} is missing"
            if len(missing) == 1
            else f"{_listed(missing)} of {count} are missing",
            "Nothing can be revealed without all of them: put the missing stegos into the folder.",
        )
    ordered = [parts[index] for index in range(count)]
    sealed = b"".join(part.piece for part in ordered)
    try:
        return ChaCha20Poly1305(_xor([part.share for part in ordered])).decrypt(
            _NONCE, sealed, _bound(ordered[0].set_id, count)
        )
    except InvalidTag:
        raise ChangedError(
            "the parts do not fit together", "Get the files exactly as `stegcli hide --covers` wrote them."
        ) from None


_NAMED: Final = 3


def _listed(missing: Sequence[int]) -> str:
    numbers = [str(index + 1) for index in missing]
    if len(numbers) == 1:
        return f"part {numbers[0]}"
    return f"parts {', '.join(numbers[:-1])} and {numbers[-1]}"


def _bound(set_id: bytes, count: int) -> bytes:
    return _VERSION + set_id + bytes([count])


def _xor(values: Sequence[bytes]) -> bytes:
    whole = 0
    for value in values:
        whole ^= int.from_bytes(value, "big")
    return whole.to_bytes(_KEY_BYTES, "big")
