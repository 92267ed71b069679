"""How to hide: settings that a dry run and the real run share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stegcli.errors import UsageError
from stegcli.methods.base import Wishes
from stegcli.methods.robust.names import FAMILY
from stegcli.pictures import reading

if TYPE_CHECKING:
    from stegcli.methods.base import Ceiling
    from stegcli.models.store import PathLike

__all__ = ["HideSettings"]


@dataclass(frozen=True)
class HideSettings:
    """How to hide, apart from what, where and under which passphrase. A dry run and the real run share it.

    Attributes:
        model: id or family; None for the default.
        weights: folder of weights, or `hf://owner/repo@revision`; None for the program's own.
        device: "auto", "cpu" or "cuda".
        favor: "cover", "balanced" or "secret".
        target: PSNR in dB that the revealed picture needs; anything beyond that benefits the stego instead.
        scale_cover: shrink the cover first, which removes a JPEG's block grid.
        max_pixels: refuse larger pictures.
        keep_metadata: copy the cover's EXIF data.
        gray: hide a colour secret in gray even if the method would keep its colours.
        as_file: hide the secret's file byte for byte even if it is a picture.
        force_jpeg_cover: hide in the pixels of a decoded JPEG even if the method refuses them.
        survive: what the secret must survive, a name in `methods.robust.profiles`; implies the model robust.
        ceiling: what a stego of coded bits must stay under, see `detection.risk.Bound`.
        floor: PSNR in dB of the revealed picture below which no stego is written; None stands for that of a
            flat gray picture (`floor.least_db`). A dry run refuses nothing, but reports the result.
        sampled: of a secret of `pipeline.SAMPLED_FROM` pixels or more, decode parts only to say how well it
            comes back, if the method reads back all that it wrote.

    Raises:
        UsageError: the target or the floor is not a number of decibels, the limit leaves no pixel, or the
            promise does not exist or is not one that the model can make.
    """

    model: str | None = None
    weights: PathLike | None = None
    device: str = "auto"
    favor: str = "balanced"
    target: float | None = None
    scale_cover: float = 1.0
    max_pixels: int = reading.DEFAULT_MAX_PIXELS
    keep_metadata: bool = False
    floor: float | None = None
    gray: bool = False
    as_file: bool = False
    force_jpeg_cover: bool = False
    ceiling: Ceiling | None = None
    survive: str | None = None
    sampled: bool = False

    @property
    def wishes(self) -> Wishes:
        """The settings in the form that a method takes."""
        return Wishes(self.favor, self.target, self.ceiling, self.survive)

    def __post_init__(self) -> None:
        if self.survive is not None:
            from stegcli.methods.robust.profiles import promise_of

            promise_of(self.survive)
            if self.model not in (None, FAMILY):
                raise UsageError(
                    f"{self.model} cannot hide what survives",
                    f"Take --model {FAMILY}, or leave --survive out.",
                )
            object.__setattr__(self, "model", FAMILY)
        if self.target is not None and not math.isfinite(self.target):
            raise UsageError(f"cannot aim at {self.target} dB", "Give a PSNR in decibels, such as 32.")
        if self.floor is not None and math.isnan(self.floor):
            raise UsageError("a floor of nan dB makes no sense", "Give a PSNR in decibels, such as 20.")
        if self.max_pixels < 1:
            raise UsageError(f"a limit of {self.max_pixels} pixels makes no sense", "Give 1 or more.")
