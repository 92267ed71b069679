"""Terminal sessions of the manual, run again: they must print the same words, and figures near those.

A page has preparations (```python) and sessions (```console): lines that begin with "$ " are commands, and
the lines below them are their output on both streams. Preparations before the first second-level heading are
made in every session's folder. A comment before a session says where it can be run:

    <!-- with ray -->        only where this module can be imported
    <!-- without ray -->     and only where it cannot

A line "..." stands for any lines. A third kind of block, ```page, lists what a user does on the page of
`stegcli ui`, one step per line; `tests/ui` runs it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

__all__ = ["Block", "Shell", "Step", "alike", "chapters", "differences", "rewritten"]

MARK = "--told-and-ended-with "
NEAR = 0.02
"""Share by which a figure may differ, since libraries round differently."""
_BLOCK = re.compile(r"(?:<!-- (with|without) (\w+) -->\n+)?```(console|python|page)\n(.*?)```", re.DOTALL)
_NUMBER = re.compile(r"(\d+(?:,\d{3})+|\d+\.\d+|\d+)")
_HEX = re.compile(r"(?<![0-9a-f])[0-9a-f]{40,64}(?![0-9a-f])|(?<=run-)[0-9a-f]{8}\b")
_TIME = re.compile(
    r"\d+(\.\d+)?(?= s\b| a second)|\d:\d\d:\d\d(?= left)|\d+(?=% to spare)"
    r'|(?<="seconds": )[\d.]+'
)


@dataclass(frozen=True)
class Step:
    """One command, and the output that the page gives for it."""

    command: str
    told: str


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        kind: "console", "python" or "page".
        text: text between its fences.
        needs: a module that must be installed, or, with a "!" before it, must not be.
    """

    kind: str
    text: str
    needs: str = ""

    @property
    def runs_here(self) -> bool:
        """Whether what it needs is available."""
        absent = self.needs.startswith("!")
        return not self.needs or (find_spec(self.needs.lstrip("!")) is None) == absent

    @property
    def steps(self) -> list[Step]:
        """Commands of a console block, in order."""
        found = []
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, told = part.partition("\n")
            found.append(Step(command, told))
        return found


def chapters(page: str) -> dict[str, list[Block]]:
    """Heading -> its blocks, after those that come before the first heading."""
    first, *rest = re.split(r"^## ", page, flags=re.MULTILINE)
    common = _blocks(first)
    found = {part.partition("\n")[0]: common + _blocks(part) for part in rest}
    return {name: blocks for name, blocks in found.items() if len(blocks) > len(common)}


def _blocks(text: str) -> list[Block]:
    found = []
    for way, module, kind, inside in _BLOCK.findall(text):
        found.append(Block(kind, inside, ("!" if way == "without" else "") + module))
    return found


@dataclass
class Shell:
    """A bash in a folder, in which `stegcli` and `python` use this interpreter.

    Attributes:
        folder: folder in which it starts.
        tools: folder for the two commands.
        settings: further environment variables.
    """

    folder: Path
    tools: Path
    settings: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Shell:
        """Start it."""
        for name, words in (("stegcli", "-c 'from stegcli.cli import main; main()'"), ("python", "")):
            tool = self.tools / name
            tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
            tool.chmod(0o755)
        quiet = {
            "NO_COLOR": "1",
            "TERM": "dumb",
            "COLUMNS": "110",
            "PYTHONWARNINGS": "ignore",
            "LC_ALL": "C.UTF-8",
        }
        path = f"{self.tools}{os.pathsep}{os.environ['PATH']}"
        self.bash = subprocess.Popen(
            ["bash", "--norc"],
            cwd=self.folder,
            env=os.environ | quiet | {"PATH": path} | self.settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.bash.communicate()

    def run(self, command: str) -> tuple[str, int]:
        """Run a command; return its output on both streams, and its exit code, which `$?` then has."""
        assert self.bash.stdin is not None
        assert self.bash.stdout is not None
        self.bash.stdin.write(f"{{ {command}\n}} </dev/null\ncode=$?; echo '{MARK}'$code; (exit $code)\n")
        self.bash.stdin.flush()
        said = []
        for line in self.bash.stdout:
            told, mark, code = line.partition(MARK)
            if mark:
                return "".join(said) + told, int(code)
            said.append(line)
        raise AssertionError(f"the shell ended: {''.join(said)}")

    def prepare(self, script: str) -> None:
        """Run Python in the folder: in this process, which has already imported what it takes."""
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            exec(script, {"__name__": "__main__"})
        finally:
            os.chdir(before)


def differences(told: str, said: str) -> list[str]:
    """Return the lines that differ."""
    wanted, got = told.splitlines(), said.splitlines()
    if "..." in wanted:
        cut = wanted.index("...")
        tail = wanted[cut + 1 :]
        if len(got) < cut + len(tail):
            return [f"too little was said: {said}"]
        wanted, got = wanted[:cut] + tail, got[:cut] + (got[-len(tail) :] if tail else [])
    if len(wanted) != len(got):
        return [f"{len(wanted)} lines are shown, and {len(got)} said:\n{said}"]
    return [f"shown: {a}\nsaid:  {b}" for a, b in zip(wanted, got, strict=True) if not alike(a, b)]


def alike(shown: str, said: str) -> bool:
    """Whether two lines have the same words, and figures that are close to each other."""
    parts = [_NUMBER.split(_TIME.sub("#", _HEX.sub("HEX", line.rstrip()))) for line in (shown, said)]
    return len(parts[0]) == len(parts[1]) and all(map(_near, *parts))


def _near(one: str, other: str) -> bool:
    """Whether two words are the same, or figures that are close to each other."""
    if "." in one and "." in other and _NUMBER.fullmatch(one) and _NUMBER.fullmatch(other):
        return abs(float(one) - float(other)) <= NEAR * max(abs(float(one)), 1.0)
    return " ".join(one.split()) == " ".join(other.split())


def rewritten(page: str, said: dict[tuple[str, str], list[str]]) -> str:
    """Return the page with the actual output, by text of the block and command, where it differs."""

    def block(match: re.Match[str]) -> str:
        steps = Block(match[3], match[4]).steps if match[3] == "console" else []
        if not any((match[4], step.command) in said for step in steps):
            return match[0]
        now = [(step, said[match[4], step.command].pop(0)) for step in steps]
        lines = (
            f"$ {step.command}\n{step.told if not differences(step.told, text) else text}"
            for step, text in now
        )
        return match[0].replace(match[4], "".join(lines))

    return _BLOCK.sub(block, page)
