"""Tables 4, 5 and 6 of the paper (Zhang, Dong, Liu 2019), and ours beside them; its figures 4 to 7 as sheets.

Quality is always (stego PSNR in dB, revealed PSNR in dB, stego SSIM, revealed SSIM); None if the paper states
no value. It does not say whether its stego figures are for RGB or for luma; ours do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stegcli.lab.data.pairs import Pair
from stegcli.lab.quality.measure import Measured
from stegcli.lab.report.pictures import residual_picture
from stegcli.lab.report.tables import Table, markdown, markdown_page
from stegcli.pictures import writing
from stegcli.training.paper.measuring import FIGURES

U8 = NDArray[np.uint8]
Row = dict[str, Any]
Quality = tuple[float | None, float | None, float | None, float | None]

TABLE_4: dict[str, Quality] = {
    "mse": (27.97, 26.30, 0.8592, 0.8391),
    "ssim": (21.71, 22.76, 0.8877, 0.8466),
    "mse+ssim": (27.12, 26.71, 0.8921, 0.8805),
    "mse+ms-ssim": (23.92, 25.97, 0.8287, 0.8832),
    "mse+ssim+ms-ssim": (26.72, 25.97, 0.9305, 0.9160),
}
"""LFW, basic model, 50 epochs, by loss."""

TABLE_5: dict[tuple[str, str], dict[str, Quality]] = {
    ("lfw", "lfw"): {
        "rehman": (33.7, 39.9, 0.95, None),
        "isgan-basic": (34.28, 33.53, 0.9529, 0.9453),
        "isgan": (34.63, 33.63, 0.9573, 0.9429),
    },
    ("imagenet", "imagenet"): {
        "rehman": (32.9, 36.6, 0.96, 0.96),
        "isgan-basic": (34.57, 33.53, 0.9634, 0.9510),
        "isgan": (34.89, 33.42, 0.9681, 0.9474),
    },
    ("voc2012", "voc2012"): {
        "rehman": (33.7, 35.9, 0.96, 0.95),
        "isgan-basic": (33.79, 33.47, 0.9617, 0.9475),
        "isgan": (34.49, 33.31, 0.9661, 0.9467),
    },
    ("voc2012", "lfw"): {
        "rehman": (33.8, 37.7, 0.96, 0.95),
        "isgan-basic": (33.85, 37.68, 0.9612, 0.9503),
        "isgan": (34.45, 37.59, 0.9647, 0.9495),
    },
    ("imagenet", "voc2012"): {
        "isgan": (34.57, 36.58, 0.9652, 0.9495),
    },
}
"""(covers, secrets) -> system -> figures."""

TABLE_6: dict[str, dict[str, float]] = {
    "lfw": {"basic": 0.8305, "isgan 50": 0.8059, "isgan 100": 0.7887, "isgan 150": 0.7825},
    "voc2012": {"basic": 0.7953, "isgan 50": 0.769, "isgan 100": 0.756, "isgan 150": 0.7438},
    "imagenet": {"basic": 0.7814, "isgan 50": 0.7655, "isgan 100": 0.7462, "isgan 150": 0.7360},
}
"""Accuracy of a steganalyzer trained on 5,000 covers and their basic-model stegos; epochs of ISGAN."""

GAIN = 10
"""Factor by which residuals are amplified around gray."""
_GAP, _HEAD = 4, 22


def report(content: Row) -> str:
    """Return a table's JSON as Markdown: the paper's figures, ours, and what ours cost."""
    where = content["environment"]
    budget = f"{content['steps']} steps" if content["steps"] else f"{content['budget_minutes']:g} minutes"
    parts = [
        f"Budget {budget} (of what: `python -m stegcli.training reproduce --help`) on {where['hardware']}, "
        f"torch {where['versions'].get('torch')}, commit {where['commit']}.",
        f"`{content['command']}`",
        *(
            _accuracies(content)
            if content["table"] == 6
            else [markdown(list(_quality_rows(content["rows"])))]
        ),
    ]
    return markdown_page(f"Table {content['table']}: {content['what']}", parts)


def _quality_rows(rows: Sequence[Row]) -> Iterator[list[str]]:
    yield ["", "system", "", *FIGURES.values(), "pairs"]
    told = None
    for row in rows:
        what = row.get("loss") or row.get("pairs")
        if "not_measured" in row:
            yield [what, f"not measured: {row['not_measured']}", *[""] * (len(FIGURES) + 2)]
            continue
        theirs = what, row.get("paper_system", "isgan-basic")
        if row["paper"] is not None and theirs != told:  # once for all models that stand beside it
            told = theirs
            yield [*theirs, "paper", *_cells([*row["paper"], None, None]), ""]
        ours = _cells([row["ours"][name] for name in FIGURES])
        for place, name in enumerate(FIGURES):
            low, high = _cells(row["intervals"][name])
            ours[place] += f" ({low} to {high})"
        yield [what, row["system"], "ours", *ours, str(row["measured_pairs"])]


def _cells(values: Sequence[float | None]) -> list[str]:
    return ["-" if v is None else f"{v:.2f}" if v > 1.5 else f"{v:.4f}" for v in values]


def _accuracies(content: Row) -> list[str]:
    data = content["data"]
    head = ["steganalyzer", "stegos", "stego PSNR", "accuracy", "by seed", "covers right", "stegos right"]
    table: Table = [[*head, "below basic", "on own pairs"]]
    for name, accuracy in (content["paper"] or {}).items():
        table.append(["the paper's, as it reports", name, "", f"{accuracy:.4f}", *[""] * 5])
    for row in content["rows"]:
        seeds = ", ".join(f"{value:.4f}" for value in row["accuracy_by_seed"])
        right = [f"{row[name]:.4f}" for name in ("covers_right", "stegos_right")]
        named = [row["steganalyzer"], row["stegos"], f"{row['stego_psnr_db']:.2f}", f"{row['accuracy']:.4f}"]
        table.append([*named, seeds, *right, _below(row), f"{row['accuracy_on_what_it_learned']:.4f}"])
    return [
        f"{data['set']}: learned from {data['learned']} covers and their stegos, judged {data['judged']} and "
        f"theirs, {data['side']} pixels wide; means over {content['seeds']} trainings of each steganalyzer. "
        "0.5 is guessing.",
        markdown(table),
        "\n".join(
            f"ISGAN below the basic model, {judge}: {'yes' if below else 'no'}."
            for judge, below in content["isgan_below_basic"].items()
        ),
    ]


def _below(row: Row) -> str:
    """Return how far accuracy is below that on the basic model's stegos, with its interval over covers."""
    if row["below_basic_interval"] is None:
        return ""
    low, high = row["below_basic_interval"]
    return f"{row['below_basic']:.4f} ({low:.4f} to {high:.4f})"


