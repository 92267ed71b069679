"""Measure the codecs: bytes, PSNR and time for photographs, pages and codes of 256x256 at one quality.

    python benchmarks/codecs.py --folder PHOTOS [--pictures 40] [--target 40] [--out build/codecs]

Writes codecs.json and prints its tables. Photographs are the central 256x256 of files drawn with a seed.
Times are CPU seconds of one thread for a whole secret, including search and decoding; "lab" is the AVIF file
that the lab's baselines write: speed 6, default tuning, with its container, found by bisection. "Drafts" says
how a draft differs from the final encode of the same level, as assumed in `stegcli.codecs.search`; "speeds"
what each effort costs and saves.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev

import numpy as np
import segno
from PIL import Image

from stegcli.codecs import choice, files
from stegcli.codecs.base import CodecId, Picture, Target, Wishes
from stegcli.codecs.files import AvifCodec, WebpLosslessCodec
from stegcli.pictures import metrics
from stegcli.training.phase.pages import draw_page  # noqa: TID253 - this needs no torch

SIDE = 256
SEED = 2024
SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
DRAFT_LEVELS = (20, 28, 36, 44, 52)
SPEEDS = (2, 3, 4, 6, 8)
SPEED_PICTURES = 10
QUANTIZERS = 64


@dataclass(frozen=True)
class Row:
    """One secret, encoded one way: bytes, PSNR in dB, encodings, CPU seconds, and whether it is exact."""

    size: int
    psnr_db: float
    encodes: int
    seconds: float
    exact: bool


Way = Callable[[Picture, float], Row]


def main() -> None:
    """Measure, print, and write the results."""
    options = _options()
    secrets = _secrets(options.folder, options.pictures)
    results: dict[str, object] = {"target_db": options.target, "pillow": Image.__version__, "tables": {}}
    for kind, pictures in secrets.items():
        table = {name: _measured(way, pictures, options.target) for name, way in _ways(kind).items()}
        results["tables"][kind] = table  # type: ignore[index]
        _print_table(f"{kind}, {len(pictures)} secrets at {options.target:g} dB", table)
    few = secrets["gray photographs"][:SPEED_PICTURES]
    results["speeds"] = _speeds(few, options.target)
    _print_table(f"speeds, {len(few)} gray photographs, bytes between levels", results["speeds"])
    results["drafts"] = _drafts(few)
    _print_table("drafts", results["drafts"])
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "codecs.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="photographs, at least 256 pixels a side")
    parser.add_argument("--pictures", type=int, default=40, help="number of each kind")
    parser.add_argument("--target", type=float, default=40.0, help="PSNR in dB")
    parser.add_argument("--out", type=Path, default=Path("build/codecs"))
    return parser.parse_args()


# --- secrets -


def _secrets(folder: Path, count: int) -> dict[str, list[Picture]]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    drawn = np.random.default_rng(SEED).permutation(len(paths))[:count]
    photos = [_middle(paths[i]) for i in drawn]
    return {
        "gray photographs": [np.asarray(Image.fromarray(photo).convert("L")) for photo in photos],
        "colour photographs": photos,
        "pages": [draw_page(seed) for seed in range(count)],
        "QR codes": [_code(seed) for seed in range(count)],
    }


def _middle(path: Path) -> Picture:
    with Image.open(path) as image:
        left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
        return np.asarray(image.convert("RGB").crop((left, top, left + SIDE, top + SIDE)))


def _code(seed: int) -> Picture:
    """Draw a QR code of 40 random digits and letters, with modules as large as fit, on white."""
    letters = np.random.default_rng(seed).choice(list("0123456789abcdefghijklmnopqrstuvwxyz"), 40)
    modules = np.array([list(row) for row in segno.make("".join(letters), error="m").matrix], np.uint8)
    scale = SIDE // len(modules)
    margin = SIDE - scale * len(modules)
    code = np.kron(255 * (1 - modules), np.ones((scale, scale), np.uint8))
    return np.pad(code, ((margin // 2, margin - margin // 2),) * 2, constant_values=255)


# --- ways -


def _ways(kind: str) -> dict[str, Way]:
    ways = {"auto": _by(Wishes), "auto, quick": _by(lambda target: Wishes(target, quick=True))}
    if kind == "colour photographs":
        ways["auto, quick, 4:2:0"] = _by(lambda target: Wishes(target, quick=True, chroma="4:2:0"))
    return ways | {"lab": _lab, "lossless WebP": _lossless}


def _by(wishes: Callable[[Target], Wishes]) -> Way:
    def way(secret: Picture, psnr_db: float) -> Row:
        start = time.process_time()
        encoded = choice.encode(secret, wishes(Target(psnr_db)))
        seconds = time.process_time() - start
        exact = encoded.codec_id is CodecId.WEBP_LOSSLESS
        return Row(len(encoded.payload), min(encoded.psnr_db, 99.0), encoded.encodes, seconds, exact)

    return way


def _lossless(secret: Picture, psnr_db: float) -> Row:
    del psnr_db
    start = time.process_time()
    size = len(WebpLosslessCodec().encode(secret))
    return Row(size, 99.0, 0, time.process_time() - start, exact=True)


def _lab(secret: Picture, psnr_db: float) -> Row:
    start, low, high, encodes = time.process_time(), 0, 101, 0
    best = (0, 0.0)
    while low < high:
        middle = (low + high) // 2
        size, reached = _whole_file(secret, middle)
        encodes += 1
        if reached >= psnr_db:
            high, best = middle, (size, reached)
        else:
            low = middle + 1
    return Row(*best, encodes, time.process_time() - start, exact=False)


def _whole_file(secret: Picture, quality: int) -> tuple[int, float]:
    file = io.BytesIO()
    subsampling = "4:0:0" if secret.ndim == 2 else "4:2:0"
    image = Image.fromarray(secret)
    image.save(file, "AVIF", quality=quality, subsampling=subsampling, speed=6, max_threads=1)
    with Image.open(file) as written:
        decoded = np.asarray(written.convert(image.mode))
    return len(file.getvalue()), min(metrics.psnr(secret, decoded), 99.0)


def _measured(way: Way, secrets: Iterable[Picture], psnr_db: float) -> dict[str, float]:
    rows = [way(secret, psnr_db) for secret in secrets]
    reached = [row for row in rows if row.psnr_db >= psnr_db]
    return {
        "reached": len(reached) / len(rows),
        "bytes": fmean(row.size for row in reached) if reached else 0.0,
        "psnr_db": fmean(row.psnr_db for row in reached) if reached else 0.0,
        "exact": fmean(row.exact for row in rows),
        "encodes": fmean(row.encodes for row in rows),
        "seconds": fmean(row.seconds for row in rows),
    }


# --- what the search expects -


def _speeds(secrets: list[Picture], psnr_db: float) -> dict[str, dict[str, float]]:
    """Interpolate the bytes at the target from the two levels around it, for each of libaom's speeds."""
    chosen, table = files._speed, {}
    for speed in SPEEDS:
        files._speed = lambda pixels, *, draft, speed=speed: speed
        found = [_between(secret, psnr_db) for secret in secrets]
        table[f"speed {speed}"] = {
            "bytes": fmean(size for size, _ in found),
            "seconds": fmean(seconds for _, seconds in found),
        }
    files._speed = chosen
    return table


