"""One HTML page that holds everything: tables, charts and pictures, nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from stegcli.lab.data.pairs import Pair
from stegcli.lab.quality.evaluate import Evaluation
from stegcli.lab.quality.measure import FIGURES, Measured
from stegcli.lab.report import tables
from stegcli.lab.report.charts import Curve, curves, histogram
from stegcli.lab.report.pictures import amplified, data_uri

__all__ = ["quality_page", "simple_page"]

_CHARTED: Final = ("stego_psnr_db", "revealed_psnr_db", "revealed_ssim")
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1180px; padding: 0 1rem; color:
#222 } h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem } h3 { font-size: 1rem;
margin-bottom: .3rem } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px
} th, td { border-bottom: 1px solid #ddd; padding: .25rem .6rem; text-align: right }
th:first-child, td:first-child { text-align: left; white-space: nowrap }
.scroll { overflow-x: auto }
.sheet { display: grid; grid-template-columns: repeat(6, 1fr); gap: 8px; margin-bottom: 1rem }
figure { margin: 0 } figcaption { font-size: 12px; color: #555 }
img { width: 100%; image-rendering: pixelated; display: block; border: 1px solid #ccc }
svg { max-width: 100%; height: auto; font: 11px system-ui, sans-serif }
svg .frame { fill: none; stroke: #888 } svg .grid { stroke: #e4e4e4 }
details { margin: .4rem 0 } summary { cursor: pointer }
@media (max-width: 800px) { .sheet { grid-template-columns: repeat(3, 1fr) } }
"""

Sheets = Sequence[tuple[Pair, list[tuple[str, Measured]]]]


def quality_page(evaluation: Evaluation, sheets: Sheets) -> str:
    """The whole report of an evaluation.

    Args:
        evaluation: its figures.
        sheets: pairs to show, each with the hiders' results.
    """
    body = [
        f"<p>{escape(tables.notes(evaluation))}</p>",
        _table(tables.quality_table(evaluation)),
        *_spread_charts(evaluation),
        *_histograms(evaluation),
        "<h2>Pictures</h2>",
        *(_sheet(pair, results) for pair, results in sheets),
        "<h2>Every figure</h2>",
        *(
            f"<details><summary>{escape(tables.label(line))}, spread {line.spread}</summary>"
            f"{_table(tables.detail_table(line))}</details>"
            for line in evaluation.lines
        ),
        "<h2>What was measured</h2>",
        _facts(evaluation),
    ]
    return simple_page(tables.heading(evaluation), body)


def simple_page(title: str, body: Sequence[str]) -> str:
    """A page of ready-made parts."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>\n" + "\n".join(part for part in body if part) + "\n</body></html>\n"
    )


def table_html(table: list[list[str]]) -> str:
    """A table whose first row is the head."""
    return _table(table)


def _table(table: list[list[str]]) -> str:
    head, *rows = table
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return '<div class="scroll"><table>' + "".join(lines) + "</table></div>"


def _spread_charts(evaluation: Evaluation) -> list[str]:
    if len(evaluation.settings["spreads"]) < 2:
        return []
    charts = ["<h2>Quality against spread</h2>"]
    for name in _CHARTED:
        by_hider: dict[str, list[tuple[int, float, float, float]]] = {}
        for line in evaluation.lines:
            if name in line.summaries:
                each = line.summaries[name]
                by_hider.setdefault(line.hider, []).append((line.spread, each.mean, each.low, each.high))
        lines = [
            Curve(hider, [(x, y) for x, y, _, _ in points], [(low, high) for _, _, low, high in points])
            for hider, points in by_hider.items()
        ]
        charts.append(
            curves(FIGURES[name], "cover pixels per pixel of the secret", FIGURES[name], lines, log_x=True)
        )
    return charts


def _histograms(evaluation: Evaluation) -> list[str]:
    parts = []
    for spread in evaluation.settings["spreads"]:
        parts.append(f"<h2>How the pairs differ, spread {spread}</h2>")
        for name in _CHARTED:
            found = [
                (line.hider, [value for value in line.values[name] if value != float("inf")])
                for line in evaluation.lines
                if line.spread == spread and name in line.values
            ]
            parts.append(histogram(FIGURES[name], FIGURES[name], found))
    return parts


def _sheet(pair: Pair, results: list[tuple[str, Measured]]) -> str:
    rows = [f"<h3>{escape(pair.name)}</h3>"]
    for name, measured in results:
        residual, gain = amplified(pair.cover_rgb, measured.stego_rgb)
        secret_residual, secret_gain = amplified(pair.secret_gray, measured.revealed_gray)
        stego_psnr, revealed_psnr = (measured.figures[f"{which}_psnr_db"] for which in ("stego", "revealed"))
        figures = [
            (pair.cover_rgb, "cover"),
            (measured.stego_rgb, f"stego, {_decibel(stego_psnr)}"),
            (residual, f"residual x{gain}"),
            (pair.secret_gray, "secret"),
            (measured.revealed_gray, f"revealed, {_decibel(revealed_psnr)}"),
            (secret_residual, f"residual x{secret_gain}"),
        ]
        cells = "".join(
            f'<figure><img src="{data_uri(pixels, exact="residual" not in text)}" alt="{escape(text)}">'
            f"<figcaption>{escape(text)}</figcaption></figure>"
            for pixels, text in figures
        )
        rows.append(f'<div>{escape(name)}</div><div class="sheet">{cells}</div>')
    return "".join(rows)


def _decibel(value: float | None) -> str:
    if value is None:
        return ""
    return "equal" if value == float("inf") else f"{value:.1f} dB"


def _facts(evaluation: Evaluation) -> str:
    lines = [f"{name}: {identity}" for name, identity in evaluation.settings["hiders"].items()]
    lines += [f"pair: {name} (SHA-256 {digest[:16]})" for name, digest in evaluation.pairs]
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<details><summary>models, baselines and pairs</summary><ul>{items}</ul></details>"
