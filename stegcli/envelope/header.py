"""The header of format 1: what a reader must know, sealed, protected against damage, written into parities.

                                       salt (16 bytes) -> convolutional code -> repeated -> parities
    Header (26 bytes) -> ChaCha20-Poly1305 -> (42 bytes) -> convolutional code -> repeated -> parities

The parities are those of R + G + B, which are independent of phases: both can use the same pixels.
At large spreads, where little else is written, each parity is that of a group of pixels, of which the
cheapest one changes; the reader tries the few possible group sizes and takes the likeliest.
A codeword at known positions would give a stego away. The positions therefore depend on the passphrase, too,
through its locator (see `keys`), since the salt must be read before there is any other key. To everybody else
the parities are noise. A header that does not open gives the same answer whether nothing was hidden, the
passphrase is wrong or the image is damaged.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from stegcli.carriers.parity import GROUP_SIZES, parities, positions_of
from stegcli.envelope import convolution
from stegcli.envelope.keys import SALT_BYTES
from stegcli.envelope.later import later_version
from stegcli.errors import NothingFoundError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.carriers.streams import Keys

    Gray = NDArray[np.uint8]
    Places = NDArray[np.int64]

FORMAT_VERSION: Final = 1

_LAYOUT: Final = struct.Struct(">BB4s3s3s3s3s5sBH")  # 26 bytes, big-endian
_TAG_BYTES: Final = 16
SEALED_BYTES: Final = _LAYOUT.size + _TAG_BYTES
MAX_SIZE: Final = (1 << 24) - 1
"""Largest side of a secret, which is stored in three bytes."""
OWN_BYTES: Final = 9
"""Bytes of a header that belong to the method."""
_OWN_FIRST: Final = 4
"""Number of them that precede the sizes in the layout of format 1."""

_KEYED_FLAG: Final = 1
_ASSOCIATED_DATA: Final = b"stegcli/1"
_NONCE: Final = bytes(12)  # a header key seals only one header, since the salt is fresh for every stego

_PIXELS_PER_REPEAT: Final = 1 << 20
_MAX_REPEATS: Final = 8

_SALT_CODED_BITS: Final = convolution.coded_length(8 * SALT_BYTES)
_SEALED_CODED_BITS: Final = convolution.coded_length(8 * SEALED_BYTES)


@dataclass(frozen=True)
class Header:
    """The data that travels with the hidden picture.

    Attributes:
        channel: how the pixels carry the picture, 0..255: see `methods.table`.
        secret_height: height of the secret as given, 1..2^24-1.
        secret_width: its width.
        hidden_height: height of the secret as hidden, perhaps reduced to fit.
        hidden_width: its width.
        keyed: whether a passphrase is needed; a reader that opened the header has it.
        own: `OWN_BYTES` bytes that belong to the method.
    """

    channel: int
    secret_height: int
    secret_width: int
    hidden_height: int
    hidden_width: int
    keyed: bool
    own: bytes

    def __post_init__(self) -> None:
        """Refuse values that the layout cannot hold."""
        sizes = (self.secret_height, self.secret_width, self.hidden_height, self.hidden_width)
        if not all(1 <= size <= MAX_SIZE for size in sizes):
            raise ValueError(f"sizes must be in 1..{MAX_SIZE}: {sizes}")
        if not 0 <= self.channel <= 255 or len(self.own) != OWN_BYTES:
            raise ValueError(f"channel must be a byte, own {OWN_BYTES} bytes")

    @property
    def hidden_shape(self) -> tuple[int, int]:
        """(height, width) of the secret as hidden."""
        return self.hidden_height, self.hidden_width

    @property
    def secret_shape(self) -> tuple[int, int]:
        """(height, width) of the secret as given."""
        return self.secret_height, self.secret_width

    @property
    def is_file(self) -> bool:
        """Whether the secret is a file and not a picture: never in this format."""
        return False

    @property
    def content_bytes(self) -> int:
        """Length of a file: 0, as in a head of format 2 for a picture."""
        return 0

    @property
    def body_bytes(self) -> int | None:
        """Length of a body of bits: None, since the picture travels as phases or as luma."""
        return None

    def to_bytes(self) -> bytes:
        """Pack the header into the 26 bytes of format version 1, big-endian."""
        return _LAYOUT.pack(
            FORMAT_VERSION,
            self.channel,
            self.own[:_OWN_FIRST],
            *(size.to_bytes(3, "big") for size in (*self.secret_shape, *self.hidden_shape)),
            self.own[_OWN_FIRST:],
            _KEYED_FLAG if self.keyed else 0,
            0,  # reserved
        )

    @classmethod
    def from_bytes(cls, plaintext: bytes) -> Header:
        """Inverse of `to_bytes`.

        Raises:
            ValueError: an earlier version, or a field out of its range.
            ModelError: a later version.
        """
        version, channel, first, *sizes, last, flags, reserved = _LAYOUT.unpack(plaintext)
        if version > FORMAT_VERSION:
            raise later_version()
        if version != FORMAT_VERSION or flags & ~_KEYED_FLAG or reserved:
            raise ValueError(f"not a header of format version {FORMAT_VERSION}")
        secret_height, secret_width, hidden_height, hidden_width = (
            int.from_bytes(size, "big") for size in sizes
        )
        return cls(
            channel=channel,
            secret_height=secret_height,
            secret_width=secret_width,
            hidden_height=hidden_height,
            hidden_width=hidden_width,
            keyed=flags == _KEYED_FLAG,
            own=first + last,
        )

    @classmethod
    def of(cls, channel: int, secret: Gray, hidden: Gray, own: bytes, *, keyed: bool) -> Header:
        """Return the header for a secret, (h, w) as given and as hidden."""
        return cls(channel, *_sides(secret), *_sides(hidden), keyed=keyed, own=own)


def _sides(gray: Gray) -> tuple[int, int]:
    return gray.shape[0], gray.shape[1]


def seal(header: Header, keys: Keys) -> bytes:
    """Seal the header in 42 bytes that only `keys` open, and that nobody can alter or tell from noise."""
    return ChaCha20Poly1305(keys.header).encrypt(_NONCE, header.to_bytes(), _ASSOCIATED_DATA)


def draw_places(pixel_count: int, locator: bytes) -> Places:
    """Draw the positions at which a header may lie: (m,) int64, enough for groups of any size.

    Raises:
        ImageError: the picture is too small.
    """
    largest = max(_group_sizes(pixel_count))
    return positions_of(pixel_count, parity_count(pixel_count) * largest, locator)


def parity_plan(
    pixel_count: int, salt: bytes, sealed: bytes, places: Places, group: int = 1
) -> tuple[Places, NDArray[np.uint8]]:
    """Return the parities of R + G + B that write a header, and their positions.

    Args:
        pixel_count: number of usable pixels.
        salt: 16 bytes.
        sealed: the sealed header, 42 bytes.
        places: as returned by `draw_places`.
        group: number of pixels per parity, one of `GROUP_SIZES`.

    Returns:
        (K, group) int64 positions without repeats, (K,) uint8 bits.
    """
    coded = [convolution.encode(_to_bits(part)) for part in (salt, sealed)]
    bits = np.repeat(np.concatenate(coded), _repeats(pixel_count))
    return places[: len(bits) * group].reshape(-1, group), bits


def parity_count(pixel_count: int) -> int:
    """Return the number of parities of a header, K."""
    return _repeats(pixel_count) * (_SALT_CODED_BITS + _SEALED_CODED_BITS)


def group_size(pixel_count: int, reach: int) -> int:
    """Return the pixels per parity that `hide` uses: an eighth of those that a symbol depends on.

    A destroyed pixel spoils the symbol as well, so that the header remains the more robust of the two.
    """
    return max(size for size in _group_sizes(pixel_count) if size <= max(1, reach // 8))


def read_salt(pixels: NDArray[np.uint8], places: Places) -> tuple[bytes, int]:
    """(n, 3) uint8 pixels -> the likeliest 16-byte salt and group size; noise if nothing is hidden."""
    best, found, its_group = -1, b"", 0
    for group in _group_sizes(len(pixels)):
        votes = _votes(pixels, places, group)[:_SALT_CODED_BITS]
        if int(np.abs(votes).sum()) <= best:
            continue  # not even if every vote were right: of equals the smallest group is taken
        salt = convolution.decode(votes)
        likelihood = int(votes @ (2 * convolution.encode(salt).astype(np.int64) - 1))
        if likelihood > best:
            best, found, its_group = likelihood, _to_bytes(salt), group
    return found, its_group


def agreement(pixels: NDArray[np.uint8], places: Places, salt: bytes, group: int) -> float:
    """Return how well the parities agree with what `read_salt` found in them, up to 1.

    For a stego as it was written it is above 0.9, and 0.8 if a tenth of the parities changed since; for noise
    it is 0.5 to 0.75.
    """
    votes = _votes(pixels, places, group)[:_SALT_CODED_BITS]
    coded = 2 * convolution.encode(_to_bits(salt)).astype(np.int64) - 1
    return float(votes @ coded) / max(1, int(np.abs(votes).sum()))


def open_header(pixels: NDArray[np.uint8], keys: Keys, places: Places, group: int = 1) -> Header:
    """Open the header in the parities of groups of `group` pixels, (n, 3) uint8, with `keys`.

    Raises:
        NothingFoundError: nothing was hidden, the keys are wrong, or too much is damaged.
        ModelError: a later version of the program wrote it.
    """
    sealed = _to_bytes(convolution.decode(_votes(pixels, places, group)[_SALT_CODED_BITS:]))
    try:
        return Header.from_bytes(ChaCha20Poly1305(keys.header).decrypt(_NONCE, sealed, _ASSOCIATED_DATA))
    except (InvalidTag, ValueError):
        raise NothingFoundError from None


def _repeats(pixel_count: int) -> int:
    """Return how often each coded bit is written: more often in larger images, where damage grows too."""
    return max(1, min(_MAX_REPEATS, pixel_count // _PIXELS_PER_REPEAT))


def _group_sizes(pixel_count: int) -> list[int]:
    """Return those of `GROUP_SIZES` that leave half of the pixels free."""
    most = pixel_count // (2 * parity_count(pixel_count))
    return [size for size in GROUP_SIZES if size <= max(1, most)]


def _votes(pixels: NDArray[np.uint8], places: Places, group: int) -> NDArray[np.int64]:
    """(n, 3) uint8 pixels -> (coded bits,) int64: ones minus zeros among the repeats of each bit."""
    positions = places[: parity_count(len(pixels)) * group]
    found = parities(pixels[positions.reshape(-1, group)])
    ballots = (2 * found.astype(np.int64) - 1).reshape(-1, _repeats(len(pixels)))
    votes: NDArray[np.int64] = ballots.sum(axis=1)
    return votes


def _to_bits(data: bytes) -> NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(data, dtype=np.uint8))


def _to_bytes(bits: NDArray[np.uint8]) -> bytes:
    return np.packbits(bits).tobytes()
