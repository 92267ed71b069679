"""What `--survive` promises, and what services are known to do to pictures: one table for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from stegcli.errors import UsageError
from stegcli.methods.robust.channels import Channel, Jpeg, OtherEncoder, Twice, Webp
from stegcli.methods.robust.names import DEFAULT

__all__ = ["PROFILES", "PROMISES", "Profile", "Promise", "notices_of", "promise_of"]


@dataclass(frozen=True)
class Promise:
    """What a stego must survive.

    Attributes:
        quality: quality whose luma table determines the lattice: well below what is promised, to leave room
            for errors.
        channels: channels that are tried before anything is promised.
        longest_side: longer side in pixels to which the cover is shrunk, so that the service does not do it;
            None for no limit.
    """

    quality: int
    channels: tuple[Channel, ...]
    longest_side: int | None = None


@dataclass(frozen=True)
class Profile:
    """What a service is said to do to pictures. None of this was tested against the service itself.

    Attributes:
        longest_side: longer side in pixels to which it shrinks pictures.
        quality: quality of its JPEG files, as for libjpeg.
        source: where this is stated.
        survives: the promise in `PROMISES` that covers it.
    """

    longest_side: int
    quality: int
    source: str
    survives: str = field(default="")


def _jpeg(quality: int, design: int, *others: Channel) -> Promise:
    """Promise files of a quality, with 4:4:4 and with subsampled chroma, and other channels."""
    return Promise(design, (Jpeg(quality, "4:2:0"), Jpeg(quality, "4:4:4"), *others))


PROMISES: Final[dict[str, Promise]] = {
    "jpeg:85": _jpeg(85, 75, Jpeg(80), OtherEncoder(85), Webp(95)),
    "jpeg:75": _jpeg(75, 60, Jpeg(60), OtherEncoder(75), Webp(90), Twice(Jpeg(75), Jpeg(75))),
    "jpeg:60": _jpeg(60, 45, Jpeg(50), OtherEncoder(65), Webp(85), Twice(Jpeg(60), Jpeg(60))),
    "jpeg:50": _jpeg(50, 35, OtherEncoder(60), Webp(80), Twice(Jpeg(50), Jpeg(50))),
    "webp:90": Promise(60, (Webp(90), Webp(95), Jpeg(75))),
    "webp:80": Promise(35, (Webp(80), Webp(90), Jpeg(50))),
}
"""By name. Each promise includes all higher qualities, which do less harm."""

PROFILES: Final[dict[str, Profile]] = {
    "signal": Profile(
        1600,
        70,
        "Signal-Android, PushMediaConstraints, LEVEL_1: 1600 pixels, quality 70, at most 1 MiB",
        "jpeg:60",
    ),
    "signal-high": Profile(
        4096,
        75,
        "Signal-Android, PushMediaConstraints, LEVEL_3: 4096 pixels, quality 75, at most 3 MiB",
        "jpeg:75",
    ),
    "telegram": Profile(
        1280,
        87,
        "Telegram for Android, AndroidUtilities.getPhotoSize and SendMessagesHelper: 1280 pixels, quality 87",
        "jpeg:85",
    ),
    "x": Profile(4096, 85, "what users measured of pictures that they got back: 4096 pixels, 85", "jpeg:85"),
    "whatsapp": Profile(
        1600, 62, "what users measured of pictures that they got back: 1600 pixels, 50 to 75", "jpeg:60"
    ),
}
"""By name of the service."""


def promise_of(name: str) -> Promise:
    """Return the promise for a name in either table.

    Raises:
        UsageError: no such name exists.
    """
    if name in PROMISES:
        return PROMISES[name]
    if name not in PROFILES:
        raise UsageError(
            f"there is no way to promise that a secret survives {name!r}",
            f"Choices: {', '.join((*PROMISES, *PROFILES))}.",
        )
    profile = PROFILES[name]
    promised = PROMISES[profile.survives]
    own = (Jpeg(profile.quality, "4:2:0"), Jpeg(profile.quality, "4:4:4"), OtherEncoder(profile.quality))
    return Promise(promised.quality, own, profile.longest_side)


def notices_of(name: str | None, is_shrunk: bool) -> tuple[str, ...]:
    """Return notices about a promise, if it is that for a service."""
    profile = PROFILES.get(name or DEFAULT)
    if profile is None:
        return ()
    told = f"{name} is taken to save JPEG {profile.quality}; this was not tested against the service"
    if not is_shrunk:
        return (told,)
    return (f"the cover was shrunk to {profile.longest_side} pixels, so that {name} does not do it", told)
