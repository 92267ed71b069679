"""The survival page: what survives, and what it costs a sky and a face, at their own size.

    python scripts/survival_page.py [results/survival.html]

The figures are those of results/survival.json (`benchmarks/survival.py`). The pictures are made here, of two
photographs that scikit-image ships: parts of cover, stego, their difference, and the secret as it is revealed
after the hardest recompression that was promised. Needs stegcli[lab].
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Final

import numpy as np
from ledger_views import VIEWS
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage import data

from stegcli import pipeline
from stegcli.lab.report import page
from stegcli.lab.report.pictures import amplified, data_uri
from stegcli.pictures.encoded import Encoded
from stegcli.pipeline import HideSettings

U8 = NDArray[np.uint8]

RESULTS: Final = Path(__file__).parents[1] / "results"
PARTS: Final = {
    "a face (astronaut)": ("astronaut", (60, 150)),
    "a sky (rocket)": ("rocket", (40, 20)),
}
"""What is shown -> scikit-image's photograph, and the upper left corner of the part of it."""
PROMISES: Final = {"jpeg:75": 60, "jpeg:50": 50}
"""Promise -> the hardest JPEG quality that it holds for."""
SIDE: Final = 240
SECRET: Final = (128, 96)
_HEAD, _GAP = 18, 4
_NOTE: Final = (
    "Parts of photographs at their own size. The difference is multiplied by the factor in its corner. The "
    "secret was revealed after its stego had been saved as a JPEG of the hardest promised quality."
)


def main() -> None:
    """Make the page."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS / "survival.html"
    values = json.loads((RESULTS / "survival.json").read_text(encoding="utf-8"))
    tables = [
        ("Quality; in brackets the least", [], VIEWS["survival"](values, "")),
        ("How many opened, after what", [], VIEWS["survival"](values, "opened")),
    ]
    rows = [
        (f"{what}, {promise}", [data_uri(_row(photograph, corner, promise))], None)
        for what, (photograph, corner) in PARTS.items()
        for promise in PROMISES
    ]
    text = page.render(
        "sections", heading="What survives of a secret", notes=_NOTE, sections=[*rows, *tables]
    )
    out.write_text(text, encoding="utf-8")
    print(out)


def _row(photograph: str, corner: tuple[int, int], promise: str) -> U8:
    """Cover, stego, difference and revealed secret side by side, each under its name."""
    cover: U8 = getattr(data, photograph)()
    secret = np.asarray(Image.fromarray(data.camera()).resize(SECRET, Image.Resampling.LANCZOS))
    report = pipeline.hide_as(cover, secret, None, HideSettings(survive=promise, target=33.0))
    saved = io.BytesIO()
    Image.fromarray(report.stego_rgb).save(saved, "JPEG", quality=PROMISES[promise])
    revealed = pipeline.reveal(Encoded("recompressed", saved.getvalue()), None).revealed_gray
    part = tuple(slice(place, place + SIDE) for place in corner)
    difference, _ = amplified(cover[part], report.stego_rgb[part])
    shown = {
        "cover": cover[part],
        f"stego, {report.stego_psnr_db:.1f} dB": report.stego_rgb[part],
        "difference": difference,
        f"revealed after JPEG {PROMISES[promise]}": revealed,
    }
    sheet = Image.new("RGB", (len(shown) * (SIDE + _GAP) - _GAP, SIDE + _HEAD), "white")
    for place, (name, pixels) in enumerate(shown.items()):
        left = place * (SIDE + _GAP)
        ImageDraw.Draw(sheet).text((left, 3), name, fill="black")
        sheet.paste(Image.fromarray(pixels), (left, _HEAD))
    return np.asarray(sheet)


if __name__ == "__main__":
    main()
