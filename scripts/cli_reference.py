"""Write docs/cli.md, the command line's reference, from the program: python scripts/cli_reference.py."""

from __future__ import annotations

import sys
from pathlib import Path

from manpage import ENVIRONMENT, PASSPHRASES, STREAMS, Described, commands

from stegcli.errors import MEANINGS

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"


def reference() -> str:
    """The reference in Markdown."""
    parts = ["# Command line", "Written by `scripts/cli_reference.py` from the program itself."]
    parts += [_described(each) for each in commands()]
    parts += ["## Streams", _cell(STREAMS), "## Passphrases", PASSPHRASES]
    parts += [
        "## Environment",
        _table("Variable", [(f"`{name}`", text) for name, text in ENVIRONMENT.items()]),
    ]
    parts += ["## Exit codes", _table("Code", [(str(int(code)), text) for code, text in MEANINGS.items()])]
    return "\n\n".join(parts) + "\n"


def _described(each: Described) -> str:
    rows = [(f"`{names}`", _cell(text)) for names, text in each.rows]
    usage = f"```\n{each.name} {each.usage}\n```"
    return "\n\n".join(
        [f"## {each.name}", usage, *map(_cell, each.paragraphs), _table("Argument or option", rows)]
    )


def _table(heading: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"| {heading} | Meaning |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name.replace('|', chr(92) + '|')} | {text} |" for name, text in rows)])


def _cell(text: str) -> str:
    """Text whose placeholders Markdown would take for tags, and whose bars for the end of a cell."""
    return text.replace("<", "&lt;").replace("|", "\\|")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    target.write_text(reference(), encoding="utf-8")
