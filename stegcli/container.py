"""The header: what a reader must know, sealed, coded against damage and written into parities.

                                       salt (16 bytes) -> convolutional code -> repeated -> parities
    Header (26 bytes) -> ChaCha20-Poly1305 -> (42 bytes) -> convolutional code -> repeated -> parities

The parities are those of R + G + B, a property that phases leave free: both live in the same pixels.
At large spreads, where little else is written, each parity is that of a group of pixels, of which the one
changes where it shows least; the reader tries the few sizes that groups may have and takes the likeliest.
A codeword in known places would give a stego away, so the places hang on the passphrase too: its locator
(see `keys`) tells them, for the salt must be read before there is any other key. To everybody else the
parities are noise. A header that does not open has one answer, whether nothing was hidden, the passphrase is
wrong or the image is damaged.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from stegcli import convolution, joint
from stegcli.errors import ImageError, NothingFoundError
from stegcli.keys import SALT_BYTES, Keys, scaled, words32
from stegcli.offsets import parities
from stegcli.planes import ALL_PLANES, count_sent, padded

FORMAT_VERSION: Final = 1
LUMA_PHASE, ISGAN, LUMA_JOINT = 1, 2, 3
"""Channel ids: how the pixels carry the picture."""
SHARES: Final = {LUMA_PHASE: 1, LUMA_JOINT: joint.SHARE}
"""By channel id: how many symbols share their pixels."""

MIN_PIXELS: Final = 64 * 64
"""Usable pixels that the header needs; below, its parities would crowd out everything else."""

_LAYOUT: Final = struct.Struct(">BB4s3s3s3s3sB3sBBH")  # 26 bytes, big-endian
_TAG_BYTES: Final = 16
SEALED_BYTES: Final = _LAYOUT.size + _TAG_BYTES
MAX_SIZE: Final = (1 << 24) - 1
"""Largest side of a secret and largest spread: both travel in three bytes."""

_KEYED_FLAG: Final = 1
_ASSOCIATED_DATA: Final = b"stegcli/1"
_NONCE: Final = bytes(12)  # a header key seals one header: the salt is fresh for every stego

_STEPS_KEY: Final = sha256(b"stegcli/1/steps").digest()

_PIXELS_PER_REPEAT: Final = 1 << 20
_MAX_REPEATS: Final = 8

_SALT_CODED_BITS: Final = convolution.coded_length(8 * SALT_BYTES)
_SEALED_CODED_BITS: Final = convolution.coded_length(8 * SEALED_BYTES)

_MODEL_BYTES: Final = 4
_MAX_NOISE_CODE: Final = 255
_BLUE: Final = 2
_WHITE: Final = 255

GROUP_SIZES: Final = (1, 2, 4, 8, 16)
"""Pixels that a parity may be of; together a header's groups take at most half of the pixels."""

_SPARED_SHARE: Final = 0.065
# Measured at 256x256: a header still opens with a tenth of the pixels destroyed on top, and a good deal more.

_LARGEST_SIGMA: Final = 0.5
_CODES_PER_OCTAVE: Final = 24