def sheet(rows: Sequence[tuple[str, Pair, Measured]]) -> U8:
    """Draw (system's name, pair, its figures) as (H, W, 3) uint8; headings name the columns and the gain."""
    heads = ("cover", "stego", f"stego - cover, x{GAIN}", "secret", "revealed", f"revealed - secret, x{GAIN}")
    side = rows[0][1].cover_rgb.shape[0]
    step = side + _GAP
    height, width = _HEAD + len(rows) * (step + _HEAD), len(heads) * step - _GAP
    canvas = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    for column, text in enumerate(heads):
        draw.text((column * step + 4, 3), text, fill="black", font=font)
    for number, (name, pair, measured) in enumerate(rows):
        top = _HEAD + number * (step + _HEAD)
        cover, stego, secret, revealed = (
            *(pair.cover_rgb, measured.stego_rgb),
            *(pair.secret_gray, measured.revealed_gray),
        )
        shown = (cover, stego, residual_picture(cover, stego, GAIN))
        shown += (secret, revealed, residual_picture(secret, revealed, GAIN))
        for column, picture in enumerate(shown):
            canvas.paste(Image.fromarray(picture).convert("RGB"), (column * step, top))
        told = "   ".join(f"{key} {measured.figures[key]:.4g}" for key in list(FIGURES)[:4])
        draw.text((4, top + side + 2), f"{name}   {told}", fill="black", font=font)
    return np.asarray(canvas)


def save_sheet(path: Path, rows: Sequence[tuple[str, Pair, Measured]]) -> None:
    """Write a sheet, replacing an earlier one."""
    writing.save_stego(path, sheet(rows), None, None, None, force=True)
