"""Hide a secret as compressed bits in single steps of samples (family `coded`): arrays in, arrays out.

secret ──codec──> payload ──ChaCha20-Poly1305──> body ──┐
cover ──what a step costs at each of its samples────────┴─ syndrome coder ──> stego, and its head beside it
stego ──head──> keys, marks ──syndrome──> body ──> payload ──codec──> secret, exactly as it was written

The secret is compressed to as few bits as its quality requires, and syndrome coding writes them where the
cover hides changes best: the least detectable method. Nothing may touch the file: if one sample of the body
changes, the secret is lost. The reader needs no network and no costs.

Samples are pixels (`pixels`) or, if a JPEG file is to stay one, its coefficients (`jpeg`).

Coders and codecs are imported when this method hides or reveals; other methods need none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stegcli.envelope.opening import CoefficientsOpened, SamplesOpened
from stegcli.errors import NothingFoundError, PartsError
from stegcli.methods.base import Secret
from stegcli.methods.coded.names import COEFFICIENTS, DEVICE, FAMILY, PART_PIXELS, PIXELS
from stegcli.progress import tell

if TYPE_CHECKING:
    from collections.abc import Collection

    from stegcli.envelope.opening import Opened
    from stegcli.methods.base import Facts, Job, Stego
    from stegcli.methods.coded.parts import Part
    from stegcli.models.loading import Models
    from stegcli.progress import Progress

__all__ = ["CodedMethod", "part_of"]

_Ours = SamplesOpened | CoefficientsOpened


@dataclass(frozen=True)
class CodedMethod:
    """Hiding as coded bits (the Method protocol)."""

    family: str = FAMILY
    channels: Collection[int] = (PIXELS, COEFFICIENTS, PART_PIXELS)
    has_models: bool = False
    takes: Collection[str] = ("gray", "colour", "file")
    has_key: bool = True
    has_runs: bool = False
    has_jpeg: bool = True
    has_ceiling: bool = True
    refuses_jpeg_pixels: bool = True

    def hide(self, job: Job) -> Stego:
        """See `Method.hide`. A picture has the requested quality, or the best one that fits."""
        if job.cover.jpeg is None:
            from stegcli.methods.coded import pixels

            return pixels.hide(job)
        from stegcli.methods.coded import jpeg

        return jpeg.hide(job, job.cover.jpeg)

    def reveal(
        self, opened: Opened, models: Models, progress: Progress | None = None, *, sampled: bool = False
    ) -> Secret:
        """See `Method.reveal`.

        Raises:
            ChangedError: the head opened, but the body did not.
            SecretError: the body opened, but holds no secret that this program can decode.
        """
        from stegcli.codecs import choice

        del models, sampled  # this method needs no models, and is quick
        found = _ours(opened)
        if found.header.channel == PART_PIXELS:
            part = part_of(found)
            raise PartsError(
                f"this is part {part.index + 1} of {part.count} of a secret spread over several covers",
                "Put all parts into one folder, and reveal the folder.",
            )
        tell(progress, "decode")
        payload = _payload(found)
        return Secret(choice.decode(found.header.codec, payload, found.header.shape), FAMILY, DEVICE)

    def facts(self, opened: Opened) -> Facts:
        """See `Method.facts`."""
        from stegcli.methods.coded.body import facts_of

        found = _ours(opened)
        samples = found.pixels if isinstance(found, SamplesOpened) else found.values
        return facts_of(found.header, len(samples))

    def damage(self, opened: Opened) -> float:
        """See `Method.damage`: what is damaged does not open."""
        del opened
        return 0.0


def part_of(opened: Opened) -> Part:
    """Return the part that an opened stego carries of a secret spread over several covers.

    Raises:
        NothingFoundError: it carries none.
        ChangedError: the head opened, but the body did not.
    """
    from stegcli.methods.coded import pixels
    from stegcli.methods.coded.parts import Part

    found = _ours(opened)
    if found.header.channel != PART_PIXELS or not isinstance(found, SamplesOpened):
        raise NothingFoundError
    try:
        return Part.from_bytes(pixels.payload(found))
    except ValueError:
        raise NothingFoundError from None


def _payload(found: _Ours) -> bytes:
    """Return what the samples of an opened stego carry; ChangedError if it is not what was written."""
    if isinstance(found, SamplesOpened):
        from stegcli.methods.coded import pixels

        return pixels.payload(found)
    from stegcli.methods.coded import jpeg

    return jpeg.payload(found)


def _ours(opened: Opened) -> _Ours:
    """Return the opened stego; NothingFoundError if another way opened it, or its head claims too much."""
    from stegcli.methods.coded.body import TAG_BYTES

    wanted = {SamplesOpened: (PIXELS, PART_PIXELS), CoefficientsOpened: (COEFFICIENTS,)}
    if not isinstance(opened, SamplesOpened | CoefficientsOpened):
        raise NothingFoundError
    if opened.header.channel not in wanted[type(opened)] or opened.header.body_bytes <= TAG_BYTES:
        raise NothingFoundError
    return opened
