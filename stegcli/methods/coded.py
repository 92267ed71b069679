"""Hide a secret as compressed bits in single steps of pixels (family `coded`): arrays in, arrays out.

secret ──codec──> payload ──ChaCha20-Poly1305──> body ──┐
cover ──learned costs, covariance of its channels───────┴─ samples.write ──> stego, and its head beside it
stego ──head──> keys, marks ──samples.read──> body ──> payload ──codec──> secret, exactly as it was written

An entropy coder writes what the picture needs and no more, and syndrome coding writes it where the cover
hides changes best: the least detectable way. Nothing may touch the file: one changed sample of the body, and
the secret is gone. The reader needs no network and no costs.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import urandom
from typing import TYPE_CHECKING, Final

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from stegcli.carriers import samples
from stegcli.carriers.keyed_order import subkey
from stegcli.carriers.pixels import carriers, put_back, usable_pixels
from stegcli.carriers.prices import colour_precision
from stegcli.carriers.syndrome import Marks
from stegcli.codecs import choice
from stegcli.codecs.base import FAVOR, Budget, FileSecret, Target
from stegcli.codecs.base import Wishes as CodecWishes
from stegcli.envelope import head, keys
from stegcli.envelope.head import Head
from stegcli.envelope.opening import SamplesOpened
from stegcli.errors import ChangedError, ImageError, NothingFoundError, UsageError
from stegcli.methods.base import Facts, Secret, Stego, alpha_notices, check_room
from stegcli.methods.phase.costs import model_cost
from stegcli.methods.phase.planes import ALL_PLANES
from stegcli.pictures import luma
from stegcli.progress import tell

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from stegcli.carriers.streams import Keys
    from stegcli.codecs.base import Encoded, Picture
    from stegcli.envelope.opening import Opened
    from stegcli.methods.base import Job, Wishes
    from stegcli.models.loading import Models
    from stegcli.progress import Progress

    U8 = NDArray[np.uint8]

__all__ = ["CHANNEL", "FAMILY", "CodedMethod"]

FAMILY: Final = "coded"
CHANNEL: Final = 16
"""How a head names this way of carrying."""

_COSTS: Final = "phase"
"""The family whose models bring the network that corrects costs."""
_TAG_BYTES: Final = 16
_NONCE: Final = bytes(12)  # a body key seals one body: the salt is fresh for every stego
_DEVICE: Final = "cpu"
_HOPELESS: Final = 512
"""Pixels of a picture per byte of room from which no search for a quality is worth its time: a 64th of a bit
per pixel."""


@dataclass(frozen=True)
class CodedMethod:
    """Hiding as coded bits (the Method protocol)."""

    family: str = FAMILY
    channels: Collection[int] = (CHANNEL,)
    has_models: bool = False
    takes: Collection[str] = ("gray", "colour", "file")
    has_key: bool = True

    def hide(self, job: Job) -> Stego:
        """See `Method.hide`. A picture has the quality that is wished for, or the best one that fits."""
        return _hide(job)

    def reveal(self, opened: Opened, models: Models, progress: Progress | None = None) -> Secret:
        """See `Method.reveal`.

        Raises:
            ChangedError: the head opened, and the body did not.
            SecretError: the body opened, and holds no secret that this program decodes.
        """
        del models  # needs none
        found = _ours(opened)
        tell(progress, "decode")
        payload = _opened_body(found)
        return Secret(choice.decode(found.header.codec, payload, found.header.shape), FAMILY, _DEVICE)

    def facts(self, opened: Opened) -> Facts:
        """See `Method.facts`."""
        return _facts(_ours(opened).header, len(opened.pixels))

    def damage(self, opened: Opened) -> float:
        """See `Method.damage`: what is damaged does not open."""
        del opened
        return 0.0


def _hide(job: Job) -> Stego:
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
    places = head.draw(room, locator)
    rest = _rest(room, places)
    cover, cover_rho = np.take(pixels, rest, axis=0), np.take(rho, rest)
    found, notices = _encoded(job, samples.room(cover) - _TAG_BYTES)
    tell(job.progress, "write")
    first = _head(job, found)
    # The marks that the head carries are known once the body is written: its seal binds it to all but these.
    body = _body_cipher(subkeys).encrypt(_NONCE, found.payload, _bound(first))
    written = samples.write(cover, cover_rho, precision, body, subkeys)
    last = replace(first, own=_own(written.marks))
    message = salt + head.seal_head(last, subkeys)
    stego = np.empty_like(pixels)
    stego[rest] = written.pixels
    stego[places] = head.write(pixels[places], rho[places], precision, message, locator)
    told = (*alpha_notices(job.cover.alpha, usable), *notices)
    stego_rgb = put_back(cover_rgb, usable, stego)
    return Stego(stego_rgb, found.decoded, last, _facts(last, room), _DEVICE, told)


def _rest(room: int, places: NDArray[np.int64]) -> NDArray[np.intp]:
    """(n,) ascending: the pixels that the head leaves to the body; a mask of them takes six times as long."""
    free = np.ones(room, dtype=np.bool_)
    free[places] = False
    return np.flatnonzero(free)


def _costs(cover_rgb: U8, usable: NDArray[np.bool_] | None, models: Models) -> NDArray[np.float32]:
    """(n,) float32 > 0: what a step costs at each pixel that carries."""
    levels = luma.luma_milli(cover_rgb).astype(np.float32) / np.float32(luma.MILLI)
    cost = model_cost(levels, models.bundled(_COSTS))
    return cost.reshape(-1) if usable is None else cost[usable]


def _encoded(job: Job, most_bytes: int) -> tuple[Encoded, tuple[str, ...]]:
    """The secret as bytes, as wished for or else the best that fits, and what the user must know of it.

    Raises:
        ImageError: the cover is too small for the secret.
    """
    if most_bytes < 1:
        raise ImageError("the cover is too small to hide anything in", "Take a larger cover.")
    goal = _goal(job.wishes)
    if _is_hopeless(job.secret, most_bytes):
        return _squeezed(job.secret, most_bytes)
    found = choice.encode(job.secret, CodecWishes(goal))
    size = len(found.payload)
    if size <= most_bytes:
        return found, ()
    if isinstance(job.secret, FileSecret):
        raise ImageError(
            f"{job.secret.name} takes {size:,} bytes, and the cover has room for {most_bytes:,}",
            f"Take a cover with {-(-size // most_bytes)} times the pixels, or a smaller file.",
        )
    return _squeezed(job.secret, most_bytes)


def _is_hopeless(secret: Picture | FileSecret, most_bytes: int) -> bool:
    return not isinstance(secret, FileSecret) and secret.shape[0] * secret.shape[1] > _HOPELESS * most_bytes


def _squeezed(secret: Picture | FileSecret, most_bytes: int) -> tuple[Encoded, tuple[str, ...]]:
    """The best quality that fits, as `_encoded`."""
    try:
        fitting = choice.encode(secret, CodecWishes(Budget(most_bytes)))
    except UsageError as error:
        raise ImageError(error.message, error.hint) from error
    return fitting, (f"the secret comes back at {fitting.psnr_db:.1f} dB: the cover has no room for more",)


def _goal(wishes: Wishes) -> Target:
    """The quality that is asked for; UsageError for a preference that there is not."""
    if wishes.target is not None:
        return Target(wishes.target)
    if wishes.favor not in FAVOR:
        raise UsageError(f"cannot favor {wishes.favor!r}", f"Choices: {', '.join(FAVOR)}.")
    return FAVOR[wishes.favor]


def _head(job: Job, found: Encoded) -> Head:
    """The head, but for the marks."""
    is_file = isinstance(job.secret, FileSecret)
    return Head(
        channel=CHANNEL,
        codec=int(found.codec_id),
        keyed=not job.keyring.is_public,
        secret_shape=(0, 0) if isinstance(job.secret, FileSecret) else _sides(job.secret.shape),
        hidden_shape=(0, 0) if is_file else _sides(found.shape),
        is_colour=len(found.shape) == 3,
        content_bytes=found.shape[0] if is_file else 0,
        body_bytes=len(found.payload) + _TAG_BYTES,
        own=bytes(head.OWN_BYTES),
    )


def _sides(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], shape[1]


def _own(marks: Marks) -> bytes:
    """The rates of the layers; the size stands in the head as that of the body."""
    return marks.to_bytes()[-head.OWN_BYTES :]


def _bound(first: Head) -> bytes:
    """What the body's seal covers besides: all of the head that says what the body means."""
    return replace(first, own=bytes(head.OWN_BYTES)).to_bytes()


