"""How to hide, as callers say it once for a dry run and the real one."""

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
    """How to hide, but for what, where and under which passphrase. Shared by a dry run and the real one.

    Attributes:
        model: id or family; None for the default.
        weights: folder of weights, or `hf://owner/repo@revision`; None for the program's own.
        device: "auto", "cpu" or "cuda".
        favor: "cover", "balanced" or "secret".
        target: PSNR in dB that the revealed picture needs; what is more than that goes into the stego.
        scale_cover: shrink the cover first, which removes a JPEG's block grid.
        max_pixels: refuse larger pictures.
        keep_metadata: carry the cover's EXIF over.
        gray: hide a colour secret in gray, also where the method would keep its colours.
        as_file: hide the secret's file byte for byte, also where it is a picture.
        force_jpeg_cover: hide in pixels of a decoded JPEG also by a method that refuses them.
        survive: what the secret shall survive: a name of `methods.robust.profiles`; takes the model robust.
        ceiling: what a stego of coded bits must stay under, see `detection.risk.Bound`.
        floor: PSNR in dB of the revealed picture below which no stego is written; None for what a flat gray
            picture has (`floor.least_db`). A dry run refuses nothing: the report says how it went.
        sampled: of a secret of `pipeline.SAMPLED_FROM` pixels or more, decode parts only to say how well it
            comes back, if the method reads back all that it wrote.

    Raises:
        UsageError: a target that is no number of decibels, a limit that leaves no pixel, or a promise that
            there is not, or that the model does not make.
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
        """As a method takes them."""
        return Wishes(self.favor, self.target, self.ceiling, self.survive)

    def __post_init__(self) -> None:
        if self.survive is not None:
            from stegcli.methods.robust.profiles import promise_of

            promise_of(self.survive)
            if self.model not in (None, FAMILY):
                raise UsageError(
                    f"{self.model} makes nothing that survives", f"Take --model {FAMILY}, or no --survive."
                )
            object.__setattr__(self, "model", FAMILY)
        if self.target is not None and not math.isfinite(self.target):
            raise UsageError(f"cannot aim at {self.target} dB", "Give a PSNR in decibels, such as 32.")
        if self.max_pixels < 1:
            raise UsageError(f"a limit of {self.max_pixels} pixels", "Give 1 or more.")
