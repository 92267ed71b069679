"""Write docs/stegcli.1, the manual page, from the program itself: python scripts/manpage.py [FILE]."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from stegcli._version import __version__
from stegcli.cli.app import program
from stegcli.errors import MEANINGS

PAGE = Path(__file__).parents[1] / "docs" / "stegcli.1"
SUMMARY = "hide a grayscale picture inside a colour picture, and reveal it again"
ENVIRONMENT = {
    "STEGCLI_PASSPHRASE": "The passphrase, if neither --passphrase nor --passphrase-file is given.",
    "NO_COLOR": "If set, the progress bar has no colours.",
    "HF_HUB_OFFLINE": "If 1, no model is downloaded.",
}
STREAMS = (
    "Wherever a picture is read, - is stdin; wherever one is written, - is stdout, which then receives a PNG "
    "while the report goes to stderr. Results go to stdout; notes, progress and errors go to stderr. With "
    "--json, stdout receives one JSON object, and stderr receives nothing, or one object that describes the "
    'error: {"error": {"kind", "message", "hint"}}.'
)
PASSPHRASES = (
    "A passphrase is never given on the command line, where other users could see it. Of a passphrase file, "
    "only the first line counts, without its line end; spaces belong to the passphrase, but a byte-order "
    "mark does not."
)
EXAMPLES = (
    ("Hide a picture, and reveal it again:", "stegcli hide cover.png secret.png -o stego.png"),
    ("", "stegcli reveal stego.png -o revealed.png"),
    ("Ask for a passphrase:", "stegcli hide cover.png secret.png --passphrase"),
    (
        "Write no file on the way:",
        "stegcli hide cover.png secret.png -o - | stegcli reveal - -o - > revealed.png",
    ),
    ("See what a detector would say:", "stegcli check cover.png secret.png"),
)


@dataclass(frozen=True)
class Described:
    """One command as `--help` shows it.

    Attributes:
        name: with the commands above it.
        usage: its arguments, after the name.
        paragraphs: of its help.
        rows: (argument or option, help) in the order of `--help`.
    """

    name: str
    usage: str
    paragraphs: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]


def commands() -> Iterator[Described]:
    """Every command of the program, each group before its members."""
    yield from _below(typer.main.get_command(program()), None, "stegcli")


def _below(command: Any, parent: Any, name: str) -> Iterator[Described]:  # noqa: ANN401 - Typer keeps its types to itself
    context = command.context_class(
        command, info_name=name.rpartition(" ")[2], parent=parent, **command.context_settings
    )
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    yield Described(
        name,
        " ".join(command.collect_usage_pieces(context)),
        tuple(" ".join(part.split()) for part in (command.help or "").split("\n\n")),
        tuple((names, " ".join(text.split())) for names, text in filter(None, records)),
    )
    for member in getattr(command, "commands", {}).values():
        yield from _below(member, context, f"{name} {member.name}")


def page() -> str:
    """The manual page in man's own markup."""
    lines = [
        f'.TH STEGCLI 1 "" "stegcli {__version__}" "User Commands"',
        *_section("NAME", [f"stegcli {_DASH} {SUMMARY}"]),
    ]
    whole, *others = commands()
    lines += _section("SYNOPSIS", [f"\\fBstegcli\\fR {_plain(whole.usage)}"])
    lines += _section("DESCRIPTION", [_plain(PASSPHRASES), ".PP", _plain(STREAMS)])
    lines += _section("OPTIONS", list(_rows(whole)))
    lines.append(".SH COMMANDS")
    for each in others:
        lines += [f".SS {_plain(each.name)} {_plain(each.usage)}"]
        lines += [".PP\n" + _plain(paragraph) for paragraph in each.paragraphs]
        lines += _rows(each)
    lines += _section("ENVIRONMENT", [_entry(name, text) for name, text in ENVIRONMENT.items()])
    lines += _section("EXIT STATUS", [_entry(str(int(code)), text) for code, text in MEANINGS.items()])
    shown = [f".PP\n{_plain(text)}\n.PP\n.nf\n{_plain(line)}\n.fi" for text, line in EXAMPLES]
    return "\n".join([*lines, *_section("EXAMPLES", shown)]) + "\n"


_DASH = "\\-"


def _section(title: str, lines: list[str]) -> list[str]:
    return [f".SH {title}", *lines]


def _rows(described: Described) -> Iterator[str]:
    for names, text in described.rows:
        yield _entry(names, text)


def _entry(names: str, text: str) -> str:
    return f".TP\n\\fB{_plain(names)}\\fR\n{_plain(text)}"


def _plain(text: str) -> str:
    """Text that man does not take for markup."""
    escaped = text.replace("\\", "\\e").replace("-", _DASH)
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    target.write_text(page(), encoding="utf-8")
