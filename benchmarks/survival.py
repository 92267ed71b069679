"""What survives of a secret: stegos of `--survive`, recompressed by several encoders, and revealed.

    pip install opencv-python-headless 'pyvips[binary]'
    python benchmarks/survival.py --data-root DIR [--promises jpeg:75 jpeg:50 whatsapp] [--covers 40]
        [--size 1280] [--secret-side 4] [--target 33] [--out results/survival.json]
    python benchmarks/survival.py --data-root DIR --promises jpeg:85 --secret-side 2 --target 0 --covers 20
        --out results/survival-quarter.json

Covers: the photographs of camera.tar under --data-root, their longer side shrunk to --size, then pictures of
the imagenet and voc2012 sets as they are; the secret of each is another of them, in gray, its sides so many
times shorter. With --target 0 it is hidden as well as it can be while the stego keeps 40 dB. Every stego is a
PNG that `hide` wrote; everything that is done to it makes a file, and `reveal`'s own way opens that. Opened
means that the secret is bit by bit the one that was hidden. MozJPEG is that of libvips, with its trellis and
its own table, an encoder that `hide` does not have.

A journal beside --out records what was measured, so that a run can continue where another ended.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageOps

import stegcli
from stegcli.carriers.blocks import Blocks, activity
from stegcli.codecs import choice
from stegcli.envelope.keys import Keyring
from stegcli.envelope.sturdy_opening import luma_of, open_sturdy, open_sturdy_shifted
from stegcli.errors import StegError
from stegcli.lab.data import photos
from stegcli.lab.provenance import command, commit
from stegcli.pictures import luma
from stegcli.pictures.sources import load_stego

Rgb = NDArray[np.uint8]
Attack = Callable[[Rgb], bytes]

PROMISES = ("jpeg:75", "jpeg:50", "whatsapp")
TARGET_DB = 33.0
FLATTEST = 0.4
"""Share of the blocks, those of least energy, whose PSNR is reported separately."""
SECRET_SIDE = 4
"""Default ratio of the cover's sides to the secret's."""


def jpeg(quality: int, chroma: str = "4:2:0") -> Attack:
    """Save with Pillow's libjpeg-turbo."""
    return lambda rgb: saved(rgb, "JPEG", quality=quality, subsampling=chroma)


def webp(quality: int) -> Attack:
    """Save with Pillow's libwebp."""
    return lambda rgb: saved(rgb, "WEBP", quality=quality)


def avif(quality: int) -> Attack:
    """Save with Pillow's libavif, that is libaom."""
    return lambda rgb: saved(rgb, "AVIF", quality=quality)


def opencv(quality: int) -> Attack:
    """Save with OpenCV's own build of libjpeg-turbo."""
    return lambda rgb: cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def mozjpeg(quality: int) -> Attack:
    """Save with MozJPEG, with the settings of cjpeg and sharp."""

    def attack(rgb: Rgb) -> bytes:
        image = pyvips.Image.new_from_memory(
            np.ascontiguousarray(rgb).tobytes(), rgb.shape[1], rgb.shape[0], 3, "uchar"
        )
        return image.copy(interpretation="srgb").jpegsave_buffer(
            Q=quality,
            trellis_quant=True,
            overshoot_deringing=True,
            optimize_scans=True,
            interlace=True,
            quant_table=3,
            optimize_coding=True,
        )

    return attack


def then(first: Attack, second: Attack) -> Attack:
    """Apply one after the other, with decoding in between."""
    return lambda rgb: second(np.asarray(Image.open(io.BytesIO(first(rgb))).convert("RGB")))


def cropped(top: int, left: int, after: Attack) -> Attack:
    """Save, decode, cut off rows and columns at the top left, and keep the rest without further loss."""
    return lambda rgb: saved(
        np.asarray(Image.open(io.BytesIO(after(rgb))).convert("RGB"))[top:, left:], "PNG"
    )


