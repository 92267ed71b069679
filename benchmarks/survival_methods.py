"""Measure which changes in transit every method and baseline survives.

    python benchmarks/survival_methods.py --data-root DATA [--covers 8] [--side 512]
        [--out results/survival-methods.json]

Covers: photographs of a camera set, shrunk; the secret of each is the next one, in gray, at a quarter of the
sides. Every stego is written as a PNG and read again, and what is done to it makes a file that is read again,
but for what changes pixels alone. A picture "came back" if what is revealed lies within 20 dB of what was
hidden: `lsb-332` has nothing that could say whether it is there, and always answers. Where nothing opens, the
receiver's picture counts as flat gray in the mean. avif-lsbm writes as good a file as fits at the stego PSNR
that phase has where sixteen pixels carry one of the secret's.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import survival
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from stegcli.envelope.keys import SALT_BYTES, Keyring
from stegcli.errors import ChangedError, NothingFoundError
from stegcli.lab.provenance import command, commit
from stegcli.lab.quality.baselines import baseline
from stegcli.lab.quality.hiders import Hidden, Hider, ModelHider, random_numbers, seed_bytes
from stegcli.lab.quality.measure import NOTHING_GRAY
from stegcli.methods import table
from stegcli.methods.base import Cover, Job, Wishes
from stegcli.models.loading import Models
from stegcli.pictures import metrics, reading

Rgb = NDArray[np.uint8]

BACK_DB = 20.0
"""Revealed PSNR in dB from which the secret counts as revealed."""
LIKE_PHASE_DB = 63.0
"""Stego PSNR that avif-lsbm aims at: that of phase with sixteen cover pixels per secret pixel."""
TARGET_DB = 33.0


class RobustHider:
    """`hide --survive` with the interface of the lab's hiders.

    Args:
        promise: see `methods.robust.profiles`.
        target_db: PSNR of the revealed picture.
    """

    def __init__(self, promise: str, target_db: float = TARGET_DB) -> None:
        self.name = f"robust, {promise}"
        self.identity = f"robust {promise} at {target_db:g} dB"
        self._wishes = Wishes(target=target_db, survive=promise)
        self._models, self._keyring = Models(device="cpu"), Keyring(None)

    def hide(self, cover_rgb: Rgb, secret_gray: Rgb, seed: str, stego_psnr_db: float | None) -> Hidden:
        """See `ModelHider.hide`."""
        del stego_psnr_db
        method, model = table.chosen("robust", self._models)
        salt = seed_bytes(seed, "salt", SALT_BYTES)
        made = method.hide(
            Job(Cover(cover_rgb), secret_gray, self._models, model, self._keyring, self._wishes, salt)
        )
        return Hidden(made.rgb, partial(self._reveal, secret_gray.shape))

    def _reveal(self, shape: tuple[int, int], stego_rgb: Rgb) -> Rgb | None:
        try:
            method, opened = table.open_stego(stego_rgb, None, self._keyring)
            content = method.reveal(opened, self._models).content
        except (NothingFoundError, ChangedError):
            return None
        return reading.resize(content, shape) if isinstance(content, np.ndarray) else None


def read(file: bytes) -> Rgb:
    """Decode a file as a receiver's program does: (H, W, 3) uint8."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def encoded(attack: survival.Attack) -> Callable[[Rgb], Rgb]:
    """Encode, then decode."""
    return lambda rgb: read(attack(rgb))


def drawn(change: Callable[[Image.Image], Image.Image]) -> Callable[[Rgb], Rgb]:
    """Apply a change that Pillow makes to a picture."""
    return lambda rgb: np.asarray(change(Image.fromarray(rgb)))


def noise(sigma: float) -> Callable[[Rgb], Rgb]:
    """Add normal noise, in grey levels, to every sample; it is the same for all methods."""

    def attack(rgb: Rgb) -> Rgb:
        grain = random_numbers("noise", str(rgb.shape)).normal(0, sigma, rgb.shape)
        return np.clip(np.rint(rgb + grain), 0, 255).astype(np.uint8)

    return attack


