"""Coded bits in steps of pixels, with learned costs and the covariance of the cover's channels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from os import urandom
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers import samples
from stegcli.carriers.pixels import carriers, put_back, usable_pixels
from stegcli.carriers.prices import colour_precision
from stegcli.envelope import head, keys
from stegcli.methods.base import Stego, alpha_notices, check_room
from stegcli.methods.coded import body, names
from stegcli.methods.coded.costs import coded_cost
from stegcli.pictures import luma
from stegcli.progress import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from stegcli.carriers.streams import Keys
    from stegcli.envelope.head import Head
    from stegcli.envelope.keys import Keyring
    from stegcli.envelope.opening import SamplesOpened
    from stegcli.methods.base import Cover, Job
    from stegcli.models.loading import Models

    U8 = NDArray[np.uint8]

__all__ = ["Ground", "hide", "most_bytes", "payload"]

_COSTS: Final = "phase"
"""The family whose models include the network that corrects costs."""


def hide(job: Job) -> Stego:
    """Hide a secret in the pixels of a cover; see `Method.hide`."""
    salt = urandom(keys.SALT_BYTES) if job.salt is None else job.salt
    tell(job.progress, "encode")
    with ThreadPoolExecutor(max_workers=1) as aside:
        # Argon2id, a tenth of a second per key, and the secret's codec release the interpreter lock.
        deriving = aside.submit(job.keyring.keys, salt)
        places = Ground.of(job.cover, job.keyring)
        encoding = aside.submit(body.encoded, job, places.most_bytes)
        ground = places.priced(job.models)
        subkeys, (found, notices) = deriving.result(), encoding.result()
    tell(job.progress, "write")
    first = body.unmarked(job, found, names.PIXELS)
    stego_rgb, last = ground.written(first, found.payload, salt, subkeys)
    told = (*ground.notices, *notices)
    return Stego(stego_rgb, found.decoded, last, body.facts_of(last, ground.room), names.DEVICE, told)


@dataclass(frozen=True)
class Ground:
    """A cover with its places assigned: it is known what fits, but not yet what it costs.

    Attributes:
        rgb: (H, W, 3) uint8.
        usable: (H, W) bool, which pixels carry; None if all do.
        notices: what the user must know about these pixels.
        pixels: (n, 3) uint8, the pixels that carry.
        precision: (3, 3), see `prices.colour_precision`.
        places: (m,) int64, indices of `pixels` reserved for the head.
        rest: (n - m,) indices of the others.
        locator: key of the head.
    """

    rgb: U8
    usable: NDArray[np.bool_] | None
    notices: tuple[str, ...]
    pixels: U8
    precision: NDArray[np.float64]
    places: NDArray[np.int64]
    rest: NDArray[np.intp]
    locator: bytes

    @classmethod
    def of(cls, cover: Cover, keyring: Keyring) -> Ground:
        """Draw the keyed places; ImageError if the cover is too small."""
        usable = usable_pixels(cover.alpha)
        pixels = carriers(cover.rgb, usable)
        room = check_room(cover.rgb, len(pixels))
        with ThreadPoolExecutor(max_workers=1) as aside:
            locating = aside.submit(keyring.locator, room)
            precision = colour_precision(cover.rgb)
            locator = locating.result()
        places = head.PIXELS.draw(room, locator)
        notices = alpha_notices(cover.alpha, usable)
        return cls(cover.rgb, usable, notices, pixels, precision, places, _rest(room, places), locator)

    def priced(self, models: Models) -> PricedGround:
        """Return the cover with costs."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return PricedGround(**own, rho=_costs(self.rgb, self.usable, models))

    @property
    def room(self) -> int:
        """Number of pixels that carry."""
        return len(self.pixels)

    @property
    def most_bytes(self) -> int:
        """Largest payload in bytes."""
        return samples.room(np.take(self.pixels, self.rest, axis=0)) - body.TAG_BYTES


@dataclass(frozen=True)
class PricedGround(Ground):
    """A cover that is ready to be written to.

    Attributes:
        rho: (n,) float32 > 0, cost of a step at each pixel that carries.
    """

    rho: NDArray[np.float32]

    def entropies(self) -> tuple[Callable[[float], float], float]:
        """Return `samples.entropies` of the pixels that carry a body."""
        pixels, rho = np.take(self.pixels, self.rest, axis=0), np.take(self.rho, self.rest)
        return samples.entropies(pixels, rho, self.precision)

    def written(self, first: Head, payload: bytes, salt: bytes, subkeys: Keys) -> tuple[U8, Head]:
        """Return the stego, (H, W, 3) uint8, with head and body, and the head with its marks."""
        cover, rho = np.take(self.pixels, self.rest, axis=0), np.take(self.rho, self.rest)
        sealed = body.sealed(first, payload, subkeys)
        written = samples.write(cover, rho, self.precision, sealed, subkeys)
        last = body.with_marks(first, written.marks)
        message = salt + head.seal_head(last, subkeys)
        stego = np.empty_like(self.pixels)
        stego[self.rest] = written.pixels
        stego[self.places] = head.write(
            self.pixels[self.places], self.rho[self.places], self.precision, message, self.locator
        )
        return put_back(self.rgb, self.usable, stego), last


def most_bytes(pixels: U8, locator: bytes) -> int:
    """(n, 3) uint8, all that carry -> the largest payload in bytes, the size of a file before its packing."""
    rest = _rest(len(pixels), head.PIXELS.draw(len(pixels), locator))
    return samples.room(np.take(pixels, rest, axis=0)) - body.TAG_BYTES


def payload(opened: SamplesOpened) -> bytes:
    """Return what the pixels of an opened stego carry; ChangedError if it is not what was written."""
    pixels = np.take(opened.pixels, _rest(len(opened.pixels), opened.places), axis=0)
    return body.opened(
        opened.header, samples.LAYERS, opened.keys, lambda marks: samples.read(pixels, marks, opened.keys)
    )


def _rest(room: int, places: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return (n,) ascending: the pixels left for the body; a mask of them would take six times as long."""
    free = np.ones(room, dtype=np.bool_)
    free[places] = False
    return np.flatnonzero(free)


def _costs(cover_rgb: U8, usable: NDArray[np.bool_] | None, models: Models) -> NDArray[np.float32]:
    """Return the cost of a step at each pixel that carries, (n,) float32 > 0."""
    cost = coded_cost(luma.luma_levels(cover_rgb), models.bundled(_COSTS))
    return cost.reshape(-1) if usable is None else cost[usable]