def there_and_back(factor: float) -> Attack:
    """Shrink with Lanczos, and enlarge again."""

    def attack(rgb: Rgb) -> bytes:
        size = rgb.shape[1], rgb.shape[0]
        small = Image.fromarray(rgb).resize(
            (round(size[0] * factor), round(size[1] * factor)), Image.Resampling.LANCZOS
        )
        return saved(np.asarray(small.resize(size, Image.Resampling.LANCZOS)), "PNG")

    return attack


ATTACKS: dict[str, Attack] = {
    **{f"JPEG {quality}": jpeg(quality) for quality in (95, 90, 87, 85, 80, 75, 70, 62, 60, 50, 40)},
    **{f"JPEG {quality} 4:4:4": jpeg(quality, "4:4:4") for quality in (85, 75, 60, 50)},
    "OpenCV 75": opencv(75),
    **{f"MozJPEG {quality}": mozjpeg(quality) for quality in (85, 75, 70, 62, 60)},
    **{f"WebP {quality}": webp(quality) for quality in (95, 90, 80)},
    **{f"AVIF {quality}": avif(quality) for quality in (80, 70)},
    "JPEG 75 twice": then(jpeg(75), jpeg(75)),
    "JPEG 62, then 70": then(jpeg(62), jpeg(70)),
    "WebP 90, then JPEG 75": then(webp(90), jpeg(75)),
    "JPEG 75, cropped by 3 and 5": cropped(3, 5, jpeg(75)),
    "shrunk to 0.75 and back": there_and_back(0.75),
}


