"""Measure the figures on a model's card, with files that are written and read again.

    python benchmarks/quality.py --data-root DATA [--pairs 100] [--fonts DIR] [--out build/bench]

Rows: LFW, ImageNet and VOC 2012 pictures that no training step saw; pages and QR codes in fonts and with
contents that no training step saw; covers of four and sixteen times the secret's pixels; and what a reader
with the right header but a wrong key would see. Without --data-root the photographic rows are left out, and
scikit-image's photographs are the covers. Writes quality-MODEL.json and .md.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import segno
import zxingcpp
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage import data

import stegcli
from stegcli.envelope import keys
from stegcli.lab.data import photos
from stegcli.lab.data.pairs import rgb_square
from stegcli.methods import table
from stegcli.models import store
from stegcli.models.loading import Models
from stegcli.pictures import luma, metrics, reading

sys.path.append(str(Path(__file__).parent.parent / "scripts"))
import ledger_views

SIDE = photos.SIDE
SEED = 7
FONTS = Path("/usr/share/fonts/truetype/dejavu")
"""No training used DejaVu; Debian's package is fonts-dejavu."""
DOCUMENTS = 50
PASSPHRASE = "a passphrase for measuring"  # noqa: S105 - for pictures that are not kept

Picture = NDArray[np.uint8]
Pair = tuple[Picture, Picture]


@dataclass(frozen=True)
class Row:
    """One hidden pair, measured on its files."""

    stego_psnr_db: float
    stego_ssim: float
    stego_luma_ssim: float
    revealed_psnr_db: float
    revealed_ssim: float


