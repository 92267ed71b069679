"""Baselines that a user could choose instead of a network: the secret as it is, or as a file, in LSBs.

| name | what is written | how |
|---|---|---|
| lsb-332 | the 8 bits of each pixel, encrypted | in the last 3, 3 and 2 bits of R, G and B |
| webp-lsbm, avif-lsbm | best file that keeps the stego's PSNR, encrypted | LSB matching |
| webp-hill, avif-hill | best file that keeps the stego's PSNR | ideal coder with HILL costs, simulated |
| avif-lsbm-40, avif-hill-40 | smallest file that reveals at 40 dB, or the best that fits | as above |

"avif" is the program's own codec: AVIF tuned for PSNR, without its container, or lossless WebP if that is
shorter, so that a baseline writes the same bits as the family `coded`. "webp" is a file as Pillow writes it.
Encryption uses ChaCha20. There is no error correction, since these are used without.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from stegcli.carriers import streams
from stegcli.codecs import choice
from stegcli.codecs.base import Budget, Encoded, FileSecret, SecretError, Target, Wishes
from stegcli.errors import UsageError
from stegcli.lab import writing
from stegcli.lab.quality.bodies import smallest
from stegcli.lab.quality.hiders import Hidden, random_numbers, seed_bytes
from stegcli.pictures import metrics, reading
from stegcli.pictures.files import DECODER_ERRORS

__all__ = ["NAMES", "baseline", "choose"]

U8 = NDArray[np.uint8]
Decode = Callable[[bytes], U8 | None]

_BEST_QUALITY: Final = 100
_LENGTH_BITS: Final = 32
_DEFAULT_PSNR: Final = 52.0
"""Stego PSNR in dB to aim at if no model precedes the baselines: that of `phase` at spread 1."""


@dataclass(frozen=True)
class RawBaseline:
    """`lsb-332`."""

    name: str = "lsb-332"
    identity: str = "raw 8 bits per pixel in LSB 3-3-2, ChaCha20"

    def hide(self, cover_rgb: U8, secret_gray: U8, seed: str, stego_psnr_db: float | None) -> Hidden:
        """Hide the secret, reduced to fit, as `hide` does, if it is larger than the cover."""
        del stego_psnr_db  # it has no choice
        room = cover_rgb.shape[0] * cover_rgb.shape[1]
        share = min(1.0, (room / secret_gray.size) ** 0.5)
        height, width = (max(1, int(side * share)) for side in secret_gray.shape)
        hidden = reading.resize_gray(secret_gray, (height, width))
        places = writing.carriers(room, hidden.size, random_numbers(seed, "places"))
        stego = writing.replace_332(cover_rgb, places, _encrypted(hidden.reshape(-1), seed))
        return Hidden(
            stego,
            partial(_reveal_raw, places, seed, hidden.shape, secret_gray.shape),
            spread=room // hidden.size,
            written_bits=8 * hidden.size,
        )


@dataclass(frozen=True)
class FileBaseline:
    """The secret as a lossy file.

    Attributes:
        name: as in the table above.
        codec: "WEBP", or "AVIF" for the program's own codec.
        adaptive: whether to use the ideal coder with HILL costs instead of LSB matching.
        revealed_psnr_db: PSNR of the smallest file to write; None for the best file at the stego's PSNR.
    """

    name: str
    codec: str
    adaptive: bool
    revealed_psnr_db: float | None = None

    @property
    def identity(self) -> str:
        """Description of what the name stands for."""
        how = "ideal coder, HILL, simulated" if self.adaptive else "LSB matching"
        codec = "codecs of stegcli" if self.codec == "AVIF" else self.codec
        return f"{codec} by {how}, ChaCha20, Pillow {PIL.__version__}"

    def hide(self, cover_rgb: U8, secret_gray: U8, seed: str, stego_psnr_db: float | None) -> Hidden:
        """Choose the file, then write it."""
        changes = _changes(cover_rgb, _DEFAULT_PSNR if stego_psnr_db is None else stego_psnr_db)
        coder = writing.IdealCoder.on(cover_rgb) if self.adaptive else None
        # LSB matching changes every second sample that it writes.
        room = min(2 * changes, cover_rgb.size) if coder is None else coder.capacity(changes)
        everything = cover_rgb.size if coder is None else coder.capacity(cover_rgb.size)
        content, decode = self._file(secret_gray, int(room) - _LENGTH_BITS, int(everything) - _LENGTH_BITS)
        bits = 8 * len(content) + _LENGTH_BITS
        if coder is not None:
            stego = coder.write(bits, random_numbers(seed, "changes"))
            # The draw represents a stego that carries the file, so that the file is what is revealed.
            return Hidden(stego, lambda _: decode(content), 0, bits, simulated=True)
        if bits > cover_rgb.size:
            raise UsageError(f"{self.name}: the smallest file does not fit the cover", "Take larger covers.")
        places = writing.carriers(cover_rgb.size, cover_rgb.size, random_numbers(seed, "places"))
        message = len(content).to_bytes(_LENGTH_BITS // 8, "big") + content
        cipher = _encrypted(np.frombuffer(message, np.uint8), seed)
        stego = writing.lsb_match(
            cover_rgb, places[:bits], writing.bits_of(cipher.tobytes()), random_numbers(seed, "steps")
        )
        return Hidden(stego, partial(_reveal_file, places, seed, decode), 0, bits)

    def _file(self, gray: U8, bits: int, most_bits: int) -> tuple[bytes, Decode]:
        """Return the file to write, and its decoder: within `bits`, or as small as its quality allows.

        If the latter exceeds `most_bits`, it is the best file within these.
        """
        if self.codec == "AVIF":
            found = self._encoded(gray, bits // 8, most_bits // 8)
            return found.payload, partial(_decode_payload, found, gray.shape)
        content = _best_within(partial(_encode, gray), bits)
        return content, partial(_decode, shape=gray.shape)

    def _encoded(self, gray: U8, size: int, most: int) -> Encoded:
        if self.revealed_psnr_db is None:
            return choice.encode(gray, Wishes(Budget(max(1, size))))
        found = smallest(gray, Target(self.revealed_psnr_db))
        return found if len(found.payload) <= most else choice.encode(gray, Wishes(Budget(max(1, most))))


_TABLE: Final = (
    RawBaseline(),
    FileBaseline("webp-lsbm", "WEBP", adaptive=False),
    FileBaseline("avif-lsbm", "AVIF", adaptive=False),
    FileBaseline("webp-hill", "WEBP", adaptive=True),
    FileBaseline("avif-hill", "AVIF", adaptive=True),
    FileBaseline("avif-lsbm-40", "AVIF", adaptive=False, revealed_psnr_db=40.0),
    FileBaseline("avif-hill-40", "AVIF", adaptive=True, revealed_psnr_db=40.0),
)
NAMES: Final = tuple(each.name for each in _TABLE)


def baseline(name: str) -> RawBaseline | FileBaseline:
    """Return a baseline by name.

    Raises:
        UsageError: there is none with that name.
    """
    for each in _TABLE:
        if each.name == name:
            return each
    raise UsageError(f"there is no baseline {name!r}", f"Choices: all, none, {', '.join(NAMES)}.")


def choose(text: str) -> list[RawBaseline | FileBaseline]:
    """Return baselines by "all", "none" or names separated by commas."""
    if text in ("", "none"):
        return []
    return [baseline(name) for name in (NAMES if text == "all" else text.split(","))]


def _changes(cover_rgb: U8, psnr_db: float) -> float:
    """Return how many samples may change by one at a PSNR."""
    return metrics.PEAK**2 / 10 ** (psnr_db / 10) * cover_rgb.size


def _encrypted(data: U8, seed: str) -> U8:
    """Return data xor keystream; the same function decrypts."""
    stream = streams.words32(seed_bytes(seed, "file"), -(-data.size // 4)).view(np.uint8)[: data.size]
    return data ^ stream


def _encode(gray: U8, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "WEBP", quality=quality, method=4)
    return file.getvalue()


def _best_within(encode: Callable[[int], bytes], bits: int) -> bytes:
    """Return the file of highest quality within a number of bits; the smallest one if none fits."""
    low, high, best = 0, _BEST_QUALITY, encode(0)
    while low <= high:
        middle = (low + high) // 2
        content = encode(middle)
        if 8 * len(content) <= bits:
            low, best = middle + 1, content
        else:
            high = middle - 1
    return best


def _decode_payload(found: Encoded, shape: tuple[int, int], payload: bytes) -> U8 | None:
    """Decode a payload of the program's codec to (h, w) uint8; None if it is damaged."""
    try:
        decoded = choice.decode(int(found.codec_id), payload, found.shape)
    except SecretError:
        return None
    return None if isinstance(decoded, FileSecret) else reading.resize(decoded, shape)


def _decode(content: bytes, shape: tuple[int, int]) -> U8 | None:
    """Decode a file to (h, w) uint8; None if it is damaged."""
    try:
        with Image.open(io.BytesIO(content), formats=("WEBP",)) as image:
            gray = np.asarray(image.convert("L"))
    except DECODER_ERRORS:
        return None
    return gray if gray.shape == shape else None


def _reveal_raw(
    places: NDArray[np.int64], seed: str, hidden: tuple[int, int], shape: tuple[int, int], stego_rgb: U8
) -> U8:
    values = _encrypted(writing.read_332(stego_rgb, places), seed)
    return reading.resize_gray(values.reshape(hidden), shape)


def _reveal_file(places: NDArray[np.int64], seed: str, decode: Decode, stego_rgb: U8) -> U8 | None:
    # The whole stream is decrypted, since its first bits state the length of the file.
    everything = writing.bytes_of(writing.read_lsb(stego_rgb, places))
    message = _encrypted(np.frombuffer(everything, np.uint8), seed).tobytes()
    length = int.from_bytes(message[: _LENGTH_BITS // 8], "big")
    content = message[_LENGTH_BITS // 8 :][:length]
    return decode(content) if len(content) == length else None
