"""The sessions in the manual are run again, and give the same output.

    STEGCLI_WRITE_TRANSCRIPTS=1 pytest tests/cli/test_transcripts.py

writes the current output into the manual.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import TOKEN, Hub, serving
from transcripts import Shell, chapters, differences, rewritten

PAGE = Path(__file__).parents[2] / "docs" / "transcripts.md"
CHAPTERS = {
    name: blocks
    for name, blocks in chapters(PAGE.read_text(encoding="utf-8")).items()
    if any(block.kind == "console" for block in blocks)
}
WRITE = "STEGCLI_WRITE_TRANSCRIPTS" in os.environ

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the manual's shell is bash"),
]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_session(name: str, tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "desk").mkdir()
    settings = hub.settings(tmp_path / "hub") | {"HF_TOKEN": TOKEN}
    said: dict[tuple[str, str], list[str]] = defaultdict(list)
    wrong: list[str] = []
    ran = 0
    with Shell(tmp_path / "desk", tmp_path / "tools", settings) as shell:
        for block in CHAPTERS[name]:
            if not block.runs_here:
                continue
            if block.kind == "python":
                shell.prepare(block.text)
            for step in block.steps if block.kind == "console" else ():
                text = shell.run(step.command)[0].replace(hub.url, "https://huggingface.co")
                ran += 1
                said[block.text, step.command].append(text)
                if found := differences(step.told, text):
                    wrong += [f"$ {step.command}", *found]
    if WRITE:
        PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), said), encoding="utf-8")
        return
    assert ran, "nothing of this can be run here"
    assert not wrong, "\n".join(wrong)


def test_what_is_not_alike_is_noticed() -> None:
    assert differences("a.png: 9x9, 0.9 s on cpu\n", "a.png: 9x9, 12.1 s on cpu\n") == []
    assert differences("PSNR 54.53 dB\n", "PSNR 54.70 dB\n") == []
    assert differences("PSNR 54.53 dB\n", "PSNR 50.53 dB\n")
    assert differences("a.png: 9x9\n", "a.png: 9x8\n")
    assert differences("a.png: 9x9\n", "b.png: 9x9\n")
    assert differences("one\n", "one\ntwo\n")
    assert differences("one\n...\nthree\n", "one\ntwo\n2\nthree\n") == []
    assert differences("one\n...\nthree\n", "one\ntwo\n")
    assert differences("at 0123456789abcdef0123456789abcdef01234567\n", f"at {'f' * 40}\n") == []
