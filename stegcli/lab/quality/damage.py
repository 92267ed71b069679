"""What can still be revealed after a stego was damaged, for models and baselines.

    stego file ─> damage ─> file ─> reveal ─> compared with the secret

If nothing can be revealed, a flat gray picture is scored instead. Simulated stegos (the ideal coder) cannot
be read and are left out; real syndrome coding spreads one wrong bit over many.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stegcli.crew.base import HERE, Crew
from stegcli.errors import UsageError
from stegcli.lab.data.pairs import Pair, PairSource
from stegcli.lab.quality.chains import Chain, rows_of
from stegcli.lab.quality.evaluate import settings_of
from stegcli.lab.quality.hiders import Hider, seed_bytes
from stegcli.lab.quality.journal import Journal
from stegcli.lab.quality.measure import gray_instead, measure
from stegcli.lab.statistics import LOSSLESS_DB, Summary, summarise
from stegcli.pictures import metrics
from stegcli.progress import Progress

__all__ = ["DAMAGES", "Damage", "DamageRow", "assess"]

U8 = NDArray[np.uint8]
Apply = Callable[[U8, float, np.random.Generator], U8]


@dataclass(frozen=True)
class Damage:
    """One way of damaging a file.

    Attributes:
        name: name on the command line.
        axis: what the level means.
        levels: from mild to severe; 0, no damage, is measured once for all.
        apply: (H, W, 3) uint8, level, random numbers -> (H, W, 3) uint8.
    """

    name: str
    axis: str
    levels: tuple[float, ...]
    apply: Apply


@dataclass(frozen=True)
class DamageRow:
    """Result of one hider under one damage at one level.

    Attributes:
        hider: name of the hider.
        damage: name of the damage, "none" for no damage.
        level: level on the damage's axis.
        revealed_psnr_db: over all pairs; flat gray where nothing could be revealed.
        opened: share of the pairs from which something was revealed.
    """

    hider: str
    damage: str
    level: float
    revealed_psnr_db: Summary
    opened: float


def _overwrite(rgb: U8, share: float, rng: np.random.Generator) -> U8:
    """Overwrite random pixels with random colours."""
    hit = rng.random(rgb.shape[:2]) < share
    damaged: U8 = np.where(hit[..., None], rng.integers(256, size=rgb.shape, dtype=np.uint8), rgb)
    return damaged


def _stripes(rgb: U8, share: float, rng: np.random.Generator) -> U8:
    """Paint eight horizontal bands black."""
    del rng
    damaged = rgb.copy()
    height = len(rgb)
    thickness = max(1, round(height * share / 8))
    for band in range(8):
        top = (2 * band + 1) * height // 16
        damaged[top : top + thickness] = 0
    return damaged


def _zero_plane(rgb: U8, channel: float, rng: np.random.Generator) -> U8:
    """Clear the last bit of one channel."""
    del rng
    damaged = rgb.copy()
    damaged[..., int(channel) - 1] &= 254
    return damaged


def _noise(rgb: U8, share: float, rng: np.random.Generator) -> U8:
    """Move that share of the samples by one, up or down."""
    hit = rng.random(rgb.shape) < share
    steps = np.where(rng.random(rgb.shape) < 0.5, -1, 1) * hit
    moved: U8 = np.clip(rgb.astype(np.int16) + steps, 0, 255).astype(np.uint8)
    return moved


def _jpeg(rgb: U8, quality: float, rng: np.random.Generator) -> U8:
    del rng
    return _recoded(rgb, "JPEG", int(quality), subsampling=0)


def _webp(rgb: U8, quality: float, rng: np.random.Generator) -> U8:
    del rng
    return _recoded(rgb, "WEBP", int(quality))


def _recoded(rgb: U8, codec: str, quality: int, subsampling: int | None = None) -> U8:
    file = io.BytesIO()
    options = {} if subsampling is None else {"subsampling": subsampling}
    Image.fromarray(rgb).save(file, codec, quality=quality, **options)
    with Image.open(file) as image:
        decoded: U8 = np.asarray(image.convert("RGB"))
    return decoded


def _resize(rgb: U8, scale: float, rng: np.random.Generator) -> U8:
    """Resize by this factor and back."""
    del rng
    image = Image.fromarray(rgb)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(
        image.resize(size, Image.Resampling.LANCZOS).resize(image.size, Image.Resampling.LANCZOS)
    )


DAMAGES: Final = (
    Damage("overwrite", "share of pixels overwritten", (0.001, 0.01, 0.03, 0.1, 0.2, 0.3), _overwrite),
    Damage("stripes", "share of rows painted black", (0.03, 0.1, 0.2, 0.3), _stripes),
    Damage("lsb", "channel whose last bit is cleared (1 R, 2 G, 3 B)", (1, 2, 3), _zero_plane),
    Damage("noise", "share of samples moved by one", (0.001, 0.01, 0.1, 0.5, 1.0), _noise),
    Damage("jpeg", "JPEG quality, 4:4:4", (100, 95, 85, 75), _jpeg),
    Damage("webp", "WebP quality", (100, 90, 80), _webp),
    Damage("resize", "scale, to it and back", (2.0, 1.25, 0.75, 0.5), _resize),
)
NO_DAMAGE: Final = Damage("none", "", (0.0,), lambda rgb, level, rng: rgb)


def assess(
    hiders: Sequence[Hider],
    source: PairSource,
    *,
    spread: int = 1,
    favor: str = "balanced",
    seed: int = 0,
    journal: Path | None = None,
    crew: Crew = HERE,
    progress: Progress | None = None,
) -> list[DamageRow]:
    """Measure every hider under every damage; arguments as for `quality.evaluate`."""
    settings = settings_of(hiders, source, [spread], favor, seed) | {"what": "damage"}
    book = Journal(journal, settings, names=("stego_psnr_db", "levels"))
    chains = _chains(source, spread, seed)
    rows = rows_of(hiders, chains, _one, count=len(source), book=book, crew=crew, progress=progress)
    found: dict[tuple[str, str, float], list[list[float]]] = {}
    for hider in hiders:
        for row in rows:
            for name, level, psnr, opened in row[hider.name]["levels"]:
                found.setdefault((hider.name, name, level), []).append([psnr, opened])
    if not found:
        raise UsageError(
            "none of these methods can be read after damage", "Name a model or another baseline."
        )
    return [_row(key, np.array(values), seed) for key, values in found.items()]


def _chains(source: PairSource, spread: int, seed: int) -> Iterator[Chain]:
    for number, pair in enumerate(source):
        small = pair.with_secret_side(spread**-0.5)
        yield Chain(small.digest, small, f"{seed}/{number}")


def _one(hider: Hider, pair: Pair, seed: str, target: float | None) -> dict[str, Any]:
    """Return PSNR and whether anything opened, for one stego under all damages; empty if it is simulated."""
    measured = measure(hider, pair, seed, target)
    levels: list[list[Any]] = []
    for damage in () if measured.hidden.simulated else (NO_DAMAGE, *DAMAGES):
        for level in damage.levels:
            rng = np.random.default_rng(list(seed_bytes(seed, f"{damage.name}/{level}")))
            damaged = damage.apply(measured.stego_rgb, level, rng)
            revealed = measured.hidden.reveal(damaged)
            shown = gray_instead(revealed, pair.secret_gray)
            psnr = min(metrics.psnr(pair.secret_gray, shown), LOSSLESS_DB)
            levels.append([damage.name, level, psnr, float(revealed is not None)])
    return {"stego_psnr_db": measured.figures["stego_psnr_db"], "levels": levels}


def _row(key: tuple[str, str, float], values: NDArray[np.float64], seed: int) -> DamageRow:
    return DamageRow(*key, summarise(values[:, 0], seed), float(values[:, 1].mean()))
