"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stegcli.lab.statistics import Summary

__all__ = ["SIMULATED_MARK", "Table", "interval", "markdown", "markdown_page"]

Table = list[list[str]]
"""Rows of cells; the first row is the header."""

SIMULATED_MARK: Final = "*"
"""Follows the name of a hider whose stegos are simulated."""


def markdown(table: Table) -> str:
    """Return the lines of a Markdown table."""
    head, *rows = table
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def markdown_page(heading: str, parts: Sequence[str]) -> str:
    """Return a page of paragraphs and tables."""
    return "\n\n".join([f"# {heading}", *parts]) + "\n"


def interval(summary: Summary, digits: int) -> str:
    """Format a mean with its 95 % interval."""
    mean, low, high = (f"{each:.{digits}f}" for each in (summary.mean, summary.low, summary.high))
    return f"{mean} ({low} to {high})"
