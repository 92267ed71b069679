"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stegcli.lab.statistics import Summary

__all__ = ["SIMULATED_MARK", "Table", "interval", "markdown", "markdown_page"]

Table = list[list[str]]
"""Rows of cells; the first row is the head."""

SIMULATED_MARK: Final = "*"
"""Behind the name of a hider whose stegos are simulated."""


def markdown(table: Table) -> str:
    """The lines of a Markdown table."""
    head, *rows = table
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def markdown_page(heading: str, parts: Sequence[str]) -> str:
    """A page of paragraphs and tables."""
    return "\n\n".join([f"# {heading}", *parts]) + "\n"


def interval(summary: Summary, digits: int) -> str:
    """A mean with its 95 % interval."""
    mean, low, high = (f"{each:.{digits}f}" for each in (summary.mean, summary.low, summary.high))
    return f"{mean} ({low} to {high})"
