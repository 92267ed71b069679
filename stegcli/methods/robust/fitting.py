"""Hide the secret at the best quality with which the stego still looks like its cover.

The quality is as requested if the stego keeps 40 dB, and otherwise reduced until it does. A quality that was
requested as a number, or a file, is not reduced: then the stego may get worse, down to a limit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import urandom
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers.pixels import OPAQUE
from stegcli.carriers.tiles import Tile
from stegcli.codecs import choice
from stegcli.codecs.base import Budget, FileSecret, Target
from stegcli.codecs.base import Wishes as CodecWishes
from stegcli.envelope import sturdy, sturdy_body
from stegcli.envelope.head import OWN_BYTES, Head
from stegcli.envelope.sturdy import SturdyHead
from stegcli.errors import ImageError, UsageError
from stegcli.methods.robust import strength
from stegcli.methods.robust.covers import FORBIDDEN
from stegcli.methods.robust.names import CHANNEL
from stegcli.methods.robust.profiles import PROMISES
from stegcli.pictures import metrics
from stegcli.progress import tell, within

if TYPE_CHECKING:
    from stegcli.carriers.streams import Keys
    from stegcli.codecs.base import Encoded
    from stegcli.methods.base import Job, Wishes
    from stegcli.methods.robust.covers import Carrier
    from stegcli.methods.robust.profiles import Promise
    from stegcli.methods.robust.strength import Best

__all__ = ["Fitted", "fitted"]

_FAVOR: Final = {"cover": Target(30.0), "balanced": Target(33.3), "secret": Target(37.0)}
"""Meaning of `--favor` here, where every byte is expensive."""
_FAIR_DB: Final = 40.0
"""PSNR of the stego below which a secret is coarsened, unless its quality was requested."""
_FLOOR_DB: Final = 31.0
"""PSNR of the stego below which nothing is written."""
_WORST_SECRET_DB: Final = 22.0

_LEAST: Final = "jpeg:85"
"""The promise that takes the least."""

_RATE: Final = 0.5
_MOST_RATE: Final = 0.8
_LEAST_RATE_PER_MILLE: Final = 120
_FEW: Final = 9
"""Number of frequencies up to which the rate matters more than how coarse further ones are."""

_DB_PER_DOUBLING: Final = 4.5
"""Approximate gain in PSNR from half the bits."""
_CAREFUL: Final = 0.95
_WASTED_DB: Final = 1.0
"""Surplus of a stego's PSNR from which a secret that was made coarser is tried a little finer."""
_ALIKE: Final = 1.15
"""Ratio of sizes between which no third one is worth a trial."""
_TRIALS: Final = 6
_LEAST_BYTES: Final = 64


@dataclass(frozen=True)
class Fitted:
    """A stego that keeps its promise.

    Attributes:
        best: the stego, and what it was put through.
        encoded: the encoded secret in it.
        head: what the stego says about itself.
        notices: what the user may not expect.
    """

    best: Best
    encoded: Encoded
    head: Head
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    """Data shared by all trials that look for the best quality of a secret."""

    job: Job
    carrier: Carrier
    promise: Promise
    salt: bytes
    keys: Keys
    tile: Tile
    locator: bytes

    @property
    def usable(self) -> int:
        """Number of blocks that carry the body and may change."""
        others = self.tile.others(self.carrier.blocks.rows, self.carrier.blocks.columns)
        return int(np.count_nonzero(self.carrier.prices[others] < FORBIDDEN))

    @property
    def room(self) -> int:
        """Largest payload in bytes, whatever the quality of the stego."""
        bits = int(self.usable * sturdy_body.MOST_FREQUENCIES * _MOST_RATE)
        return bits // 8 - sturdy_body.OVERHEAD


