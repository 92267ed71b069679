"""The parts of coded bits that do not depend on the carrier: payload, seal, head."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from stegcli.carriers.keyed_order import subkey
from stegcli.carriers.syndrome import Marks
from stegcli.codecs import choice
from stegcli.codecs.base import FAVOR, Budget, FileSecret, Target
from stegcli.codecs.base import Wishes as CodecWishes
from stegcli.envelope import head
from stegcli.envelope.head import Head
from stegcli.errors import ChangedError, ImageError, NothingFoundError, UsageError
from stegcli.methods.base import Facts
from stegcli.methods.phase.planes import ALL_PLANES

if TYPE_CHECKING:
    from collections.abc import Callable

    from stegcli.carriers.streams import Keys
    from stegcli.codecs.base import Encoded, Picture
    from stegcli.methods.base import Job, Wishes

__all__ = [
    "TAG_BYTES",
    "encoded",
    "facts_of",
    "opened",
    "sealed",
    "unmarked",
    "with_marks",
]

TAG_BYTES: Final = 16
"""Number of bytes by which a body is longer than its payload."""

_HOPELESS: Final = 512
"""Pixels of a picture per byte of room above which searching for a quality is futile: a 64th of a bit per
pixel."""
_SIZE_BYTES, _DRAW_BYTES, _RATE_BYTES = 4, 1, 2  # of marks, see `syndrome.Marks`
_NONCE: Final = bytes(12)  # a body key seals only one body, since the salt is fresh for every stego


def encoded(job: Job, most_bytes: int) -> tuple[Encoded, tuple[str, ...]]:
    """Encode the secret as requested, or as well as fits; return it with notices for the user.

    Raises:
        ImageError: the cover is too small for the secret.
    """
    if job.wishes.ceiling is not None:
        most_bytes = min(most_bytes, job.wishes.ceiling.most_bytes(job.cover) - TAG_BYTES)
    if most_bytes < 1:
        raise _too_small(job.wishes)
    goal = _goal(job.wishes, most_bytes)
    if _is_hopeless(job.secret, most_bytes):
        return _squeezed(job, most_bytes)
    try:
        found = choice.encode(job.secret, CodecWishes(goal))
    except UsageError as error:
        raise ImageError(error.message, error.hint) from error
    size = len(found.payload)
    if size <= most_bytes:
        return found, _chosen(job, found, most_bytes)
    if isinstance(job.secret, FileSecret):
        raise ImageError(
            f"{job.secret.name} takes {size:,} bytes, but the cover has room for {most_bytes:,}",
            f"Take a cover with {-(-size // most_bytes)} times the pixels, or a smaller file"
            + (", or a lower --risk." if job.wishes.ceiling else "."),
        )
    return _squeezed(job, most_bytes)


def _is_hopeless(secret: Picture | FileSecret, most_bytes: int) -> bool:
    return not isinstance(secret, FileSecret) and secret.shape[0] * secret.shape[1] > _HOPELESS * most_bytes


def _squeezed(job: Job, most_bytes: int) -> tuple[Encoded, tuple[str, ...]]:
    """Encode at the best quality that fits, as `encoded`."""
    try:
        fitting = choice.encode(job.secret, CodecWishes(Budget(most_bytes)))
    except UsageError as error:
        raise ImageError(error.message, error.hint) from error
    if job.wishes.ceiling is not None:
        return fitting, _chosen(job, fitting, most_bytes)
    return fitting, (f"the secret comes back at {fitting.psnr_db:.1f} dB: the cover has no room for more",)


def _chosen(job: Job, found: Encoded, most_bytes: int) -> tuple[str, ...]:
    """Return notices about what a limit on the risk led to."""
    if job.wishes.ceiling is None:
        return ()
    size = "x".join(str(side) for side in reversed(found.shape[:2]))
    quality = "comes back exactly" if math.isinf(found.psnr_db) else f"comes back at {found.psnr_db:.1f} dB"
    what = "" if isinstance(job.secret, FileSecret) else f" of {size}"
    return (
        f"at this risk the cover can carry {most_bytes:,} bytes; the secret{what} takes "
        f"{len(found.payload):,} and {quality}",
    )


def _too_small(wishes: Wishes) -> ImageError:
    if wishes.ceiling is None:
        return ImageError("the cover is too small to hide anything in", "Take a larger cover.")
    return ImageError(
        "the cover is too small to hide anything at this risk", "Take a larger cover, or a lower --risk."
    )


def _goal(wishes: Wishes, most_bytes: int) -> Target | Budget:
    """Return the requested quality; UsageError for a preference that does not exist."""
    if wishes.target is not None:
        return Target(wishes.target)
    if wishes.ceiling is not None:
        return Budget(most_bytes)
    if wishes.favor not in FAVOR:
        raise UsageError(f"cannot favor {wishes.favor!r}", f"Choices: {', '.join(FAVOR)}.")
    return FAVOR[wishes.favor]


def unmarked(job: Job, found: Encoded, channel: int) -> Head:
    """Return the head without its marks, which are known once the body is written."""
    is_file = isinstance(job.secret, FileSecret)
    return Head(
        channel=channel,
        codec=int(found.codec_id),
        keyed=not job.keyring.is_public,
        secret_shape=(0, 0) if isinstance(job.secret, FileSecret) else _sides(job.secret.shape),
        hidden_shape=(0, 0) if is_file else _sides(found.shape),
        is_colour=len(found.shape) == 3,
        content_bytes=found.shape[0] if is_file else 0,
        body_bytes=len(found.payload) + TAG_BYTES,
        own=bytes(head.OWN_BYTES),
    )


def _sides(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], shape[1]


def with_marks(first: Head, marks: Marks) -> Head:
    """Return the head with draw and rates of the layers; their size is stored as that of the body."""
    return replace(first, own=marks.to_bytes()[_SIZE_BYTES:].ljust(head.OWN_BYTES, b"\0"))


def sealed(first: Head, payload: bytes, subkeys: Keys) -> bytes:
    """Return the body. Its seal covers the head except the marks, so everything that gives it meaning."""
    return _cipher(subkeys).encrypt(_NONCE, payload, _bound(first))


def opened(last: Head, layers: int, subkeys: Keys, read: Callable[[Marks], bytes]) -> bytes:
    """Return the payload of the body that `read` finds; ChangedError if it is not what was written."""
    own = last.own[: _DRAW_BYTES + _RATE_BYTES * layers]
    marks = Marks.from_bytes(last.body_bytes.to_bytes(_SIZE_BYTES, "big") + own)
    try:
        return _cipher(subkeys).decrypt(_NONCE, read(marks), _bound(last))
    except (InvalidTag, NothingFoundError):
        raise ChangedError(
            "a secret is hidden here, but the file has since been changed, and the secret is lost",
            "Get the file exactly as `stegcli hide` wrote it: this method survives no change at all.",
        ) from None


def _bound(some: Head) -> bytes:
    return replace(some, own=bytes(head.OWN_BYTES)).to_bytes()


def _cipher(subkeys: Keys) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(subkey(subkeys.header, b"body"))


def facts_of(some: Head, room: int) -> Facts:
    """Return what a head says, with the number of samples per pixel of the secret."""
    height, width = some.secret_shape
    return Facts(None, max(1, room // max(1, height * width)), ALL_PLANES, some.hidden_shape, None)
