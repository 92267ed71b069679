"""Reports of security as a table and ROC curves."""

from __future__ import annotations

from stegcli.lab.report.charts import Curve, curves
from stegcli.lab.report.page import render
from stegcli.lab.report.tables import Table, markdown, markdown_page
from stegcli.lab.security.presets import SecurityResult
from stegcli.lab.security.verdicts import SecurityRow

__all__ = ["html", "markdown_report"]

_NOTE = (
    "P_E: (false alarms + missed detections) / 2 on pairs that the detector did not see, at the threshold "
    "that it chose in training; 0.5 means that it cannot tell. In brackets: 95 % intervals by bootstrap over "
    "pairs. Two rows have a known answer: covers against other covers must give 0.5, and LSB matching of "
    "every sample, or nsF5 in JPEG files, must be caught. avif-hill: an ideal coder, simulated."
)
_ROCS = 8
"""Largest number of ROC curves in one chart."""


def markdown_report(result: SecurityResult) -> str:
    """Return the table and how to read it."""
    accuracies = [markdown(_accuracy_table(result))] if result.accuracies else []
    return markdown_page(_heading(result), [markdown(_table(result)), _NOTE, *accuracies])


def html(result: SecurityResult) -> str:
    """Return the table, and the ROC of each subject."""
    lines = [Curve(row.subject, [(x, y) for x, y in row.roc]) for row in result.rows]
    charts = [
        curves("false alarms", "detections", lines[start : start + _ROCS])
        for start in range(0, len(lines), _ROCS)
    ]
    sections: list[tuple[str, list[str], Table | None]] = [("", [], _table(result)), ("ROC", charts, None)]
    if result.accuracies:
        sections.append(("The paper's steganalyzer", [], _accuracy_table(result)))
    return render("sections", heading=_heading(result), notes=_NOTE, sections=sections)


def _heading(result: SecurityResult) -> str:
    return (
        f"Security: {result.covers} covers of {', '.join(result.sources)}, shrunk to {result.shrink:g}, "
        f"features {result.feature_set}, seed {result.seed}"
    )


def _table(result: SecurityResult) -> Table:
    """Return detection errors and areas under the ROC, with their 95 % intervals."""
    head = ["", "pairs", "stego PSNR (dB)", "P_E (0.5: guessing)", "ROC AUC"]
    pooled = [_pooled(row) for row in result.rows]
    if not any(pooled):
        return [head, *(_line(row) for row in result.rows)]
    lines = ([*_line(row), whole] for row, whole in zip(result.rows, pooled, strict=True))
    return [[*head, "P_E of whole photographs"], *lines]


def _pooled(row: SecurityRow) -> str:
    """Return P_E by the mean score of a photograph's parts; empty if covers are not parts."""
    if row.pooled_error is None:
        return ""
    return f"{row.pooled_error:.3f} ({row.pooled_low:.3f} to {row.pooled_high:.3f})"


def _line(row: SecurityRow) -> list[str]:
    return [
        row.subject,
        str(row.pairs),
        "" if row.stego_psnr_db is None else f"{row.stego_psnr_db:.2f}",
        f"{row.detection_error:.3f} ({row.error_low:.3f} to {row.error_high:.3f})",
        f"{row.auc:.3f} ({row.auc_low:.3f} to {row.auc_high:.3f})",
    ]


def _accuracy_table(result: SecurityResult) -> Table:
    rows = [[name, f"{accuracy:.4f}"] for name, accuracy in result.accuracies.items()]
    return [["", "accuracy of the paper's steganalyzer"], *rows]
