"""The documentation is consistent: links lead somewhere, and the commands that it shows exist."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from stegcli.cli.app import program

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("training/*.md"), ROOT / "results/README.md"]
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path) if path else page
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            assert anchor in _anchors(there), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_are_shown_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in re.findall(r"^\$ stegcli (.+)$", text, re.MULTILINE):
        words = shlex.split(line.partition(" # ")[0].partition(" | ")[0], comments=True)
        command = get_command(program())
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
        given = {word for word in words if word.startswith("-") and word != "-"}
        assert given <= known | {"--help", "--version", "-h"}, line


def test_the_site_has_every_page(tmp_path: Path) -> None:
    import docs

    docs.gather(tmp_path / "docs")
    settings = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    named = {name for entry in settings["project"]["nav"] for name in entry.values()}
    assert named == {path.name for path in (tmp_path / "docs").glob("*.md")}
    for page in (tmp_path / "docs").glob("*.md"):
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            path = target.partition("#")[0]
            there = re.match(r"[a-z]+:", target) or not path or (page.parent / path).exists()
            assert there, (page.name, target)
