"""Damage as tables and curves."""

from __future__ import annotations

from collections.abc import Sequence

from stegcli.lab.quality.damage import DAMAGES, Damage, DamageRow
from stegcli.lab.report import page, tables
from stegcli.lab.report.charts import Curve, curves

__all__ = ["html", "markdown_page"]

_NOTE = (
    "Revealed PSNR in dB, mean over pairs with its 95 % interval; in brackets the share of pairs of which "
    "anything was revealed, if not all. Where nothing opens, the picture counts as flat gray."
)


def markdown_page(heading: str, rows: Sequence[DamageRow]) -> str:
    """One table per damage."""
    parts = [f"# {heading}", _NOTE]
    parts += [f"## {damage.name}\n\n{tables.markdown(_table(damage, rows))}" for damage in DAMAGES]
    return "\n\n".join(parts) + "\n"


def html(heading: str, rows: Sequence[DamageRow]) -> str:
    """Curves and tables on one page."""
    body = [f"<p>{_NOTE}</p>"]
    for damage in DAMAGES:
        body += [f"<h2>{damage.name}</h2>", _chart(damage, rows), page.table_html(_table(damage, rows))]
    return page.simple_page(heading, body)


def _table(damage: Damage, rows: Sequence[DamageRow]) -> list[list[str]]:
    names = _hiders(rows)
    table = [[damage.axis, *names]]
    levels = [("none", 0.0), *((damage.name, level) for level in damage.levels)]
    for name, level in levels:
        cells = {row.hider: _cell(row) for row in rows if (row.damage, row.level) == (name, level)}
        table.append(["no damage" if name == "none" else f"{level:g}", *(cells[hider] for hider in names)])
    return table


def _cell(row: DamageRow) -> str:
    each = row.revealed_psnr_db
    opened = "" if row.opened == 1 else f" [{row.opened:.0%}]"
    return f"{each.mean:.1f} ({each.low:.1f} to {each.high:.1f}){opened}"


def _chart(damage: Damage, rows: Sequence[DamageRow]) -> str:
    lines = []
    for hider in _hiders(rows):
        chosen = sorted(
            (r for r in rows if (r.hider, r.damage) == (hider, damage.name)), key=lambda r: r.level
        )
        points = [(row.level, row.revealed_psnr_db.mean) for row in chosen]
        ends = [(row.revealed_psnr_db.low, row.revealed_psnr_db.high) for row in chosen]
        lines.append(Curve(hider, points, ends))
    return curves(damage.name, damage.axis, "revealed PSNR (dB)", lines)


def _hiders(rows: Sequence[DamageRow]) -> list[str]:
    return list(dict.fromkeys(row.hider for row in rows))
