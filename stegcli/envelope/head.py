"""The head of format 2: what a reader must know about a secret that travels as bits, itself written as bits.

    salt (16 bytes) | head (37 bytes) -> ChaCha20-Poly1305 -> (53 bytes)        69 bytes that look random

It lies in a share of the pixels, or of a JPEG's coefficients, that is drawn with the locator. The syndrome
coder of the body writes it there at a rate that depends only on their number: reading it requires only the
passphrase. The body has all the others. A head that does not open gives the same answer whether nothing was
hidden, the passphrase is wrong, or one of its samples was changed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from stegcli.carriers import samples, ternary
from stegcli.carriers.keyed_order import subkey
from stegcli.carriers.parity import positions_of
from stegcli.carriers.streams import Keys
from stegcli.carriers.syndrome import WEIGHTS, Marks
from stegcli.envelope.keys import SALT_BYTES
from stegcli.envelope.later import later_version
from stegcli.errors import NothingFoundError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stegcli.carriers.ternary import Prices

    I16 = NDArray[np.int16]
    Places = NDArray[np.int64]
    U8 = NDArray[np.uint8]

__all__ = [
    "COEFFICIENTS",
    "MAX_SIDE",
    "MESSAGE_BYTES",
    "OWN_BYTES",
    "PIXELS",
    "Ground",
    "Head",
    "open_head",
    "read",
    "read_coefficients",
    "seal_head",
    "write",
    "write_coefficients",
]

FORMAT_VERSION: Final = 2
MAX_SIDE: Final = (1 << 24) - 1
OWN_BYTES: Final = 13
"""Bytes of a head that belong to the method."""

_LAYOUT: Final = struct.Struct(">BBBB3s3s3s3sII13s")  # 37 bytes, big-endian
_TAG_BYTES: Final = 16
MESSAGE_BYTES: Final = SALT_BYTES + _LAYOUT.size + _TAG_BYTES
_KEYED, _COLOUR, _FILE = 1, 2, 4
_ASSOCIATED_DATA: Final = b"stegcli/2"
_NONCE: Final = bytes(12)  # a header key seals only one head, since the salt is fresh for every stego

_LAYERS: Final = 2
"""Layers of a sample that carry it, those of green. Joint steps are decided by green; the others follow."""
_SHAPE: Final = 8
"""Shape of its frozen sets: between those for equal prices and for prices that differ much."""


@dataclass(frozen=True)
class Ground:
    """Samples in which heads lie: of n, the largest power of two that is at most n / share.

    Attributes:
        share: see above.
        most: largest exponent of that power.
        layers: number of layers in a sample; the head is in the first two.
    """

    share: int
    most: int
    layers: int

    def draw(self, count: int, locator: bytes) -> Places:
        """Draw the samples, among `count`, in which a head lies: (2^e,) int64, ascending.

        Raises:
            ImageError: there are too few.
        """
        exponent = min((count // self.share).bit_length() - 1, self.most)
        places = positions_of(count, 1 << exponent, subkey(locator, b"head"))
        places.sort()
        return places

    def marks(self, count: int) -> Marks:
        """Return the lowest rates at which 2^e samples, one block, carry a head, half of it in each layer."""
        exponent = count.bit_length() - 1
        bits = 8 * MESSAGE_BYTES // _LAYERS
        rate = -(-(bits << 26) // (WEIGHTS[exponent] << exponent))
        return Marks(MESSAGE_BYTES, 0, _SHAPE, (rate,) * _LAYERS + (0,) * (self.layers - _LAYERS))


PIXELS: Final = Ground(share=4, most=16, layers=samples.LAYERS)
COEFFICIENTS: Final = Ground(share=2, most=18, layers=ternary.LAYERS)
"""A larger share, since most coefficients of a JPEG are zero and expensive: in a small file, the others can
take only a tenth of a bit each."""


@dataclass(frozen=True)
class Head:
    """The data in front of a secret that travels as bits.

    Attributes:
        channel: how the bits are carried, 0..255: see `methods.table`.
        codec: how they decode to the secret, 0..255: see `codecs.base.CodecId`.
        keyed: whether a passphrase is needed; a reader that opened the head has it.
        secret_shape: (height, width) of the picture as given; (0, 0) for a file.
        hidden_shape: (height, width) as hidden, perhaps reduced.
        is_colour: whether the picture has three channels.
        content_bytes: length of a file including its name; 0 for a picture.
        body_bytes: length of the sealed body.
        own: `OWN_BYTES` bytes that belong to the method.
    """

    channel: int
    codec: int
    keyed: bool
    secret_shape: tuple[int, int]
    hidden_shape: tuple[int, int]
    is_colour: bool
    content_bytes: int
    body_bytes: int
    own: bytes

    def __post_init__(self) -> None:
        """Refuse values that the layout cannot hold, or that no writer writes."""
        sides = (*self.secret_shape, *self.hidden_shape)
        least = 0 if self.is_file else 1
        most = 0 if self.is_file else MAX_SIDE
        if not all(least <= side <= most for side in sides) or (self.is_file and self.is_colour):
            raise ValueError(f"sides {sides} of a secret of {self.content_bytes} bytes")
        if len(self.own) != OWN_BYTES:
            raise ValueError(f"own must be {OWN_BYTES} bytes")

    @property
    def is_file(self) -> bool:
        """Whether the secret is a file and not a picture."""
        return self.content_bytes > 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that the codec returns; see `codecs.base`."""
        if self.is_file:
            return (self.content_bytes,)
        return (*self.hidden_shape, 3) if self.is_colour else self.hidden_shape

    def to_bytes(self) -> bytes:
        """Pack the head into the 37 bytes of format version 2, big-endian."""
        flags = _KEYED * self.keyed | _COLOUR * self.is_colour | _FILE * self.is_file
        return _LAYOUT.pack(
            FORMAT_VERSION,
            self.channel,
            self.codec,
            flags,
            *(side.to_bytes(3, "big") for side in (*self.secret_shape, *self.hidden_shape)),
            self.content_bytes,
            self.body_bytes,
            self.own,
        )

    @classmethod
    def from_bytes(cls, plaintext: bytes) -> Head:
        """Inverse of `to_bytes`.

        Raises:
            ValueError: an earlier version, or a field out of its range.
            ModelError: a later version.
        """
        version, channel, codec, flags, *sides, content_bytes, body_bytes, own = _LAYOUT.unpack(plaintext)
        if version > FORMAT_VERSION:
            raise later_version()
        if version != FORMAT_VERSION or flags & ~(_KEYED | _COLOUR | _FILE):
            raise ValueError(f"not a head of format version {FORMAT_VERSION}")
        if bool(flags & _FILE) != (content_bytes > 0):
            raise ValueError("a file without content, or a picture with it")
        height, width, hidden_height, hidden_width = (int.from_bytes(side, "big") for side in sides)
        return cls(
            channel=channel,
            codec=codec,
            keyed=bool(flags & _KEYED),
            secret_shape=(height, width),
            hidden_shape=(hidden_height, hidden_width),
            is_colour=bool(flags & _COLOUR),
            content_bytes=content_bytes,
            body_bytes=body_bytes,
            own=own,
        )


