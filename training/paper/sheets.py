"""Figures 4 to 7 as PNG sheets: cover, stego, residual, secret, revealed, residual, one row a pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stegcli.pictures import writing
from stegcli.training.paper.measuring import Exchanged

U8 = NDArray[np.uint8]

GAIN = 10
"""Residuals are shown this many times larger, around gray."""

_GAP, _HEAD = 4, 22
_GRAY = 128


def residual_picture(before: U8, after: U8) -> U8:
    """Difference of two uint8 pictures, GAIN times, around gray; what is larger is cut."""
    shown = _GRAY + GAIN * (after.astype(np.int16) - before)
    return np.clip(shown, 0, 255).astype(np.uint8)


def sheet(rows: Sequence[tuple[str, Exchanged]]) -> U8:
    """(H, W, 3) uint8 of (system's name, pair); the heads name the columns and the gain."""
    heads = ("cover", "stego", f"stego - cover, x{GAIN}", "secret", "revealed", f"revealed - secret, x{GAIN}")
    side = rows[0][1].cover_rgb.shape[0]
    step = side + _GAP
    height, width = _HEAD + len(rows) * (step + _HEAD), len(heads) * step - _GAP
    canvas = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    for column, text in enumerate(heads):
        draw.text((column * step + 4, 3), text, fill="black", font=font)
    for number, (name, pair) in enumerate(rows):
        top = _HEAD + number * (step + _HEAD)
        for column, picture in enumerate(_columns(pair)):
            canvas.paste(Image.fromarray(picture).convert("RGB"), (column * step, top))
        figures = pair.figures()
        told = "   ".join(f"{key} {figures[key]:.4g}" for key in list(figures)[:4])
        draw.text((4, top + side + 2), f"{name}   {told}", fill="black", font=font)
    return np.asarray(canvas)


def save_sheet(path: Path, rows: Sequence[tuple[str, Exchanged]]) -> None:
    """Write a sheet, replacing an older one."""
    writing.save_stego(path, sheet(rows), None, None, None, force=True)


def _columns(pair: Exchanged) -> tuple[U8, ...]:
    return (
        *(pair.cover_rgb, pair.stego_rgb, residual_picture(pair.cover_rgb, pair.stego_rgb)),
        *(pair.secret_gray, pair.revealed_gray, residual_picture(pair.secret_gray, pair.revealed_gray)),
    )
