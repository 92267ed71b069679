"""The networks of a training run as a row of the tables: also those that stegcli does not hide with.

Rehman et al.'s and Baluja's networks change all three colour planes and carry no header. Needs
`stegcli[train]`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stegcli.lab.extras import load
from stegcli.lab.quality.hiders import Hidden
from stegcli.pictures import reading

__all__ = ["RunHider", "is_run"]

Array = NDArray[np.uint8]

_CHECKPOINT = "checkpoint.pt"
_PURPOSE = "a run's folder among --models"


def is_run(name: str) -> bool:
    """Whether this is the folder of a run of `stegcli train`."""
    return (Path(name) / _CHECKPOINT).is_file()


class RunHider:
    """A run's networks, without a header.

    Args:
        folder: of the run.
        device: as for `stegcli train`.

    Raises:
        MissingExtraError: there is no torch.
        TrainingError: it is no run of these networks; `phase` has to be exported.
        DeviceError: CUDA was asked for and is not there.
    """

    def __init__(self, folder: Path, device: str) -> None:
        systems = load("stegcli.training.paper.systems", _PURPOSE, "train")
        accelerator = load("stegcli.training.run", _PURPOSE, "train").make_accelerator(device)
        self._system = systems.RunSystem(folder, accelerator.device)
        self._digest = hashlib.sha256((folder / _CHECKPOINT).read_bytes()).hexdigest()

    @property
    def name(self) -> str:
        """The run's name and step."""
        return str(self._system.name)

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
            self._system.stego(cover_rgb, resized),
            lambda stego_rgb: reading.resize_gray(self._system.reveal(stego_rgb), shape),
        )