def shrunk(factor: float) -> Callable[[Rgb], Rgb]:
    """Resize with Lanczos, and not back."""
    return drawn(
        lambda image: image.resize(
            (round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS
        )
    )


CHANNELS: dict[str, Callable[[Rgb], Rgb]] = {
    "nothing": lambda rgb: rgb,
    **{f"JPEG {q}": encoded(survival.jpeg(q)) for q in (95, 90, 85, 80, 75, 70, 60, 50, 40, 30)},
    **{f"JPEG {q} 4:4:4": encoded(survival.jpeg(q, "4:4:4")) for q in (95, 85, 75, 60, 50)},
    **{f"MozJPEG {q}": encoded(survival.mozjpeg(q)) for q in (85, 75, 60)},
    "OpenCV 75": encoded(survival.opencv(75)),
    "JPEG 75 twice": encoded(survival.then(survival.jpeg(75), survival.jpeg(75))),
    **{f"WebP {q}": encoded(survival.webp(q)) for q in (95, 90, 80)},
    "AVIF 80": encoded(survival.avif(80)),
    "resized to 0.75 and back": encoded(survival.there_and_back(0.75)),
    "resized to 0.5 and back": encoded(survival.there_and_back(0.5)),
    "resized to 0.75": shrunk(0.75),
    "cropped by 3 and 5": lambda rgb: np.ascontiguousarray(rgb[3:, 5:]),
    **{f"noise of {sigma:g} levels": noise(sigma) for sigma in (0.5, 1, 2, 4)},
    "a tenth brighter": drawn(lambda image: ImageEnhance.Brightness(image).enhance(1.1)),
    "a tenth more contrast": drawn(lambda image: ImageEnhance.Contrast(image).enhance(1.1)),
    "blurred by half a pixel": drawn(lambda image: image.filter(ImageFilter.GaussianBlur(0.5))),
}


def hiders() -> list[Hider]:
    """Return all methods and baselines that are compared."""
    return [
        ModelHider("phase-v1", None, "balanced", "cpu"),
        ModelHider("isgan-photos-v2", None, "balanced", "cpu"),
        ModelHider("coded", None, "balanced", "cpu"),
        RobustHider("jpeg:75"),
        RobustHider("jpeg:50"),
        baseline("lsb-332"),
        baseline("avif-lsbm"),
    ]


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--covers", type=int, default=8)
    parser.add_argument("--side", type=int, default=512, help="longer side of the covers")
    parser.add_argument("--out", type=Path, default=Path("results/survival-methods.json"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    made_by, started = commit(), time.process_time()
    pictures = list(survival.pictures_of(options.data_root, options.covers, options.side))
    rows = [row for hider in hiders() for row in measured(hider, pictures)]
    values = {
        "what": "survival of methods",
        "command": command("python", "benchmarks/survival_methods.py"),
        "commit": made_by,
        "covers": len(pictures),
        "side": options.side,
        "back_db": BACK_DB,
        "cpu_seconds": round(time.process_time() - started),
        "rows": rows,
    }
    options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def measured(hider: Hider, pictures: list[tuple[str, Rgb]]) -> list[dict[str, Any]]:
    """Return a row for each channel."""
    found: dict[str, list[float]] = {name: [] for name in CHANNELS}
    stego_db: list[float] = []
    for (name, cover), (_, other) in zip(pictures, [*pictures[1:], pictures[0]], strict=True):
        secret = survival.secret_of(other, cover.shape)
        hidden = hider.hide(cover, secret, name, LIKE_PHASE_DB)
        arrived = read(survival.saved(hidden.stego_rgb, "PNG"))
        stego_db.append(metrics.psnr(cover, arrived))
        for channel, attack in CHANNELS.items():
            rgb = attack(arrived)
            opens = rgb.shape == cover.shape or isinstance(hider, ModelHider | RobustHider)
            found[channel].append(_revealed_db(hidden.reveal(rgb) if opens else None, secret))
    rows = [
        {
            "method": hider.name,
            "channel": channel,
            "stego_psnr_db": float(np.mean(stego_db)),
            "back": sum(value >= BACK_DB for value in values),
            "covers": len(values),
            "revealed_psnr_db": float(np.mean(np.minimum(values, 99.0))),
        }
        for channel, values in found.items()
    ]
    print(hider.name, *(f"{row['channel']}: {row['back']}" for row in rows), sep="; ", flush=True)
    return rows


def _revealed_db(revealed: Rgb | None, secret: Rgb) -> float:
    """PSNR in dB; that of a flat gray picture if nothing opens.

    Baselines know their stego's size, and open no other.
    """
    return metrics.psnr(secret, np.full_like(secret, NOTHING_GRAY) if revealed is None else revealed)


if __name__ == "__main__":
    main()