def seal_head(head: Head, keys: Keys) -> bytes:
    """Seal the head in 53 bytes that only `keys` open, and that nobody can alter or tell from noise."""
    return ChaCha20Poly1305(keys.header).encrypt(_NONCE, head.to_bytes(), _ASSOCIATED_DATA)


def open_head(sealed: bytes, keys: Keys) -> Head:
    """Open a head of 53 bytes with `keys`.

    Raises:
        NothingFoundError: the keys do not open it.
        ModelError: a later version of the program wrote it.
    """
    try:
        return Head.from_bytes(ChaCha20Poly1305(keys.header).decrypt(_NONCE, sealed, _ASSOCIATED_DATA))
    except (InvalidTag, ValueError):
        raise NothingFoundError from None


def write(
    pixels: U8, rho: NDArray[np.float32], precision: NDArray[np.float64], message: bytes, locator: bytes
) -> U8:
    """Write salt and sealed head, `MESSAGE_BYTES`, into the drawn pixels; see `samples.write`."""
    marks = PIXELS.marks(len(pixels))
    return samples.write(pixels, rho, precision, message, _keys(locator), threads=1, marks=marks).pixels


def read(pixels: U8, locator: bytes) -> tuple[bytes, bytes]:
    """(2^e, 3) uint8, the drawn pixels -> salt and sealed head; noise if nothing is hidden."""
    return _split(samples.read(pixels, PIXELS.marks(len(pixels)), _keys(locator)))


def write_coefficients(values: I16, prices: Prices, message: bytes, locator: bytes) -> I16:
    """Write salt and sealed head into the drawn coefficients; see `ternary.write`."""
    marks = COEFFICIENTS.marks(len(values))
    return ternary.write(values, prices, message, _keys(locator), threads=1, marks=marks).values


def read_coefficients(values: I16, locator: bytes) -> tuple[bytes, bytes]:
    """(2^e,) int16, the drawn coefficients -> salt and sealed head; noise if nothing is hidden."""
    return _split(ternary.read(values, COEFFICIENTS.marks(len(values)), _keys(locator)))


def _split(message: bytes) -> tuple[bytes, bytes]:
    return message[:SALT_BYTES], message[SALT_BYTES:]


def _keys(locator: bytes) -> Keys:
    """Return the keys of the coder, since the head is read before any other key is known."""
    return Keys(*(subkey(locator, purpose) for purpose in (b"head/1", b"head/2", b"head/3")))