def main() -> None:
    """Measure, print, and write the results."""
    options = _options()
    results: dict[str, object] = {
        "version": stegcli.__version__,
        "model": store.find(options.model, None).entry.id,
        "sha256": _checksums(options.model),
        "favor": options.favor,
        "command": "python benchmarks/quality.py " + " ".join(_arguments(options)),
    }
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.model, options.favor)
        results["rows"] = {
            name: {"pairs": len(pairs), **bench.mean(pairs)} for name, pairs in _photographs(options)
        }
        covers = _covers(options)
        results["rows"] |= {  # type: ignore[operator]
            "text pages": {"pairs": DOCUMENTS, **bench.mean(_zip(covers, _pages(options.fonts)))},
            "QR codes": {"pairs": DOCUMENTS, **bench.codes(covers)},
        }
        if options.model == "phase":
            results["spread"] = {
                str((SIDE // side) ** 2): bench.spread(_some(options)[:DOCUMENTS], side) for side in (128, 64)
            }
            results["wrong_key"] = bench.wrong_key(_some(options)[:DOCUMENTS])
    options.out.mkdir(parents=True, exist_ok=True)
    name = f"quality-{results['model']}"
    (options.out / f"{name}.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (options.out / f"{name}.md").write_text(_markdown(results), encoding="utf-8")
    print(_markdown(results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, default=None, help="folder with the data sets' archives")
    parser.add_argument("--pairs", type=int, default=100, help="largest number of pairs per data set")
    parser.add_argument("--fonts", type=Path, default=FONTS, help="fonts for the pages, unseen in training")
    parser.add_argument("--model", default="phase", help="family or id of the model")
    parser.add_argument("--favor", default="balanced", choices=("cover", "balanced", "secret"))
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="where to write")
    return parser.parse_args()


def _arguments(options: argparse.Namespace) -> list[str]:
    root = [] if options.data_root is None else ["--data-root", "DATA"]
    return [*root, "--pairs", str(options.pairs), "--model", options.model, "--favor", options.favor]


def _checksums(model: str) -> dict[str, str]:
    files = store.find(model, None)
    return {role: hashlib.sha256(files.read(role)).hexdigest() for role in files.entry.files}


class Bench:
    """Hides and reveals through files in a folder, and reads those files itself."""

    def __init__(self, folder: Path, model: str, favor: str) -> None:
        self.folder, self.model, self.favor = folder, model, favor

    def mean(self, pairs: list[Pair]) -> dict[str, float]:
        """Return means, and the 5th percentile of the revealed PSNR, over pairs of cover and secret."""
        return _means([self.row(cover, secret)[0] for cover, secret in pairs])

    def row(self, cover_rgb: Picture, secret_gray: Picture) -> tuple[Row, Picture]:
        """Hide and reveal; measure what was read from files. Return the row and the revealed picture."""
        stego_rgb, revealed_gray = self.through_files(cover_rgb, secret_gray)
        cover_luma, stego_luma = (luma.gray(rgb) for rgb in (cover_rgb, stego_rgb))
        row = Row(
            metrics.psnr(cover_rgb, stego_rgb),
            metrics.ssim(cover_rgb, stego_rgb),
            metrics.ssim(cover_luma, stego_luma),
            metrics.psnr(secret_gray, revealed_gray),
            metrics.ssim(secret_gray, revealed_gray),
        )
        return row, revealed_gray

    def through_files(self, cover_rgb: Picture, secret_gray: Picture) -> Pair:
        """Hide and reveal; return (stego, revealed) as read from their files."""
        cover, secret, stego, revealed = (self.folder / f"{n}.png" for n in ("c", "s", "stego", "revealed"))
        Image.fromarray(cover_rgb).save(cover)
        Image.fromarray(secret_gray).save(secret)
        stegcli.hide(cover, secret, stego, model=self.model, favor=self.favor, force=True)
        stegcli.reveal(stego, revealed, force=True)
        return np.asarray(Image.open(stego)), np.asarray(Image.open(revealed))

    def codes(self, covers: list[Picture]) -> dict[str, float]:
        """Return the result of `mean`, and the number of revealed QR codes that a reader still decodes."""
        rng = random.Random(SEED)  # noqa: S311 - repeatable on purpose
        texts = [f"https://example.org/{rng.getrandbits(160):x}" for _ in range(DOCUMENTS)]
        pairs = _zip(covers, [_qr_code(text, rng) for text in texts])
        rows, read = [], 0
        for (cover, secret), text in zip(pairs, texts, strict=True):
            row, revealed = self.row(cover, secret)
            found = zxingcpp.read_barcodes(revealed)
            read += bool(found) and found[0].text == text
            rows.append(row)
        return {**_means(rows), "decoded": read}

    def wrong_key(self, pairs: list[Pair]) -> dict[str, float]:
        """Read each stego with its own header but with the keys of another passphrase, as no program would.

        Correlations with the secret are those over all pairs at once and the largest of one pair; beside that
        stands the largest with a secret unrelated to the stego, which shows what chance gives.
        """
        noises = [self.under_wrong_key(cover, secret) for cover, secret in pairs]
        secrets = [secret for _, secret in pairs]
        others = secrets[1:] + secrets[:1]
        return {
            "pairs": len(pairs),
            "psnr_db": round(fmean(map(metrics.psnr, secrets, noises)), 3),
            "correlation": round(_correlation(np.stack(noises), np.stack(secrets)), 5),
            "worst_correlation": round(max(map(abs, map(_correlation, noises, secrets))), 5),
            "worst_by_chance": round(max(map(abs, map(_correlation, noises, others))), 5),
        }

    def under_wrong_key(self, cover: Picture, secret: Picture) -> Picture:
        """Decode a stego's symbols under another passphrase's keys."""
        report = stegcli.hide(cover, secret, passphrase=PASSPHRASE, favor=self.favor)
        method, opened = table.open_stego(report.stego_rgb, None, keys.Keyring(PASSPHRASE))
        other = keys.derive(PASSPHRASE + "!", bytes(keys.SALT_BYTES))
        return method.reveal(dataclasses.replace(opened, keys=other), Models(device="cpu")).gray

    def spread(self, pairs: list[Pair], side: int) -> dict[str, float]:
        """Hide secrets shrunk to `side` in the whole covers and, to compare, in squares of their own size."""
        small = [(cover, reading.resize_gray(secret, (side, side))) for cover, secret in pairs]
        corner = (SIDE - side) // 2
        cut = slice(corner, corner + side)
        equal = self.mean([(np.ascontiguousarray(cover[cut, cut]), secret) for cover, secret in small])
        return {
            "pairs": len(pairs),
            **self.mean(small),
            "equal_size_revealed_psnr_db": equal["revealed_psnr_db"],
        }


def _correlation(a: Picture, b: Picture) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def _means(rows: list[Row]) -> dict[str, float]:
    names = [field.name for field in dataclasses.fields(Row)]
    means = {name: round(fmean(getattr(row, name) for row in rows), 5) for name in names}
    low = float(np.percentile([row.revealed_psnr_db for row in rows], 5))
    return {**means, "revealed_psnr_db_p5": round(low, 3)}


# --- pictures ---


def _photographs(options: argparse.Namespace) -> Iterator[tuple[str, list[Pair]]]:
    if options.data_root is not None:
        for dataset in photos.KNOWN:
            yield dataset, _held_out(dataset, options)


def _held_out(dataset: str, options: argparse.Namespace) -> list[Pair]:
    """Return pairs in which each held-out picture is once a cover and once, in the pair before, a secret."""
    refs = photos.splits(dataset, options.data_root)[1][: options.pairs]
    squares = [rgb_square(dataset, ref) for ref in refs]
    return [
        (cover, luma.gray(other)) for cover, other in zip(squares, squares[1:] + squares[:1], strict=True)
    ]


def _some(options: argparse.Namespace) -> list[Pair]:
    if options.data_root is not None:
        return _held_out("imagenet", options)[:DOCUMENTS]
    covers = _covers(options)
    return [(c, luma.gray(s)) for c, s in zip(covers, covers[1:] + covers[:1], strict=True)]


def _covers(options: argparse.Namespace) -> list[Picture]:
    """Return covers for the documents: held-out photographs, or squares of scikit-image's."""
    if options.data_root is not None:
        return [cover for cover, _ in _some(options)]
    names = ("astronaut", "chelsea", "coffee", "rocket")
    whole = [getattr(data, name)() for name in names]
    return [photo[y : y + SIDE, x : x + SIDE] for photo in whole for y in (0, 40) for x in (0, 120, 190)]


def _zip(covers: list[Picture], secrets: list[Picture]) -> list[Pair]:
    return list(zip(itertools.cycle(covers), secrets))


def _pages(folder: Path) -> list[Picture]:
    """Draw pages of the licence's words, shuffled, in fonts that no training saw, 9 to 20 pixels high."""
    fonts = sorted(folder.glob("*.ttf"))
    if not fonts:
        raise SystemExit(f"no fonts in {folder}: give --fonts a folder of TrueType files")
    words = (Path(__file__).parents[1] / "LICENSE").read_text(encoding="utf-8").split()
    rng = random.Random(SEED)  # noqa: S311
    return [_page(rng, words, rng.choice(fonts)) for _ in range(DOCUMENTS)]


def _page(rng: random.Random, words: list[str], path: Path) -> Picture:
    size = rng.randint(9, 20)
    font, page = ImageFont.truetype(str(path), size), Image.new("L", (SIDE, SIDE), 255)
    draw, line = ImageDraw.Draw(page), round(1.35 * size)
    for y in range(8, SIDE - line, line):
        text = " ".join(rng.choice(words) for _ in range(30))
        while draw.textlength(text, font=font) > SIDE - 16:
            text = text.rpartition(" ")[0]
        draw.text((8, y), text, fill=0, font=font)
    return np.asarray(page)


def _qr_code(text: str, rng: random.Random) -> Picture:
    code = segno.make(text, error="m")
    modules = np.array([[255 * (1 - bit) for bit in row] for row in code.matrix], dtype=np.uint8)
    scale = rng.randint(3, 240 // len(modules))
    drawn = modules.repeat(scale, axis=0).repeat(scale, axis=1)
    page = np.full((SIDE, SIDE), 255, dtype=np.uint8)
    corner = (SIDE - len(drawn)) // 2
    page[corner : corner + len(drawn), corner : corner + len(drawn)] = drawn
    return page


# --- report ---


def _markdown(results: dict) -> str:  # type: ignore[type-arg]
    head = f"{results['model']}, --favor {results['favor']}, 256x256 covers, from re-read files"
    lines = [head, "", ledger_views.render(results, "card"), ""]
    lines.append(f"QR codes that still decode: {results['rows']['QR codes']['decoded']} of {DOCUMENTS}.")
    if "wrong_key" in results:
        wrong = results["wrong_key"]
        lines.append(
            f"Decoded under a wrong key ({wrong['pairs']} pairs): {wrong['psnr_db']:.1f} dB; correlation "
            f"with the secret {wrong['correlation']:.4f} over all, {wrong['worst_correlation']:.4f} in the "
            f"worst pair (by chance, with another secret: {wrong['worst_by_chance']:.4f})."
        )
    for times, row in results.get("spread", {}).items():
        lines.append(
            f"Cover {times} times the secret: revealed {row['revealed_psnr_db']:.2f} dB, the same secrets in "
            f"covers of their own size {row['equal_size_revealed_psnr_db']:.2f} dB."
        )
    return "\n".join([*lines, "", f"`{results['command']}`", ""])


if __name__ == "__main__":
    main()