@dataclass(frozen=True)
class Header:
    """What travels with the hidden picture.

    Attributes:
        channel: `LUMA_PHASE`, `ISGAN` or `LUMA_JOINT`.
        model: first 4 bytes of the SHA-256 of the model's decoder.onnx.
        secret_height: height of the secret as it was given, 1..2^24-1.
        secret_width: its width.
        hidden_height: height of the secret as it was hidden, maybe reduced to fit.
        hidden_width: its width.
        spread: pixels per symbol, at least 1.
        noise_code: phase noise that the writer expects, 0..255, see `code_to_sigma`.
        keyed: whether a passphrase is needed; a reader that opened the header has it.
        planes: planes of the code map that were sent, 1..64, see `planes`.
    """

    channel: int
    model: bytes
    secret_height: int
    secret_width: int
    hidden_height: int
    hidden_width: int
    spread: int
    noise_code: int
    keyed: bool
    planes: int = ALL_PLANES

    def __post_init__(self) -> None:
        """Refuse what the layout cannot hold."""
        sizes = (self.secret_height, self.secret_width, self.hidden_height, self.hidden_width, self.spread)
        if not all(1 <= size <= MAX_SIZE for size in sizes):
            raise ValueError(f"sizes and spread must be in 1..{MAX_SIZE}: {sizes}")
        if self.channel not in (LUMA_PHASE, ISGAN, LUMA_JOINT) or not 1 <= self.planes <= ALL_PLANES:
            raise ValueError(f"unknown channel {self.channel} or number of planes {self.planes}")
        if len(self.model) != _MODEL_BYTES or not 0 <= self.noise_code <= _MAX_NOISE_CODE:
            raise ValueError(f"model must be {_MODEL_BYTES} bytes, noise_code in 0..{_MAX_NOISE_CODE}")

    @property
    def shown_size(self) -> tuple[int, int]:
        """(height, width) of the hidden picture, less what pads it to whole blocks.

        A picture that has the secret's size, rounded up to whole blocks, is the secret and a margin.
        """
        secret, hidden = (self.secret_height, self.secret_width), (self.hidden_height, self.hidden_width)
        return secret if self.channel in SHARES and hidden == padded(secret) else hidden

    @property
    def symbols(self) -> int:
        """Symbols that were sent: one per pixel of the hidden picture, less the planes that were not."""
        return count_sent((self.hidden_height, self.hidden_width), self.planes)

    @property
    def pixels_taken(self) -> int:
        """Pixels that carry them; 0 where another channel has its own way."""
        share = SHARES.get(self.channel)
        return 0 if share is None else share * self.spread * -(-self.symbols // share)

    @property
    def sigma(self) -> float:
        """Root mean square phase error that the writer expects, in grey levels."""
        return code_to_sigma(self.noise_code)

    def to_bytes(self) -> bytes:
        """The 26 bytes of format version 1, big-endian."""
        sizes = (self.secret_height, self.secret_width, self.hidden_height, self.hidden_width)
        return _LAYOUT.pack(
            FORMAT_VERSION,
            self.channel,
            self.model,
            *(size.to_bytes(3, "big") for size in sizes),
            self.planes,
            self.spread.to_bytes(3, "big"),
            self.noise_code,
            _KEYED_FLAG if self.keyed else 0,
            0,  # reserved
        )

    @classmethod
    def from_bytes(cls, plaintext: bytes) -> Header:
        """Inverse of `to_bytes`.

        Raises:
            ValueError: another version, or a field out of its range.
        """
        fields = _LAYOUT.unpack(plaintext)
        version, channel, model, *sizes, planes, spread, noise_code, flags, reserved = fields
        if version != FORMAT_VERSION or flags & ~_KEYED_FLAG or reserved:
            raise ValueError(f"not a header of format version {FORMAT_VERSION}")
        secret_height, secret_width, hidden_height, hidden_width = (
            int.from_bytes(size, "big") for size in sizes
        )
        return cls(
            channel=channel,
            model=model,
            secret_height=secret_height,
            secret_width=secret_width,
            hidden_height=hidden_height,
            hidden_width=hidden_width,
            spread=int.from_bytes(spread, "big"),
            noise_code=noise_code,
            keyed=flags == _KEYED_FLAG,
            planes=planes,
        )


def sigma_to_code(sigma: float) -> int:
    """Phase noise in grey levels -> nearest code, 0..255: 24 codes per halving, 0.5 to 0.0003."""
    if sigma <= code_to_sigma(_MAX_NOISE_CODE):
        return _MAX_NOISE_CODE
    code = round(_CODES_PER_OCTAVE * math.log2(_LARGEST_SIGMA / sigma))
    return max(code, 0)


def code_to_sigma(code: int) -> float:
    """Code, 0..255 -> phase noise in grey levels: 0.5 * 2^(-code / 24)."""
    return float(_LARGEST_SIGMA * 2 ** (-code / _CODES_PER_OCTAVE))


def seal(header: Header, keys: Keys) -> bytes:
    """The header as 42 bytes that only `keys` open, and that nobody can alter or tell from noise."""
    return ChaCha20Poly1305(keys.header).encrypt(_NONCE, header.to_bytes(), _ASSOCIATED_DATA)


def parity_plan(
    pixel_count: int, salt: bytes, sealed: bytes, locator: bytes, group: int = 1
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Where the parity of R + G + B must be what.

    Args:
        pixel_count: usable pixels.
        salt: 16 bytes.
        sealed: the header, 42 bytes.
        locator: tells the positions.
        group: pixels whose sum has the parity, one of `GROUP_SIZES`.

    Returns:
        (K, group) int64 positions without repeats, (K,) uint8 bits.
    """
    coded = [convolution.encode(_to_bits(part)) for part in (salt, sealed)]
    bits = np.repeat(np.concatenate(coded), _repeats(pixel_count))
    return _positions(pixel_count, len(bits) * group, locator).reshape(-1, group), bits


def parity_count(pixel_count: int) -> int:
    """How many parities a header has, K."""
    return _repeats(pixel_count) * (_SALT_CODED_BITS + _SEALED_CODED_BITS)


def group_size(pixel_count: int, reach: int) -> int:
    """Pixels per parity that `hide` takes: an eighth of those that a symbol hangs on.

    A destroyed pixel spoils the symbol, so the header stays the sturdier of the two.
    """
    return max(size for size in _group_sizes(pixel_count) if size <= max(1, reach // 8))


def read_salt(pixels: npt.NDArray[np.uint8], locator: bytes) -> tuple[bytes, int]:
    """(n, 3) uint8 pixels -> the likeliest 16-byte salt and group size; noise where nothing is hidden."""
    tried = []
    for group in _group_sizes(len(pixels)):
        votes = _votes(pixels, locator, group)[:_SALT_CODED_BITS]
        salt = convolution.decode(votes)
        likelihood = int(votes @ (2 * convolution.encode(salt).astype(np.int64) - 1))
        tried.append((likelihood, -group, _to_bytes(salt)))
    _, negative_group, found = max(tried)
    return found, -negative_group


def open_header(pixels: npt.NDArray[np.uint8], keys: Keys, locator: bytes, group: int = 1) -> Header:
    """(n, 3) uint8 pixels -> the header that `keys` open, from parities of groups of `group` pixels.

    Raises:
        NothingFoundError: nothing was hidden, the keys are others, or too much is damaged.
    """
    sealed = _to_bytes(convolution.decode(_votes(pixels, locator, group)[_SALT_CODED_BITS:]))
    try:
        header = Header.from_bytes(ChaCha20Poly1305(keys.header).decrypt(_NONCE, sealed, _ASSOCIATED_DATA))
    except (InvalidTag, ValueError):
        raise NothingFoundError from None
    if header.pixels_taken > len(pixels):
        raise NothingFoundError
    return header


def spared_count(count: int) -> int:
    """How many of so many parities `spare_dearest` leaves wrong."""
    return int(_SPARED_SHARE * count)


def spare_dearest(
    pixels: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int64],
    bits: npt.NDArray[np.uint8],
    cost: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """The plan without those parities that are wrong where a change costs most.

    The code corrects them. They stand at random places, the smooth ones too, where a detector looks: at large
    spreads they are what gives a stego away.

    Args:
        pixels: (n, 3) uint8 cover.
        positions: of `parity_plan`.
        bits: likewise.
        cost: (n,) float32, what a change costs at each pixel.
    """
    wrong = np.flatnonzero(parities(pixels[positions]) != bits)
    dearest_first = np.argsort(-cost[positions[wrong]].min(axis=1), kind="stable")
    kept = np.ones(len(bits), dtype=np.bool_)
    kept[wrong[dearest_first[: spared_count(len(bits))]]] = False
    return positions[kept], bits[kept]


def pixel_parities(
    pixels: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int64],
    bits: npt.NDArray[np.uint8],
    cost: npt.NDArray[np.float32] | None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """A plan for groups -> what each of their pixels must be: (K * group,) positions and bits.

    Where a group's parity is wrong its cheapest pixel turns; all others keep what they have.
    """
    wanted = parities(pixels[positions.reshape(-1)]).reshape(positions.shape)
    wrong = np.flatnonzero(parities(pixels[positions]) != bits)
    turning = np.zeros(len(wrong), np.intp) if cost is None else cost[positions[wrong]].argmin(axis=1)
    wanted[wrong, turning] ^= np.uint8(1)
    return positions.reshape(-1), wanted.reshape(-1)


def destroyed_share(
    pixels: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int64],
    bits: npt.NDArray[np.uint8],
    spared: int = 0,
) -> float:
    """Share of (n, 3) pixels destroyed since `parity_plan`'s bits were written, 0..1, estimated from them.

    A group with a destroyed pixel has the right parity one half of the time. A single wrong one says nothing:
    it may be the only pixel that was changed. `spared` parities were wrong from the start.
    """
    wrong = int(np.count_nonzero(parities(pixels[positions]) != bits)) - spared
    if wrong <= 1:
        return 0.0
    hit = min(1.0, 2 * wrong / (len(bits) - 2 * spared))
    return float(1 - (1 - hit) ** (1 / positions.shape[1]))


def force_parity(
    pixels: npt.NDArray[np.uint8], positions: npt.NDArray[np.int64], bits: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """(n, 3) uint8 -> the same with one step of blue wherever a parity is wrong, in the group's first pixel.

    Luma feels blue least. Up or down is a fair draw, as in LSB matching, except at 0 and 255.
    """
    wrong = positions[parities(pixels[positions]) != bits, 0]
    blue = pixels[wrong, _BLUE].astype(np.int64)
    steps = 1 - 2 * (words32(_STEPS_KEY, len(wrong)) & 1).astype(np.int64)
    steps = np.where(blue == 0, 1, np.where(blue == _WHITE, -1, steps))
    forced = pixels.copy()
    forced[wrong, _BLUE] = blue + steps
    return forced


def _repeats(pixel_count: int) -> int:
    """How often each coded bit is written: more where there is room, for damage grows with the image too."""
    return max(1, min(_MAX_REPEATS, pixel_count // _PIXELS_PER_REPEAT))


def _group_sizes(pixel_count: int) -> list[int]:
    """Those of `GROUP_SIZES` that leave half of the pixels alone."""
    most = pixel_count // (2 * parity_count(pixel_count))
    return [size for size in GROUP_SIZES if size <= max(1, most)]


def _positions(pixel_count: int, count: int, locator: bytes) -> npt.NDArray[np.int64]:
    """(count,) int64 positions: the locator's stream scaled to 0..n-1, repeats left out."""
    if pixel_count < MIN_PIXELS:
        raise ImageError(f"the picture has {pixel_count} usable pixels", f"at least {MIN_PIXELS} are needed")
    draws = 2 * count
    while True:
        places = scaled(words32(locator, draws), pixel_count)
        first = np.unique(places, return_index=True)[1]
        if len(first) >= count:
            in_order: npt.NDArray[np.intp] = np.sort(first)[:count]
            return places[in_order]
        draws *= 2


def _votes(pixels: npt.NDArray[np.uint8], locator: bytes, group: int) -> npt.NDArray[np.int64]:
    """(n, 3) uint8 pixels -> (coded bits,) int64: ones minus zeros among the repeats of each."""
    positions = _positions(len(pixels), parity_count(len(pixels)) * group, locator)
    found = parities(pixels[positions.reshape(-1, group)])
    ballots = (2 * found.astype(np.int64) - 1).reshape(-1, _repeats(len(pixels)))
    votes: npt.NDArray[np.int64] = ballots.sum(axis=1)
    return votes


def _to_bits(data: bytes) -> npt.NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(data, dtype=np.uint8))


def _to_bytes(bits: npt.NDArray[np.uint8]) -> bytes:
    return np.packbits(bits).tobytes()
