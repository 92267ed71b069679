"""Manuals that are generated from the program, shell completion, and the width of help."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from desk import Desk, command

from stegcli.errors import MEANINGS, ExitCode

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "batch",
    "hide",
    "reveal",
    "info",
    "check",
    "capacity",
    "models",
    "train",
    "export",
    "evaluate",
    "ui",
]
COMPLETION = {
    "bash": ("complete -o default -F", {"COMP_WORDS": "stegcli re", "COMP_CWORD": "1"}),
    "zsh": ("#compdef", {"_TYPER_COMPLETE_ARGS": "stegcli re"}),
    "fish": (
        "complete --command",
        {"_TYPER_COMPLETE_ARGS": "stegcli re", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    ),
}


@pytest.mark.parametrize(("script", "name"), [("manpage.py", "stegcli.1"), ("cli_reference.py", "cli.md")])
def test_a_manual_says_what_the_program_says(tmp_path: Path, script: str, name: str) -> None:
    """If this fails, run the script and commit what it writes."""
    subprocess.run([sys.executable, str(ROOT / "scripts" / script), str(tmp_path / name)], check=True)
    written = (tmp_path / name).read_text(encoding="utf-8")
    assert written == (ROOT / "docs" / name).read_text(encoding="utf-8")
    plain = written.replace("\\-", "-")
    assert all(word in plain for word in (*COMMANDS, "--passphrase-file", "evaluate security", "141"))


@pytest.mark.skipif(shutil.which("man") is None, reason="needs man")
def test_man_finds_no_fault(tmp_path: Path) -> None:
    done = subprocess.run(
        ["man", "--warnings", "-l", str(ROOT / "docs" / "stegcli.1")],
        capture_output=True,
        env={"MANWIDTH": "80", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"--cover-from FOLDER" in done.stdout


def test_every_exit_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert all(re.fullmatch(r"[A-Z].*\.", text) for text in MEANINGS.values())


@pytest.mark.parametrize("shell", COMPLETION)
def test_completion(desk: Desk, shell: str) -> None:
    """What shells source, and what they request for a word that was begun."""
    script, asked = COMPLETION[shell]
    shown = desk.run_process(env={"_STEGCLI_COMPLETE": f"source_{shell}"}, prelude=NAMED)
    assert shown.code == 0, shown
    assert script in shown.out
    found = desk.run_process(env={"_STEGCLI_COMPLETE": f"complete_{shell}", **asked}, prelude=NAMED)
    assert "reveal" in found.out
    assert "export" not in found.out


NAMED = "import sys; sys.argv[0] = 'stegcli'"


def test_completion_can_be_installed(desk: Desk) -> None:
    shown = desk.run("--help").out
    assert "--install-completion" in shown
    assert "--show-completion" in shown


def test_summaries_of_commands_fit_their_line(desk: Desk) -> None:
    for args in (["--help"], ["evaluate", "--help"]):
        shown = desk.run_process(*args, env={"COLUMNS": "80"}).out
        assert "..." not in shown.partition("Commands:")[2]
        assert max(map(len, shown.splitlines())) <= 80


SUBCOMMANDS = [
    "batch hide", "batch reveal", "evaluate damage", "evaluate security", "models list", "models pull",
    "models push", "models verify",
]  # fmt: skip


@pytest.mark.parametrize("name", [*COMMANDS[1:], *SUBCOMMANDS])
def test_every_option_says_what_it_does_in_a_sentence(desk: Desk, name: str) -> None:
    from typer.main import get_command

    from stegcli.cli.app import program

    found = get_command(program())
    for word in name.split():
        found = found.commands[word]
    for parameter in found.params:
        assert parameter.help, parameter.name
        assert re.match(r"[A-Z]|small: |lfw", parameter.help), parameter.help
        assert parameter.help.endswith("."), parameter.help
    shared = {"--json", "--quiet", "--verbose", "--debug"}
    assert shared <= {option for parameter in found.params for option in parameter.opts}


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_no_color(desk: Desk, secret_gray) -> None:
    """The progress bar may move the cursor, but must not use colours."""
    import os
    import pty

    desk.put("small.png", secret_gray[::4, ::4])
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        command("hide", "cover.png", "small.png", "-o", "out.png"),
        cwd=desk.folder,
        env={**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color"},
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                chunk = os.read(controller, 4096)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        assert process.wait(60) == 0
    os.close(controller)
    assert b"revealing" in shown
    colours = re.findall(rb"\x1b\[([\d;]*)m", shown)
    assert not [
        code for code in colours if any(part[:1] in b"349" and len(part) > 1 for part in code.split(b";"))
    ]