def _body_cipher(subkeys: Keys) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(subkey(subkeys.header, b"body"))


def _ours(opened: Opened) -> SamplesOpened:
    """NothingFoundError if the stego was opened by another way, or the head says what it cannot hold."""
    if not isinstance(opened, SamplesOpened) or opened.header.body_bytes <= _TAG_BYTES:
        raise NothingFoundError
    return opened


def _opened_body(opened: SamplesOpened) -> bytes:
    """The payload; ChangedError if it is not what was written."""
    rest = _rest(len(opened.pixels), opened.places)
    first = opened.header
    marks = Marks.from_bytes(first.body_bytes.to_bytes(4, "big") + first.own)
    try:
        body = samples.read(np.take(opened.pixels, rest, axis=0), marks, opened.keys)
        return _body_cipher(opened.keys).decrypt(_NONCE, body, _bound(first))
    except (InvalidTag, NothingFoundError):
        raise ChangedError(
            "a secret is hidden here, but the file was changed since, and the secret is lost",
            "Get the file exactly as `stegcli hide` wrote it: this way of hiding bears no change at all.",
        ) from None


def _facts(first: Head, room: int) -> Facts:
    height, width = first.secret_shape
    return Facts(None, max(1, room // max(1, height * width)), ALL_PLANES, first.hidden_shape, None)