def main() -> None:
    """Measure, print, and write the results."""
    options = _options()
    journal = options.out.with_suffix(".jsonl")
    journal.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    known = {(row["promise"], row["cover"]) for row in done}
    pictures = list(pictures_of(options.data_root, options.covers, options.size))
    with journal.open("a") as log, tempfile.TemporaryDirectory() as folder:
        for number, (name, cover) in enumerate(pictures):
            secret = secret_of(pictures[(number + 1) % len(pictures)][1], cover.shape, options.secret_side)
            for promise in options.promises:
                if (promise, name) in known:
                    continue
                found = _measured(cover, secret, promise, options.target or None, Path(folder))
                row = {"promise": promise, "cover": name, "commit": commit(), **found}
                done.append(row)
                print(json.dumps({key: row[key] for key in row if key != "opened"}), flush=True)
                log.write(json.dumps(row) + "\n")
                log.flush()
    values = {
        "what": "survival",
        "command": command("python", "benchmarks/survival.py"),
        "commit": ", ".join(sorted({row["commit"] for row in done})),
        "target_db": options.target or None,
        "secret_side": options.secret_side,
        "summary": [_summary(promise, done) for promise in options.promises],
        "rows": [row for row in done if row["promise"] in options.promises],
    }
    options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(values["summary"], indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--promises", nargs="*", default=PROMISES)
    parser.add_argument("--covers", type=int, default=40)
    parser.add_argument("--size", type=int, default=1280, help="longer side of the camera's photographs")
    parser.add_argument("--secret-side", type=int, default=SECRET_SIDE)
    parser.add_argument("--target", type=float, default=TARGET_DB, help="dB of the revealed secret, or 0")
    parser.add_argument("--out", type=Path, default=Path("results/survival.json"))
    return parser.parse_args()


def pictures_of(root: Path, count: int, size: int) -> Iterator[tuple[str, Rgb]]:
    """Yield names and (H, W, 3) uint8."""
    with tarfile.open(root / "camera.tar") as archive:
        names = sorted(name for name in archive.getnames() if name.endswith(".jpg"))[:count]
        for name in names:
            file = archive.extractfile(name)
            if file is not None:
                image = ImageOps.exif_transpose(Image.open(file)).convert("RGB")
                image.thumbnail((size, size), Image.Resampling.LANCZOS)
                yield name, np.asarray(image)
    sets = [photos.find(name, root) for name in ("imagenet", "voc2012")]
    missing = max(0, count - len(names))
    for refs, share in zip(sets, (missing - missing // 2, missing // 2), strict=True):
        for ref in sorted(refs, key=lambda ref: ref.key)[:share]:
            yield ref.key, np.asarray(Image.open(io.BytesIO(ref.read())).convert("RGB"))


def secret_of(picture: Rgb, shape: tuple[int, ...], side: int = SECRET_SIDE) -> Rgb:
    """Return (h, w) uint8: the picture in gray, with the cover's sides divided by `side`."""
    size = shape[1] // side, shape[0] // side
    return np.asarray(Image.fromarray(picture).convert("L").resize(size, Image.Resampling.LANCZOS))


def _measured(cover: Rgb, secret: Rgb, promise: str, target: float | None, folder: Path) -> dict[str, Any]:
    """Hide; return the figures that `hide` reports, and what opens after which attack."""
    stego, started = folder / "stego.png", time.process_time()
    try:
        report = stegcli.hide(cover, secret, stego, survive=promise, target=target, force=True, device="cpu")
    except StegError as error:
        return {"size": [cover.shape[1], cover.shape[0]], "refused": error.message, "opened": {}}
    seconds = time.process_time() - started
    arrived = load_stego(stego, cover.size).rgb
    return {
        "size": [cover.shape[1], cover.shape[0]],
        "stego_psnr_db": report.stego_psnr_db,
        "stego_ssim": report.stego_ssim,
        "flat_psnr_db": _flat_psnr(cover, arrived),
        "revealed_psnr_db": report.revealed_psnr_db,
        "bpp": report.bpp,
        "cpu_seconds": seconds,
        "opened": {
            name: _opens(attack(arrived), report.revealed_secret, folder, is_cropped="cropped" in name)
            for name, attack in ATTACKS.items()
        },
    }


_KEYRING = Keyring(None)


def _opens(file: bytes, secret: Rgb, folder: Path, *, is_cropped: bool) -> bool:
    """Whether it opens as with `reveal`; the search for crops is left out if it was not cropped."""
    way = open_sturdy_shifted if is_cropped else open_sturdy
    path = folder / "arrived"
    path.write_bytes(file)
    picture = load_stego(path, 1 << 30)
    try:
        opened = way(luma_of(picture.rgb, picture.jpeg), _KEYRING)
        found = choice.decode(opened.header.codec, opened.payload, opened.header.shape)
        return bool(np.array_equal(found, secret))
    except StegError:
        return False


def _flat_psnr(cover: Rgb, stego: Rgb) -> float:
    """Return the PSNR of the flattest blocks in dB."""
    blocks = Blocks.of(luma.luma_levels(cover))
    busy = activity(blocks).ravel()
    errors = np.square(cover.astype(np.float32) - stego).mean(axis=2)
    whole = errors[: 8 * blocks.rows, : 8 * blocks.columns]
    of_block = whole.reshape(blocks.rows, 8, blocks.columns, 8).mean(axis=(1, 3)).ravel()
    flat = of_block[busy <= np.quantile(busy, FLATTEST)].mean()
    return float(10 * np.log10(255**2 / max(flat, 1e-9)))


def _summary(promise: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    own = [row for row in rows if row["promise"] == promise]
    hidden = [row for row in own if "refused" not in row]
    keys = ("stego_psnr_db", "stego_ssim", "flat_psnr_db", "revealed_psnr_db", "bpp", "cpu_seconds")
    values = {key: np.array([row[key] for row in hidden]) for key in keys}
    return {
        "promise": promise,
        "covers": len(own),
        "refused": len(own) - len(hidden),
        **{
            key: {"mean": float(found.mean()), "least": float(found.min()), "most": float(found.max())}
            for key, found in values.items()
        },
        "opened": {name: sum(row["opened"][name] for row in hidden) for name in ATTACKS},
    }


def saved(rgb: Rgb, format_name: str, **options: object) -> bytes:
    """Return the file that Pillow writes."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, format_name, **options)
    return file.getvalue()


if __name__ == "__main__":
    main()
