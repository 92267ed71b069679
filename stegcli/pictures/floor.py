"""The least quality of a revealed picture with which `hide` reports success."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.errors import ModelError
from stegcli.pictures import metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Gray = NDArray[np.uint8]

__all__ = ["ENOUGH_DB", "check_revealed", "least_db"]

ENOUGH_DB: Final = 20.0
"""PSNR at which a photograph is poor but recognisable; every model of the program is ten above."""


def least_db(secret_gray: Gray) -> float:
    """(h, w) uint8 -> PSNR in dB that a revealed picture needs to show anything of the secret.

    A flat picture with the secret's mean gray shows nothing of it, and a picture that is no closer shows no
    more. A flat picture reaches 6 to 20 dB against photographs, drawings and text, which even a much reduced
    secret exceeds. For a secret that is nearly flat itself, the limit is `ENOUGH_DB`.
    """
    flat = np.full_like(secret_gray, round(float(secret_gray.mean())))
    return min(metrics.psnr(secret_gray, flat), ENOUGH_DB)


def check_revealed(secret_gray: Gray, revealed_psnr_db: float, model: str, floor_db: float | None) -> None:
    """Refuse a stego whose receiver would see nothing.

    Args:
        secret_gray: (h, w) uint8.
        revealed_psnr_db: PSNR of the revealed picture against the secret.
        model: id of the model, for the message.
        floor_db: required PSNR; None for `least_db`.

    Raises:
        ModelError: the PSNR is lower.
    """
    least = least_db(secret_gray) if floor_db is None else floor_db
    if revealed_psnr_db < least:
        than = "a flat gray picture has" if floor_db is None and least < ENOUGH_DB else "the least is"
        raise ModelError(
            f"{model} would reveal the secret at {revealed_psnr_db:.1f} dB; {than} {least:.1f}",
            "Choose a trained model, or a cover with more room; --floor DB accepts less.",
        )
