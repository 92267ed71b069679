"""Coded bits in the quantised coefficients of a JPEG file; the rest of the file does not change.

J-UNIWARD determines what a step costs; if the file has just been made, steps towards the values before
rounding are cheaper. A file can carry few bits: a tenth of a bit per non-zero AC coefficient of luma, or two
tenths if the secret matters more.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import urandom
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers import coefficients, jpeg_scan, ternary
from stegcli.carriers.coefficients import MOST_RATE, QUIET_RATE
from stegcli.carriers.ternary import Prices, StuckError
from stegcli.codecs.file_secret import FileSecret
from stegcli.envelope import head, keys
from stegcli.methods.base import JpegLoad, Stego
from stegcli.methods.coded import body, names
from stegcli.progress import tell

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.carriers.jpeg_scan import JpegCover
    from stegcli.codecs.base import Encoded
    from stegcli.envelope.head import Head
    from stegcli.envelope.opening import CoefficientsOpened
    from stegcli.methods.base import Job

    I16 = NDArray[np.int16]
    Places = NDArray[np.int64]

__all__ = ["hide", "load_of", "most_bytes_by_rate", "payload"]

_SALTS: Final = 4
"""Number of salts, each with its own keys, that are tried if forbidden steps block every way."""


def hide(job: Job, cover: JpegCover) -> Stego:
    """Hide a secret in the coefficients of a JPEG file; see `Method.hide`."""
    values = coefficients.values(cover.luma)
    room = len(values)
    with ThreadPoolExecutor(max_workers=1) as aside:
        locating = aside.submit(job.keyring.locator, room)  # 0.1 s, without the interpreter lock
        tell(job.progress, "encode")
        prices = coefficients.step_prices(cover, job.cover.error)
        locator = locating.result()
    # In a file that is too small for any head, nothing is drawn.
    found, notices = body.encoded(job, _most_bytes(job, cover, prices))
    ground = _Ground(values, prices, head.COEFFICIENTS.draw(room, locator), locator)
    tell(job.progress, "write")
    written, last = _written(job, found, ground)
    data = jpeg_scan.write(cover, coefficients.put_back(cover.luma, written))
    load = load_of(cover, len(found.payload) + body.TAG_BYTES)
    told = (*notices, *_rate_notices(load))
    facts = body.facts_of(last, room)
    return Stego(None, found.decoded, last, facts, names.DEVICE, told, jpeg=data, load=load)


def most_bytes_by_rate(cover: JpegCover) -> dict[float, int]:
    """Return the largest payload by rate in bits per non-zero AC coefficient of luma, never below 0."""
    prices = coefficients.step_prices(cover)
    return {rate: max(0, _most_at(rate, cover, prices)) for rate in (QUIET_RATE, MOST_RATE)}


def payload(opened: CoefficientsOpened) -> bytes:
    """Return what the coefficients of an opened stego carry; ChangedError if it is not what was written."""
    values = opened.values[_all_but(opened.places, len(opened.values))]
    return body.opened(
        opened.header, ternary.LAYERS, opened.keys, lambda marks: ternary.read(values, marks, opened.keys)
    )


@dataclass(frozen=True)
class _Ground:
    """What bits are written into: values and prices, and the places reserved for the head."""

    values: I16
    prices: Prices
    places: Places
    locator: bytes


def _most_bytes(job: Job, cover: JpegCover, prices: Prices) -> int:
    """Return the largest payload in bytes at the rate that the user's wishes imply, and that steps carry."""
    wishes = job.wishes
    asks_much = isinstance(job.secret, FileSecret) or wishes.target is not None or wishes.ceiling is not None
    rate = MOST_RATE if asks_much or wishes.favor == "secret" else QUIET_RATE
    return _most_at(rate, cover, prices)


def _most_at(rate: float, cover: JpegCover, prices: Prices) -> int:
    most = min(coefficients.most_bytes(cover, rate), ternary.room(prices) // 2)
    return most - head.MESSAGE_BYTES - body.TAG_BYTES


def load_of(cover: JpegCover, body_bytes: int) -> JpegLoad:
    """Return how much a file carries, including the head; cover and stego have nearly the same number."""
    bits = 8 * (body_bytes + head.MESSAGE_BYTES)
    step = float(cover.luma_quantization.mean())
    return JpegLoad(bits / max(1, jpeg_scan.non_zero_ac(cover)), step)


def _rate_notices(load: JpegLoad) -> tuple[str, ...]:
    """Return a notice about a rate that is easier to detect."""
    if load.rate <= QUIET_RATE:
        return ()
    return (
        f"the JPEG carries {load.rate:.2f} bits per coefficient, and above {QUIET_RATE:g} a detector finds "
        "more: take a larger photograph, or a coarser secret (--target)",
    )


def _written(job: Job, found: Encoded, ground: _Ground) -> tuple[I16, Head]:
    """Write head and body into the values, under a salt for which no forbidden step is needed."""
    if job.salt is not None:
        return _under(job.salt, job, found, ground)
    for _ in range(_SALTS - 1):
        try:
            return _under(urandom(keys.SALT_BYTES), job, found, ground)
        except StuckError:
            continue
    return _under(urandom(keys.SALT_BYTES), job, found, ground)


def _under(salt: bytes, job: Job, found: Encoded, ground: _Ground) -> tuple[I16, Head]:
    subkeys = job.keyring.keys(salt)
    first = body.unmarked(job, found, names.COEFFICIENTS)
    rest = _all_but(ground.places, len(ground.values))
    sealed = body.sealed(first, found.payload, subkeys)
    written = ternary.write(ground.values[rest], _of(ground.prices, rest), sealed, subkeys)
    last = body.with_marks(first, written.marks)
    stego = np.empty_like(ground.values)
    stego[rest] = written.values
    stego[ground.places] = head.write_coefficients(
        ground.values[ground.places],
        _of(ground.prices, ground.places),
        salt + head.seal_head(last, subkeys),
        ground.locator,
    )
    return stego, last


def _of(prices: Prices, which: Places | NDArray[np.bool_]) -> Prices:
    return Prices(prices.up[which], prices.down[which])


def _all_but(places: Places, count: int) -> NDArray[np.bool_]:
    rest = np.ones(count, dtype=np.bool_)
    rest[places] = False
    return rest
