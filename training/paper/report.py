"""The measured tables of the paper as Markdown: its figures, ours, and what ours cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stegcli.training.paper.measuring import FIGURES

Row = dict[str, Any]

HEADS = (
    "stego PSNR",
    "revealed PSNR",
    "stego SSIM",
    "revealed SSIM",
    "stego PSNR (luma)",
    "stego SSIM (luma)",
)


def markdown(content: Row) -> list[str]:
    """A table's JSON as lines for people."""
    where = content["environment"]
    budget = f"{content['steps']} steps" if content["steps"] else f"{content['budget_minutes']:g} minutes"
    lines = [
        f"# Table {content['table']}: {content['what']}",
        "",
        f"Budget {budget} (of what: `python -m stegcli.training.paper --help`) on {where['hardware']}, "
        f"torch {where['versions'].get('torch')}, commit {where['commit']}.",
        "",
        f"`{content['command']}`",
        "",
    ]
    return lines + (_accuracy_table(content) if content["table"] == 6 else _quality_table(content))


def _quality_table(content: Row) -> list[str]:
    lines = [
        f"| | system | | {' | '.join(HEADS)} | pairs |",
        "|---|---|---|" + "---|" * (len(HEADS) + 1),
    ]
    for row in content["rows"]:
        what = row.get("loss") or row.get("pairs")
        if "not_measured" in row:
            lines.append(f"| {what} | not measured: {row['not_measured']} |" + " |" * (len(HEADS) + 2))
            continue
        if row["paper"] is not None:
            theirs = [*row["paper"], None, None]
            like = row.get("paper_system", "isgan-basic")
            lines.append(f"| {what} | {like} | paper | {_cells(theirs)} | |")
        ours = [row["ours"][name] for name in FIGURES]
        lines.append(f"| {what} | {row['system']} | ours | {_cells(ours)} | {row['measured_pairs']} |")
    return lines


def _cells(values: Sequence[float | None]) -> str:
    return " | ".join("-" if v is None else f"{v:.2f}" if v > 1.5 else f"{v:.4f}" for v in values)


def _accuracy_table(content: Row) -> list[str]:
    data = content["data"]
    lines = [
        f"{data['set']}: learned from {data['learned']} covers and their stegos, judged {data['judged']} and "
        f"theirs, {data['side']} pixels wide; means over {content['seeds']} trainings of each steganalyzer. "
        "0.5 is guessing.",
        "",
        "| steganalyzer | stegos | stego PSNR | accuracy | by seed | covers right | stegos right "
        "| below basic | on own pairs |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, accuracy in (content["paper"] or {}).items():
        lines.append(f"| the paper's, as it reports | {name} | | {accuracy:.4f} | | | | | |")
    for row in content["rows"]:
        lines.append(
            f"| {row['steganalyzer']} | {row['stegos']} | {row['stego_psnr_db']:.2f} | {row['accuracy']:.4f} "
            f"| {', '.join(f'{value:.4f}' for value in row['accuracy_by_seed'])} "
            f"| {row['covers_right']:.4f} | {row['stegos_right']:.4f} | {_below(row)} "
            f"| {row['accuracy_on_what_it_learned']:.4f} |"
        )
    lines.append("")
    for judge, below in content["isgan_below_basic"].items():
        lines.append(f"ISGAN below the basic model, {judge}: {'yes' if below else 'no'}.")
    return lines


def _below(row: Row) -> str:
    """How much less accuracy than on the basic model's stegos, with its 95 % interval over covers."""
    if row["below_basic_interval"] is None:
        return ""
    low, high = row["below_basic_interval"]
    return f"{row['below_basic']:.4f} ({low:.4f} to {high:.4f})"