def fitted(job: Job, carrier: Carrier, promise: Promise, salt: bytes) -> Fitted:
    """Hide the secret as well as the cover permits; see the module's docstring.

    Raises:
        ImageError: it does not fit, or the cover is too small or too flat for any secret.
        UsageError: the preference does not exist.
    """
    locator = job.keyring.locator(0)
    keys = job.keyring.keys(sturdy.whole_salt(salt))
    place = _Place(job, carrier, promise, salt, keys, Tile.of(locator), locator)
    goal, is_fixed = _goal(job.wishes), isinstance(job.secret, FileSecret) or job.wishes.target is not None
    encoded = _encoded(place, goal)
    floor = _FLOOR_DB if is_fixed else _FAIR_DB
    fits, too_many = None, None
    for _ in range(_TRIALS):
        found = _trial(place, encoded)
        psnr_db = 0.0 if found is None else metrics.psnr(carrier.rgb, found[0].written.rgb)
        if found is not None and psnr_db >= floor:
            fits = Fitted(found[0], encoded, found[1], _notices(psnr_db, encoded, too_many is not None))
            if psnr_db < floor + _WASTED_DB:
                break
        else:
            too_many = encoded
        other = None if is_fixed else _other(place, fits, too_many, psnr_db)
        if other is None:
            break
        encoded = other
    if fits is None:
        raise _too_much(place, encoded, floor)
    return fits


def _goal(wishes: Wishes) -> Target:
    if wishes.target is not None:
        return Target(wishes.target)
    if wishes.favor not in _FAVOR:
        raise UsageError(f"cannot favor {wishes.favor!r}", f"Choices: {', '.join(_FAVOR)}.")
    return _FAVOR[wishes.favor]


def _encoded(place: _Place, goal: Target) -> Encoded:
    """Encode the secret as requested, or as well as there is room for; trials may coarsen it further."""
    encoded = choice.encode(place.job.secret, CodecWishes(goal))
    if len(encoded.payload) <= place.room:
        return encoded
    if isinstance(place.job.secret, FileSecret) or place.job.wishes.target is not None:
        raise _too_much(place, encoded, _FLOOR_DB)
    return _within(place, max(1, place.room))


def _within(place: _Place, max_bytes: int) -> Encoded:
    try:
        return choice.encode(place.job.secret, CodecWishes(Budget(max_bytes)))
    except UsageError as error:
        raise ImageError(error.message, error.hint) from error


def _other(place: _Place, fits: Fitted | None, too_many: Encoded | None, psnr_db: float) -> Encoded | None:
    """Encode the secret for the next trial; None if there is nothing to gain, or nothing left to try."""
    if too_many is None:
        return None
    if fits is None:
        return _coarser(place, too_many, psnr_db)
    fewer, more = len(fits.encoded.payload), len(too_many.payload)
    if more < fewer * _ALIKE:
        return None
    finer = _within(place, int((fewer * more) ** 0.5))
    return finer if fewer < len(finer.payload) < more else None


def _coarser(place: _Place, encoded: Encoded, psnr_db: float) -> Encoded | None:
    """Encode the secret in as few bytes as should suffice; None if nothing recognisable would remain."""
    short = _FAIR_DB - psnr_db if psnr_db else 2 * _DB_PER_DOUBLING
    overhead = sturdy_body.OVERHEAD
    total = (len(encoded.payload) + overhead) * _CAREFUL * 2 ** -min(short / _DB_PER_DOUBLING, 2.0)
    size = int(total) - overhead
    if size < _LEAST_BYTES:
        return None
    fewer = _within(place, size)
    return fewer if fewer.psnr_db >= _WORST_SECRET_DB else None


def _trial(place: _Place, encoded: Encoded) -> tuple[Best, Head] | None:
    """Return the weakest stego with this payload that keeps the promise; None if there is none."""
    size = len(encoded.payload) + sturdy_body.OVERHEAD
    count = _frequencies(8 * size, place.usable)
    if size > sturdy.MAX_BODY_BYTES:
        return None
    while count is not None:
        best = _written(place, encoded, count)
        if best is not None:
            return best
        count = _more(count, 8 * size, place.usable)
    return None


def _written(place: _Place, encoded: Encoded, count: int) -> tuple[Best, Head] | None:
    """Do the same as `_trial`, with a number of frequencies in each block."""
    blocks = place.carrier.blocks
    size = len(encoded.payload) + sturdy_body.OVERHEAD
    short = SturdyHead(place.promise.quality, count, size, blocks.rows, blocks.columns)
    head_bits = sturdy.coded(short, place.salt, place.locator)
    tell(place.job.progress, "write")
    writer = strength.HeadWriter(place.carrier, place.tile, head_bits, place.locator)
    head = _head(place.job, encoded, size)
    sealed = sturdy_body.sealed(head, encoded.payload, short, place.keys)
    for spare in strength.SPARES:
        body = _body(place, short, sealed, writer, spare)
        try:
            tried = within(place.job.progress, "prove") or _nothing
            best = strength.weakest(body, place.promise.channels, tried)
        except strength.HeadLostError:
            continue
        return None if best is None else (best, head)
    return None


