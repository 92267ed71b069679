"""Security as a table and ROC curves."""

from __future__ import annotations

from stegcli.lab.report import page, tables
from stegcli.lab.report.charts import Curve, curves
from stegcli.lab.security.presets import SecurityResult

__all__ = ["html", "markdown_page"]

_NOTE = (
    "P_E: (false alarms + missed detections) / 2 on pairs that the detector did not see, at the threshold "
    "that it chose in training; 0.5 means that it cannot tell. In brackets: 95 % intervals by bootstrap over "
    "pairs. Two rows have a known answer: covers against other covers must give 0.5, and LSB matching of "
    "every sample must be caught. avif-hill: an ideal coder, simulated."
)


def markdown_page(result: SecurityResult) -> str:
    """The table and how to read it."""
    parts = [tables.security_markdown(result.rows, _heading(result)).rstrip(), _NOTE]
    if result.accuracies:
        parts.append(tables.markdown(_accuracy_table(result)))
    return "\n\n".join(parts) + "\n"


def html(result: SecurityResult) -> str:
    """The table, and the ROC of each subject."""
    lines = [Curve(row.subject, [(x, y) for x, y in row.roc]) for row in result.rows]
    body = [
        f"<p>{_NOTE}</p>",
        page.table_html(tables.security_table(result.rows)),
        "<h2>ROC</h2>",
        *(
            curves("ROC", "false alarms", "detections", lines[start : start + 8])
            for start in range(0, len(lines), 8)
        ),
    ]
    if result.accuracies:
        body += ["<h2>The paper's steganalyzer</h2>", page.table_html(_accuracy_table(result))]
    return page.simple_page(_heading(result), body)


def _heading(result: SecurityResult) -> str:
    return (
        f"Security: {result.covers} covers of {', '.join(result.sources)}, shrunk to {result.shrink:g}, "
        f"features {result.feature_set}, seed {result.seed}"
    )


def _accuracy_table(result: SecurityResult) -> list[list[str]]:
    rows = [[name, f"{accuracy:.4f}"] for name, accuracy in result.accuracies.items()]
    return [["", "accuracy of the paper's steganalyzer"], *rows]
