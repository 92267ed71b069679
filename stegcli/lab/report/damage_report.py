"""Reports of damage as tables and curves."""

from __future__ import annotations

from collections.abc import Sequence

from stegcli.lab.quality.damage import DAMAGES, Damage, DamageRow
from stegcli.lab.report.charts import Curve, curves
from stegcli.lab.report.page import render
from stegcli.lab.report.tables import Table, interval, markdown, markdown_page

__all__ = ["html", "markdown_report"]

_NOTE = (
    "Revealed PSNR in dB, mean over pairs with its 95 % interval; in brackets the share of pairs of which "
    "anything was revealed, if not all. Where nothing opens, the picture counts as flat gray."
)


def markdown_report(heading: str, rows: Sequence[DamageRow]) -> str:
    """Return one table for each kind of damage."""
    tables = [f"## {damage.name}\n\n{markdown(_table(damage, rows))}" for damage in DAMAGES]
    return markdown_page(heading, [_NOTE, *tables])


def html(heading: str, rows: Sequence[DamageRow]) -> str:
    """Return a page of curves and tables."""
    sections = [(damage.name, [_chart(damage, rows)], _table(damage, rows)) for damage in DAMAGES]
    return render("sections", heading=heading, notes=_NOTE, sections=sections)


def _table(damage: Damage, rows: Sequence[DamageRow]) -> Table:
    names = _hiders(rows)
    table = [[damage.axis, *names]]
    for name, level in [("none", 0.0), *((damage.name, level) for level in damage.levels)]:
        cells = {row.hider: _cell(row) for row in rows if (row.damage, row.level) == (name, level)}
        table.append(["no damage" if name == "none" else f"{level:g}", *(cells[hider] for hider in names)])
    return table


def _cell(row: DamageRow) -> str:
    opened = "" if row.opened == 1 else f" [{row.opened:.0%}]"
    return interval(row.revealed_psnr_db, 1) + opened


def _chart(damage: Damage, rows: Sequence[DamageRow]) -> str:
    lines = []
    for hider in _hiders(rows):
        chosen = sorted(
            (row for row in rows if (row.hider, row.damage) == (hider, damage.name)),
            key=lambda row: row.level,
        )
        points = [(row.level, row.revealed_psnr_db.mean) for row in chosen]
        ends = [(row.revealed_psnr_db.low, row.revealed_psnr_db.high) for row in chosen]
        lines.append(Curve(hider, points, ends))
    return curves(damage.axis, "revealed PSNR (dB)", lines)


def _hiders(rows: Sequence[DamageRow]) -> list[str]:
    return list(dict.fromkeys(row.hider for row in rows))
