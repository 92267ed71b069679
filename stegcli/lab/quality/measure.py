"""Measure one hider on one pair, with files that are written and read again."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stegcli.lab.data.pairs import Pair
from stegcli.lab.quality.hiders import Hidden, Hider
from stegcli.lab.quality.similarity import clipped_share, ms_ssim
from stegcli.pictures import luma, metrics, reading, writing

__all__ = ["FIGURES", "NOTHING_GRAY", "Measured", "gray_instead", "measure"]

Array = NDArray[np.uint8]

NOTHING_GRAY = 128
"""Grey level of the flat picture that is scored if nothing can be revealed."""

FIGURES = {
    "stego_psnr_db": "stego PSNR, RGB (dB)",
    "stego_ssim": "stego SSIM, RGB",
    "stego_luma_psnr_db": "stego PSNR, luma (dB)",
    "stego_luma_ssim": "stego SSIM, luma",
    "stego_ms_ssim": "stego MS-SSIM, luma",
    "revealed_psnr_db": "revealed PSNR (dB)",
    "revealed_ssim": "revealed SSIM",
    "revealed_ms_ssim": "revealed MS-SSIM",
    "clipped_share": "samples at 0 or 255",
    "bpp": "secret bits per cover pixel",
    "written_bpp": "file bits per cover pixel",
    "hide_seconds": "seconds to hide",
    "reveal_seconds": "seconds to reveal",
}
"""Names of a row's figures, and their meaning. Luma is rounded to 8 bits."""


@dataclass(frozen=True)
class Measured:
    """One row, and the pictures behind it.

    Attributes:
        figures: values by the names of `FIGURES`; None where one has no meaning.
        stego_rgb: (H, W, 3) uint8, as read from the file.
        revealed_gray: (h, w) uint8, as read from the file.
        hidden: what the hider returned.
    """

    figures: dict[str, float | None]
    stego_rgb: Array
    revealed_gray: Array
    hidden: Hidden

    def row(self) -> dict[str, Any]:
        """Return figures and facts as JSON values; an infinite PSNR is the text "inf"."""
        plain = {k: "inf" if v is not None and math.isinf(v) else v for k, v in self.figures.items()}
        return {**plain, "spread": self.hidden.spread, "simulated": self.hidden.simulated}


def measure(hider: Hider, pair: Pair, seed: str, stego_psnr_db: float | None) -> Measured:
    """Hide, write, read, reveal, write, read and compare. Arguments as for `Hider.hide`."""
    start = time.perf_counter()
    hidden = hider.hide(pair.cover_rgb, pair.secret_gray, seed, stego_psnr_db)
    with TemporaryDirectory() as folder:
        stego_file, revealed_file = Path(folder, "stego.png"), Path(folder, "revealed.png")
        writing.save_stego(stego_file, hidden.stego_rgb, None, None, None, force=False)
        hide_seconds = time.perf_counter() - start
        stego_rgb = reading.load_stego(stego_file).rgb
        start = time.perf_counter()
        revealed = gray_instead(hidden.reveal(stego_rgb), pair.secret_gray)
        writing.save_gray(revealed_file, revealed, force=False)
        reveal_seconds = time.perf_counter() - start
        revealed = reading.load_secret(revealed_file)[0]
    figures = _compare(pair, stego_rgb, revealed) | {
        "written_bpp": hidden.written_bits / _pixels(stego_rgb) if hidden.written_bits else None,
        "hide_seconds": hide_seconds,
        "reveal_seconds": reveal_seconds,
    }
    return Measured(figures, stego_rgb, revealed, hidden)


def gray_instead(revealed: Array | None, secret_gray: Array) -> Array:
    """Return what the receiver sees, (h, w) uint8; flat gray if nothing opened."""
    return np.full_like(secret_gray, NOTHING_GRAY) if revealed is None else revealed


def _compare(pair: Pair, stego_rgb: Array, revealed: Array) -> dict[str, float | None]:
    cover_luma, stego_luma = luma.gray(pair.cover_rgb), luma.gray(stego_rgb)
    return {
        "stego_psnr_db": metrics.psnr(pair.cover_rgb, stego_rgb),
        "stego_ssim": metrics.ssim(pair.cover_rgb, stego_rgb),
        "stego_luma_psnr_db": metrics.psnr(cover_luma, stego_luma),
        "stego_luma_ssim": metrics.ssim(cover_luma, stego_luma),
        "stego_ms_ssim": ms_ssim(cover_luma, stego_luma),
        "revealed_psnr_db": metrics.psnr(pair.secret_gray, revealed),
        "revealed_ssim": _ssim(pair.secret_gray, revealed),
        "revealed_ms_ssim": ms_ssim(pair.secret_gray, revealed),
        "clipped_share": clipped_share(stego_rgb),
        "bpp": metrics.bpp(pair.secret_gray.size, _pixels(stego_rgb)),
    }


def _ssim(first: Array, second: Array) -> float | None:
    return metrics.ssim(first, second) if min(first.shape) >= metrics.SSIM_WINDOW else None


def _pixels(rgb: Array) -> int:
    return rgb[..., 0].size
