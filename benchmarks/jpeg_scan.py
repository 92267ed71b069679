"""Count a folder's JPEGs that can be written again byte for byte, and measure reading, writing and pricing.

    python benchmarks/jpeg_scan.py FOLDER [--out FILE.json]

Each file is processed in its own process: opened (which proves that its scan can be written again), written
with one in a hundred of luma's non-zero coefficients changed, opened again, and priced by J-UNIWARD. Seconds
are processor time of all threads together, so that a busy machine measures nearly the same; memory is the
peak of the process, and the part for importing the program is listed separately.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from stegcli.carriers import jpeg_costs, jpeg_scan
from stegcli.errors import ImageError
from stegcli.lab.provenance import commit

MOST_PIXELS = 1 << 27
STEPS = {"open": "open_seconds", "write": "write_seconds", "costs": "costs_seconds"}

T = TypeVar("T")


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    paths = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    context = multiprocessing.get_context("spawn")
    rows = []
    for path in paths:
        with context.Pool(1) as pool:
            row = pool.apply(measured, (path,))
        print(_line(row), flush=True)
        rows.append(row)
    results = {
        "command": shlex.join(["python", *sys.argv]),
        "commit": commit(),
        **_summary(rows),
        "rows": rows,
    }
    print(json.dumps({key: value for key, value in results.items() if key != "rows"}, indent=2))
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")


def measured(path: Path) -> dict[str, Any]:
    """Measure one file."""
    data, idle = path.read_bytes(), _peak_mib()
    row: dict[str, Any] = {"name": path.name, "bytes": len(data)}
    try:
        cover, row["open_seconds"] = _timed(lambda: jpeg_scan.open_cover(data, max_pixels=MOST_PIXELS))
    except ImageError as error:
        return {**row, "refused": error.message}
    row["megapixels"] = cover.frame.height * cover.frame.width / 1e6
    row["non_zero_ac"] = jpeg_scan.non_zero_ac(cover)
    row["same"] = jpeg_scan.write(cover, cover.luma) == data
    luma = _changed(cover)
    stego, row["write_seconds"] = _timed(lambda: jpeg_scan.write(cover, luma))
    row["carries"] = np.array_equal(jpeg_scan.open_cover(stego, max_pixels=MOST_PIXELS).luma, luma)
    row["scan_mib"] = _peak_mib()
    costs, row["costs_seconds"] = _timed(
        lambda: jpeg_costs.juniward_costs(cover.luma, cover.luma_quantization)
    )
    row["priced_share"] = float(np.isfinite(costs).mean())
    return {**row, "peak_mib": _peak_mib(), "import_mib": idle}


def _changed(cover: jpeg_scan.JpegCover) -> np.ndarray:
    """Change one in a hundred non-zero AC coefficients of luma by one, if the file has codes for it."""
    rng = np.random.default_rng(1)
    luma, may = cover.luma.copy(), jpeg_scan.encodable(cover)
    luma[may.up & (luma != 0) & (rng.random(luma.shape, np.float32) < 0.01)] += 1
    return luma


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    before = time.process_time()
    result = work()
    return result, time.process_time() - before


def _peak_mib() -> float:
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / 2**20 if sys.platform == "darwin" else largest / 2**10


def _line(row: dict[str, Any]) -> str:
    if "refused" in row:
        return f"{row['name']}: {row['refused']}"
    times = ", ".join(f"{name} {row[key]:.2f} s" for name, key in STEPS.items())
    outcome = f"same {row['same']}, carries {row['carries']}"
    return f"{row['name']}: {row['megapixels']:.1f} MP, {outcome}, {times}, {row['peak_mib']:.0f} MiB"


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    opened = [row for row in rows if "refused" not in row]
    summary: dict[str, Any] = {"files": len(rows), "opened": len(opened)}
    summary["same"] = sum(row["same"] for row in opened)
    summary["carry"] = sum(row["carries"] for row in opened)
    for name, key in STEPS.items():
        each = [row[key] / row["megapixels"] for row in opened]
        summary[f"{name}_seconds_per_megapixel"] = {
            "median": round(statistics.median(each), 3),
            "most": round(max(each), 3),
        }
    summary["peak_mib"] = round(max(row["peak_mib"] for row in opened))
    summary["peak_mib_per_megapixel"] = round(
        statistics.median((row["peak_mib"] - row["import_mib"]) / row["megapixels"] for row in opened), 1
    )
    return summary


if __name__ == "__main__":
    main()
