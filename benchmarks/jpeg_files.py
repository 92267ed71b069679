"""Measure what hiding in the JPEGs of a folder costs: size, PSNR, time and memory.

    python benchmarks/jpeg_files.py FOLDER [--rate 0.1] [--out FILE.json]

Each file gets as many random bytes as the rate allows, in bits per non-zero AC coefficient of luma, including
head and seal; they are hidden and revealed by `stegcli.hide` and `stegcli.reveal`, each in its own process.
Seconds are processor time of all threads together, so that a busy machine measures nearly the same; memory is
the peak of the process, and the part for importing the program is listed separately.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stegcli
from stegcli.carriers import coefficients, jpeg_scan
from stegcli.envelope.head import MESSAGE_BYTES
from stegcli.errors import ImageError
from stegcli.lab.provenance import commit
from stegcli.methods.coded.body import TAG_BYTES

MOST_PIXELS = 1 << 27
NAME = "s"
NAME_BYTES = 2
"""Bytes of a file secret besides its content: the name and its length."""
FIGURES = ("size_percent", "stego_psnr_db", "hide_seconds_mp", "reveal_seconds_mp", "hide_mib", "reveal_mib")


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rate", type=float, default=coefficients.QUIET_RATE)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    paths = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    rows = []
    for path in paths:
        rows.append(measured(path, options.rate))
        print(_line(rows[-1]), flush=True)
    results = {
        "command": shlex.join(["python", *sys.argv]),
        "commit": commit(),
        "rate": options.rate,
        **_summary(rows),
        "rows": rows,
    }
    print(json.dumps({key: value for key, value in results.items() if key != "rows"}, indent=2))
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def measured(path: Path, rate: float) -> dict[str, Any]:
    """Measure one file."""
    content = path.read_bytes()
    row: dict[str, Any] = {"name": path.name, "bytes": len(content)}
    try:
        cover = jpeg_scan.open_cover(content, max_pixels=MOST_PIXELS)
    except ImageError as error:
        return {**row, "refused": error.message}
    row["megapixels"] = cover.frame.height * cover.frame.width / 1e6
    row["non_zero_ac"] = jpeg_scan.non_zero_ac(cover)
    size = coefficients.most_bytes(cover, rate) - MESSAGE_BYTES - TAG_BYTES - NAME_BYTES
    with tempfile.TemporaryDirectory() as folder:
        secret, stego = Path(folder, NAME), Path(folder, "stego.jpg")
        secret.write_bytes(random.Random(size).randbytes(size))  # noqa: S311  (no secret: a measured load)
        row |= {
            "secret_bytes": size,
            **_apart(_hidden, path, secret, stego),
            **_apart(_revealed, stego, secret),
        }
        row["size_percent"] = 100 * (stego.stat().st_size / len(content) - 1)
    for step in ("hide", "reveal"):
        row[f"{step}_seconds_mp"] = row[f"{step}_seconds"] / row["megapixels"]
    return row


def _apart(work: Callable[..., dict[str, Any]], *args: Path) -> dict[str, Any]:
    """Run a command in a new process, and measure it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found: dict[str, Any] = pool.apply(work, args)
    return found


def _hidden(cover: Path, secret: Path, stego: Path) -> dict[str, Any]:
    idle, before = _peak_mib(), time.process_time()
    report = stegcli.hide(cover, secret, stego, model="coded", as_file=True, max_pixels=MOST_PIXELS)
    return {
        "hide_seconds": time.process_time() - before,
        "stego_psnr_db": report.stego_psnr_db,
        "hide_mib": _peak_mib(),
        "import_mib": idle,
    }


def _revealed(stego: Path, secret: Path) -> dict[str, Any]:
    before = time.process_time()
    told = stegcli.reveal(stego, max_pixels=MOST_PIXELS)
    seconds = time.process_time() - before
    same = told.secret.content == secret.read_bytes()
    return {"reveal_seconds": seconds, "reveal_mib": _peak_mib(), "same": same}


def _peak_mib() -> float:
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / 2**20 if sys.platform == "darwin" else largest / 2**10


def _line(row: dict[str, Any]) -> str:
    if "refused" in row:
        return f"{row['name']}: {row['refused']}"
    return (
        f"{row['name']}: {row['megapixels']:.1f} MP, {row['secret_bytes']:,} bytes, same {row['same']}, "
        f"size {row['size_percent']:+.3f} %, PSNR {row['stego_psnr_db']:.2f} dB, "
        f"hide {row['hide_seconds']:.1f} s {row['hide_mib']:.0f} MiB, "
        f"reveal {row['reveal_seconds']:.1f} s {row['reveal_mib']:.0f} MiB"
    )


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    done = [row for row in rows if "refused" not in row]
    summary: dict[str, Any] = {
        "files": len(rows),
        "hidden": len(done),
        "same": sum(row["same"] for row in done),
    }
    for name in FIGURES:
        each = [row[name] for row in done]
        summary[name] = {
            "least": round(min(each), 3),
            "median": round(statistics.median(each), 3),
            "most": round(max(each), 3),
        }
    return summary


if __name__ == "__main__":
    main()
