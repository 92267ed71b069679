"""The networks of a training run as a row of the tables: also those that stegcli does not hide with.

Rehman et al.'s and Baluja's networks change all three colour planes and carry no header. Whoever measures
them brings them: the lab does not know how they were trained.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stegcli.lab.quality.hiders import Hidden
from stegcli.pictures import reading

__all__ = ["Networks", "RunHider", "is_run"]

Array = NDArray[np.uint8]

_CHECKPOINT = "checkpoint.pt"


class Networks(Protocol):
    """An encoder and a decoder, as a training left them."""

    name: str
    """The run's name and step."""

    def stego(self, cover_rgb: Array, secret_gray: Array) -> Array:
        """(H, W, 3) and (H, W) uint8 -> (H, W, 3) uint8, without a header."""
        ...

    def reveal(self, stego_rgb: Array) -> Array:
        """(H, W, 3) uint8 -> (H, W) uint8."""
        ...


def is_run(name: str) -> bool:
    """Whether this is the folder of a run of `stegcli train`."""
    return (Path(name) / _CHECKPOINT).is_file()


class RunHider:
    """A run's networks, without a header.

    Args:
        folder: of the run.
        networks: what it trained.
    """

    def __init__(self, folder: Path, networks: Networks) -> None:
        self._networks = networks
        self._digest = hashlib.sha256((folder / _CHECKPOINT).read_bytes()).hexdigest()

    @property
    def name(self) -> str:
        """The run's name and step."""
        return self._networks.name

    @property
    def identity(self) -> str:
        """Checksum of the checkpoint."""
        return f"checkpoint {self._digest}"

    def hide(self, cover_rgb: Array, secret_gray: Array, seed: str, stego_psnr_db: float | None) -> Hidden:
        """Hide the secret at the cover's own size, the only one that these networks know."""
        del seed, stego_psnr_db  # nothing is random, nothing can be chosen
        shape = (secret_gray.shape[0], secret_gray.shape[1])
        resized = reading.resize_gray(secret_gray, (cover_rgb.shape[0], cover_rgb.shape[1]))
        return Hidden(
            self._networks.stego(cover_rgb, resized),
            lambda stego_rgb: reading.resize_gray(self._networks.reveal(stego_rgb), shape),
        )
