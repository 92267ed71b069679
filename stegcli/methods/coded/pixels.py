"""Coded bits in steps of pixels, by learned costs and the covariance of the cover's channels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from os import urandom
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers import samples
from stegcli.carriers.pixels import carriers, put_back, usable_pixels
from stegcli.carriers.prices import colour_precision
from stegcli.envelope import head, keys
from stegcli.methods.base import Stego, alpha_notices, check_room
from stegcli.methods.coded import body, names
from stegcli.methods.phase.costs import model_cost
from stegcli.pictures import luma
from stegcli.progress import tell

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.envelope.opening import SamplesOpened
    from stegcli.methods.base import Job
    from stegcli.models.loading import Models

    U8 = NDArray[np.uint8]

__all__ = ["hide", "payload"]

_COSTS: Final = "phase"
"""The family whose models bring the network that corrects costs."""


def hide(job: Job) -> Stego:
    """A secret in the pixels of a cover; see `Method.hide`."""
    cover_rgb = job.cover.rgb
    usable = usable_pixels(job.cover.alpha)
    pixels = carriers(cover_rgb, usable)
    room = check_room(cover_rgb, len(pixels))
    salt = urandom(keys.SALT_BYTES) if job.salt is None else job.salt
    with ThreadPoolExecutor(max_workers=1) as aside:
        # Argon2id takes 0.1 s a key, off the interpreter lock.
        deriving, locating = aside.submit(job.keyring.keys, salt), aside.submit(job.keyring.locator, room)
        tell(job.progress, "encode")
        precision = colour_precision(cover_rgb)
        rho = _costs(cover_rgb, usable, job.models)
        subkeys, locator = deriving.result(), locating.result()
    places = head.PIXELS.draw(room, locator)
    rest = _rest(room, places)
    cover, cover_rho = np.take(pixels, rest, axis=0), np.take(rho, rest)
    found, notices = body.encoded(job, samples.room(cover) - body.TAG_BYTES)
    tell(job.progress, "write")
    first = body.unmarked(job, found, names.PIXELS)
    sealed = body.sealed(first, found.payload, subkeys)
    written = samples.write(cover, cover_rho, precision, sealed, subkeys)
    last = body.with_marks(first, written.marks)
    message = salt + head.seal_head(last, subkeys)
    stego = np.empty_like(pixels)
    stego[rest] = written.pixels
    stego[places] = head.write(pixels[places], rho[places], precision, message, locator)
    told = (*alpha_notices(job.cover.alpha, usable), *notices)
    stego_rgb = put_back(cover_rgb, usable, stego)
    return Stego(stego_rgb, found.decoded, last, body.facts_of(last, room), names.DEVICE, told)


def payload(opened: SamplesOpened) -> bytes:
    """What the pixels of an opened stego carry; ChangedError if it is not what was written."""
    pixels = np.take(opened.pixels, _rest(len(opened.pixels), opened.places), axis=0)
    return body.opened(
        opened.header, samples.LAYERS, opened.keys, lambda marks: samples.read(pixels, marks, opened.keys)
    )


def _rest(room: int, places: NDArray[np.int64]) -> NDArray[np.intp]:
    """(n,) ascending: the pixels that the head leaves to the body; a mask of them takes six times as long."""
    free = np.ones(room, dtype=np.bool_)
    free[places] = False
    return np.flatnonzero(free)


def _costs(cover_rgb: U8, usable: NDArray[np.bool_] | None, models: Models) -> NDArray[np.float32]:
    """(n,) float32 > 0: what a step costs at each pixel that carries."""
    cost = model_cost(luma.luma_levels(cover_rgb), models.bundled(_COSTS))
    return cost.reshape(-1) if usable is None else cost[usable]
