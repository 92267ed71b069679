"""Results as Markdown and as rows that a page can show."""

from __future__ import annotations

from collections.abc import Sequence

from stegcli.lab.quality.evaluate import Evaluation, Line
from stegcli.lab.quality.measure import FIGURES
from stegcli.lab.security.verdicts import SecurityRow
from stegcli.lab.statistics import LOSSLESS_DB, Summary

__all__ = ["markdown", "quality_markdown", "quality_table", "security_markdown", "security_table"]

Table = list[list[str]]

_DIGITS = {"db": 2, "ssim": 4, "share": 4, "bpp": 2, "seconds": 2}
_BRIEF = ("stego_psnr_db", "stego_ssim", "revealed_psnr_db", "revealed_ssim", "written_bpp", "hide_seconds")
SIMULATED_MARK = "*"


def markdown(table: Table) -> str:
    """First row is the head."""
    head, *rows = table
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def quality_table(evaluation: Evaluation) -> Table:
    """Means with their 95 % intervals, for reading at a glance."""
    head = ["", "spread", *(FIGURES[name] for name in _BRIEF)]
    rows = [
        [label(line), str(line.spread), *(_with_interval(line.summaries.get(name), name) for name in _BRIEF)]
        for line in evaluation.lines
    ]
    return [head, *rows]


def detail_table(line: Line) -> Table:
    """Every figure of one hider at one spread."""
    rows = [
        [
            FIGURES[name],
            *(_number(value, name) for value in (each.mean, each.low, each.high, each.median, each.p5)),
        ]
        for name, each in line.summaries.items()
    ]
    return [["", "mean", "from", "to", "median", "5th percentile"], *rows]


def quality_markdown(evaluation: Evaluation) -> str:
    """The evaluation as a Markdown page."""
    parts = [
        f"# {heading(evaluation)}",
        markdown(quality_table(evaluation)),
        notes(evaluation),
        *(
            f"## {label(line)}, spread {line.spread}\n\n{markdown(detail_table(line))}"
            for line in evaluation.lines
        ),
    ]
    return "\n\n".join(parts) + "\n"


def heading(evaluation: Evaluation) -> str:
    """What was measured, in a line."""
    return (
        f"{len(evaluation.pairs)} pairs of {evaluation.settings['source']}, "
        f"favor {evaluation.settings['favor']}, seed {evaluation.settings['seed']}"
    )


def notes(evaluation: Evaluation) -> str:
    """How to read the tables."""
    text = (
        "All figures are of 8-bit files, written and read again. In brackets: 95 % interval of the mean by "
        f"bootstrap over pairs. A PSNR of equal pictures counts as {LOSSLESS_DB:.0f} dB in a mean. Spread: "
        "cover pixels per pixel of the secret."
    )
    if any(line.simulated for line in evaluation.lines):
        text += (
            f" {SIMULATED_MARK} Ideal coder with this program's HILL costs, simulated: real ones write a few "
            "per cent more changes, and the stego cannot be read."
        )
    return text


def label(line: Line) -> str:
    """The hider's name, marked if its stegos are simulated."""
    return line.hider + SIMULATED_MARK * line.simulated


def security_table(rows: Sequence[SecurityRow]) -> Table:
    """Detection errors and areas under the ROC, with their 95 % intervals."""
    head = ["", "pairs", "stego PSNR (dB)", "P_E (0.5: never told apart)", "ROC AUC"]
    return [head, *(_security_row(row) for row in rows)]


def security_markdown(rows: Sequence[SecurityRow], heading_text: str) -> str:
    """The rows as a Markdown page."""
    return f"# {heading_text}\n\n{markdown(security_table(rows))}\n"


def _security_row(row: SecurityRow) -> list[str]:
    return [
        row.subject,
        str(row.pairs),
        "" if row.stego_psnr_db is None else f"{row.stego_psnr_db:.2f}",
        f"{row.detection_error:.3f} ({row.error_low:.3f} to {row.error_high:.3f})",
        f"{row.auc:.3f} ({row.auc_low:.3f} to {row.auc_high:.3f})",
    ]


def _with_interval(summary: Summary | None, name: str) -> str:
    if summary is None:
        return ""
    ends = f"{_number(summary.low, name)} to {_number(summary.high, name)}"
    return f"{_number(summary.mean, name)} ({ends})"


def _number(value: float, name: str) -> str:
    digits = _DIGITS[name.rpartition("_")[2]]
    return f"{value:.{digits}f}"