def _between(secret: Picture, psnr_db: float) -> tuple[float, float]:
    """Return interpolated bytes, and the CPU seconds of one encoding."""
    low, high, known = 0, QUANTIZERS - 1, {}
    while high - low > 1:
        middle = (low + high) // 2
        known[middle] = _encoded(secret, middle, draft=False)
        low, high = (low, middle) if known[middle][1] >= psnr_db else (middle, high)
    first, second = (known.get(level) or _encoded(secret, level, draft=False) for level in (low, high))
    share = (psnr_db - first[1]) / (second[1] - first[1])
    return first[0] ** (1 - share) * second[0] ** share, second[2]


def _drafts(secrets: list[Picture]) -> dict[str, dict[str, float]]:
    table = {}
    for level in DRAFT_LEVELS:
        pairs = [[_encoded(secret, level, draft=draft) for draft in (True, False)] for secret in secrets]
        gains = [final[1] - draft[1] for draft, final in pairs]
        table[f"level {level}"] = {
            "final_db_more": fmean(gains),
            "deviation": pstdev(gains),
            "final_log2_bytes_more": fmean(float(np.log2(final[0] / draft[0])) for draft, final in pairs),
            "draft_seconds": fmean(draft[2] for draft, _ in pairs),
            "final_seconds": fmean(final[2] for _, final in pairs),
        }
    return table


def _encoded(secret: Picture, level: int, *, draft: bool) -> tuple[int, float, float]:
    """Return bytes, PSNR and the encoder's CPU seconds."""
    codec, start = AvifCodec(), time.process_time()
    payload = codec.encode(secret, level, draft=draft)
    seconds = time.process_time() - start
    return len(payload), metrics.psnr(secret, codec.decode(payload, secret.shape)), seconds


def _print_table(title: str, table: object) -> None:
    print(f"\n{title}")
    for name, values in table.items():  # type: ignore[attr-defined]
        print(f"  {name:22s}", "  ".join(f"{key} {value:.3f}" for key, value in values.items()), flush=True)


if __name__ == "__main__":
    main()