def _nothing(share: float) -> None:
    del share


def _body(
    place: _Place, short: SturdyHead, sealed: bytes, writer: strength.HeadWriter, spare: int
) -> strength.Body:
    """Return the body to write, with its head and a number of spare steps for the head."""
    change = strength.head_change(writer, place.promise.channels, spare)
    if change is None:
        raise ImageError(
            "the cover is too small or too flat to carry even a header that survives",
            _cure(place, "a larger cover"),
        )
    layout = sturdy_body.layout_of(short, place.tile, place.keys)
    return strength.Body(place.carrier, layout, layout.pieces.encode(sealed), change, writer)


def _frequencies(bits: int, blocks: int) -> int | None:
    """Return how many frequencies of each block carry, for a good rate; None if there are not enough."""
    for rate in (_RATE, 0.6, 0.7, _MOST_RATE):
        count = max(3, -(-bits // max(1, int(blocks * rate))))
        if count <= (_FEW if rate < _MOST_RATE else sturdy_body.MOST_FREQUENCIES):
            return count
    return None


def _more(count: int, bits: int, blocks: int) -> int | None:
    """Return more frequencies if no strength sufficed, since a lower rate tolerates more; None if useless."""
    more = -(-3 * count // 2)
    if more > sturdy_body.MOST_FREQUENCIES or 1000 * bits < _LEAST_RATE_PER_MILLE * blocks * more:
        return None
    return more


def _head(job: Job, encoded: Encoded, body_bytes: int) -> Head:
    is_file = isinstance(job.secret, FileSecret)
    shape = (0, 0) if isinstance(job.secret, FileSecret) else (job.secret.shape[0], job.secret.shape[1])
    return Head(
        channel=CHANNEL,
        codec=int(encoded.codec_id),
        keyed=not job.keyring.is_public,
        secret_shape=shape,
        hidden_shape=(0, 0) if is_file else (encoded.shape[0], encoded.shape[1]),
        is_colour=len(encoded.shape) == 3,
        content_bytes=encoded.shape[0] if is_file else 0,
        body_bytes=body_bytes,
        own=bytes(OWN_BYTES),
    )


def _notices(psnr_db: float, encoded: Encoded, is_coarser: bool) -> tuple[str, ...]:
    notices = []
    if is_coarser:
        notices.append(
            f"the secret will be revealed at {encoded.psnr_db:.1f} dB: with more, the stego would fall below "
            f"{_FAIR_DB:g} dB"
        )
    if psnr_db < _FAIR_DB:
        notices.append(
            f"the stego differs visibly from its cover (PSNR {psnr_db:.1f} dB); a lower --target helps"
        )
    return tuple(notices)


def _too_much(place: _Place, encoded: Encoded, floor: float) -> ImageError:
    """Return the error, which says what would fit according to trials of fewer and fewer bytes."""
    size = len(encoded.payload)
    fits = _fitting_bytes(place, encoded, floor)
    what = f"about {fits:,} would fit" if fits else "not even a small part of them would fit"
    return ImageError(
        f"the secret takes {size:,} bytes, more than the cover can carry if they must survive and the stego "
        f"must keep {floor:g} dB; {what}",
        _cure(place, "a larger cover, a smaller secret or a lower --target"),
    )


def _cure(place: _Place, take: str) -> str:
    """Return what helps: opaque pixels, if some are not, and a lower promise, if there is one."""
    alpha = place.job.cover.alpha
    is_clear = alpha is not None and int(alpha.min()) < OPAQUE
    opaque = "an opaque cover, since transparent pixels carry nothing; or " if is_clear else ""
    is_least = place.promise.quality >= PROMISES[_LEAST].quality
    less = "" if is_least else f", or promise less: --survive {_LEAST}"
    return f"Take {opaque}{take}{less}."


def _fitting_bytes(place: _Place, encoded: Encoded, floor: float) -> int:
    """Return how many bytes keep a stego within its limit: the first half, quarter, ... that does."""
    size = min(len(encoded.payload), 2 * place.room)
    while size >= 2 * _LEAST_BYTES:
        size //= 2
        found = _trial(place, replace(encoded, payload=urandom(size)))
        if found is not None and metrics.psnr(place.carrier.rgb, found[0].written.rgb) >= floor:
            return size
    return 0
