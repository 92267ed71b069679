"""Pairs of small pictures for batches, and work that fails in its own process."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from stegcli.batch.entries import Entry
from stegcli.batch.work import Finished, Hiding, Task
from stegcli.pipeline import HideSettings, Tools

SIDE = 64


def pairs(folder: Path, count: int) -> list[Entry]:
    """Write covers and secrets, all different, into a folder."""
    entries = []
    for kind in ("covers", "secrets"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        cover, secret = folder / "covers" / f"p{number}.png", folder / "secrets" / f"p{number}.png"
        rows, columns = np.mgrid[:SIDE, :SIDE]
        ramp = (rows * (number + 1) + columns) % 200 + 20
        texture = rng.integers(-9, 10, (SIDE, SIDE, 3))
        Image.fromarray((ramp[..., None] + texture).astype(np.uint8)).save(cover)
        Image.fromarray((rows * 3 + columns).astype(np.uint8)).save(secret)
        entries.append(Entry((cover, secret), f"p{number}.stego.png"))
    return entries


@dataclass(frozen=True)
class Doomed(Hiding):
    """Work whose process is killed, as for lack of memory, when it reaches one of the entries."""

    fatal: str = ""

    def do(self, tools: Tools, task: Task) -> Finished:
        if task.entry.name == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().do(tools, task)


@dataclass(frozen=True)
class Stillborn(Hiding):
    """Work whose processes are killed before they have their networks."""

    def tools(self) -> Tools:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().tools()


def hiding(folder: Path, passphrase: str | None = None) -> Hiding:
    """Hiding with the default settings, into a folder."""
    return Hiding(folder, HideSettings(), passphrase)
