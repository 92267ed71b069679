"""Hide a secret so that it survives JPEG and messengers (family `robust`): arrays in, arrays out.

secret ──codec──> payload ──seal──> body ──code──> lattices of blocks ──┐
cover ──texture──> prices ──────────────────────────────────────────────┴─> stego ──channels──> does it open?
whatever became of the stego ──sturdy head──> keys, layout ──soft bits──> body ──> payload ──codec──> secret

All or nothing: after everything that was promised, the secret is intact, and beyond that it is lost. The
price is stealth: a stego of this family differs more from its cover than one of any other.

Coders, codecs and channels are imported when this method hides or reveals; other methods need none of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from os import urandom
from typing import TYPE_CHECKING, Final

from stegcli.envelope.opening import SturdyOpened
from stegcli.errors import ImageError, NothingFoundError
from stegcli.methods.base import Facts, Secret, Stego
from stegcli.methods.phase.planes import ALL_PLANES
from stegcli.methods.robust.names import CHANNEL, DEFAULT, DEVICE, FAMILY
from stegcli.progress import tell

if TYPE_CHECKING:
    from stegcli.envelope.opening import Opened
    from stegcli.methods.base import Job
    from stegcli.methods.robust.covers import Carrier
    from stegcli.models.loading import Models
    from stegcli.progress import Progress

__all__ = ["RobustMethod"]

_LEAST_SIDE: Final = 128


@dataclass(frozen=True)
class RobustMethod:
    """Hiding in lattices that survive quantisation (the Method protocol)."""

    family: str = FAMILY
    channels: Collection[int] = (CHANNEL,)
    has_models: bool = False
    takes: Collection[str] = ("gray", "colour", "file")
    has_key: bool = True
    has_runs: bool = False
    has_jpeg: bool = True
    refuses_jpeg_pixels: bool = False
    has_ceiling: bool = False

    def hide(self, job: Job) -> Stego:
        """See `Method.hide`. Everything that is promised is tried before this returns."""
        from stegcli.envelope import sturdy
        from stegcli.methods.robust import fitting, profiles

        promise = profiles.promise_of(job.wishes.survive or DEFAULT)
        carrier = _carrier(job)
        salt = urandom(sturdy.SHORT_SALT_BYTES) if job.salt is None else job.salt[: sturdy.SHORT_SALT_BYTES]
        tell(job.progress, "encode")
        made = fitting.fitted(job, carrier, promise, salt)
        return Stego(
            made.best.written.rgb if made.best.written.jpeg is None else None,
            made.encoded.decoded,
            made.head,
            _facts_of(
                made.head.secret_shape, made.head.hidden_shape, carrier.rgb.shape[0] * carrier.rgb.shape[1]
            ),
            DEVICE,
            made.notices,
            jpeg=made.best.written.jpeg,
            proofs=made.best.proofs,
        )

    def reveal(
        self, opened: Opened, models: Models, progress: Progress | None = None, *, sampled: bool = False
    ) -> Secret:
        """See `Method.reveal`.

        Raises:
            SecretError: the body opened, but holds no secret that this program can decode.
        """
        from stegcli.codecs import choice

        del models, sampled  # this method needs no models, and is quick
        found = _ours(opened)
        tell(progress, "decode")
        return Secret(choice.decode(found.header.codec, found.payload, found.header.shape), FAMILY, DEVICE)

    def facts(self, opened: Opened) -> Facts:
        """See `Method.facts`."""
        found = _ours(opened)
        pixels = 64 * found.sturdy.rows * found.sturdy.columns
        return _facts_of(found.header.secret_shape, found.header.hidden_shape, pixels)

    def damage(self, opened: Opened) -> float:
        """See `Method.damage`: what can still be read is undamaged."""
        del opened
        return 0.0


def _carrier(job: Job) -> Carrier:
    from stegcli.envelope import sturdy
    from stegcli.methods.robust.covers import JpegCarrier, PixelsCarrier

    height, width = job.cover.rgb.shape[:2]
    if min(height, width) < _LEAST_SIDE:
        raise ImageError(
            f"the cover is {width}x{height}, but --survive needs at least {_LEAST_SIDE}x{_LEAST_SIDE}",
            "Take a larger cover.",
        )
    if max(height, width) > 8 * sturdy.MAX_BLOCKS:
        raise ImageError(
            f"the cover is {width}x{height}; a side may have at most {8 * sturdy.MAX_BLOCKS} pixels",
            "Shrink it: --scale-cover 0.5.",
        )
    if job.cover.jpeg is not None:
        return JpegCarrier(job.cover.jpeg, job.cover.rgb)
    return PixelsCarrier(job.cover.rgb, job.cover.alpha)


def _facts_of(secret_shape: tuple[int, int], hidden_shape: tuple[int, int], pixels: int) -> Facts:
    spread = max(1, pixels // max(1, secret_shape[0] * secret_shape[1]))
    return Facts(None, spread, ALL_PLANES, hidden_shape, None)


def _ours(opened: Opened) -> SturdyOpened:
    """Return the opened stego; NothingFoundError if another method's way opened it."""
    if not isinstance(opened, SturdyOpened) or opened.header.channel != CHANNEL:
        raise NothingFoundError
    return opened
