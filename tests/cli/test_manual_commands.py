"""Every command in the manual is executed, or is listed here with the reason why it is not.

`docs/transcripts.md` is run by `test_transcripts.py`. The blocks of all other pages are run here, each in
its own folder with the files that its commands name. Output that a page shows is compared.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hub_server import TOKEN, serving
from PIL import Image
from skimage import data
from transcripts import Block, Shell, Step, chapters, differences

ROOT = Path(__file__).parents[2]
PAGES = [
    path
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("training/*.md")])
    if path.name not in ("transcripts.md", "cli.md")
]

KEYED = "STEGCLI_PASSPHRASE='correct horse' stegcli"
SHRINK_SECRET = (
    "python -c \"from PIL import Image; Image.open('secret.png').resize((40, 40)).save('small.png')\""
)

BEFORE = {
    "stegcli reveal received.jpg": "python -c \"from PIL import Image; i = Image.open('s.jpg'); "
    "i.crop((5, 3, *i.size)).save('received.jpg', quality=95)\"",
    "stegcli reveal screenshot.png --search": 'python -c "from PIL import Image; '
    "Image.open('s.jpg').rotate(90, expand=True).save('screenshot.png')\"",
    "stegcli hide cover.png report.pdf --model coded -o stego.png": "rm -f stego.png",
    "stegcli hide cover.png report.pdf --model coded": "rm -f cover.stego.png",
    "stegcli reveal stego.png # writes report.pdf": "rm -f report.pdf",
    "stegcli reveal stegos": "rm -f report.pdf",
    "stegcli hide photo.jpg secret.png -o s.jpg --survive whatsapp": SHRINK_SECRET
    + "; mv small.png secret.png",
}
"""What must exist first: what a service made of a file, or the space that an earlier line took up."""
_TRAIN = "stegcli train --model phase --recipe phase-cpu --dataset folder:photographs"
_HIDE = "stegcli hide cover.png secret.png"
INSTEAD = {
    f"{_HIDE} -o stego.png --passphrase": f"{KEYED} hide cover.png secret.png -o stego.png",
    "stegcli reveal stego.png --passphrase": f"{KEYED} reveal stego.png",
    f"{_TRAIN} --minutes 10 --out run": f"{_TRAIN} --steps 1 --batch-size 1 --no-pages --out run",
    f"{_HIDE} --weights my-weights": f"{_HIDE} --weights my-weights --floor 0",
    "make help": f"make -C {ROOT} help",
}
"""Equivalents that need no keyboard (tests/cli/test_passphrase.py types), and a few steps for ten minutes.

The 400 pages that a training draws first are tested in tests/training."""
NOT_HERE = {
    "pip install .": "scripts/dist_test.py installs the wheel in an empty environment, and continues offline",
    "pip install '.[train]'": "the environment of the tests is that",
    "make demo": "scripts/dist_test.py and scripts/floors.py run the demonstration",
    "make test": "this is it",
    "make check": "the gate runs its three parts: make lint, make types and make test",
    "stegcli ui": "tests/ui starts it, in a browser",
    "stegcli train --dataset lfw": "downloads 200 MB; tests/cli/test_train.py trains on a folder",
    "stegcli evaluate security --dataset imagenet,voc2012 --data-root photos": "takes hours, and data sets "
    "that are not ours to ship; tests/lab/test_commands.py runs the command on a folder",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the manual's shell is bash"),
]


def _save(path: Path, pixels: np.ndarray, size: tuple[int, int], **options: int) -> None:
    Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS).save(path, **options)


def _fill(desk: Path, cover_side: int, secret_size: tuple[int, int], photo_side: int) -> None:
    """Create all files that the commands name."""
    for folder in ("photos", "secrets", "photographs"):
        (desk / folder).mkdir(parents=True)
    _save(desk / "cover.png", data.astronaut(), (cover_side, cover_side))
    _save(desk / "secret.png", data.chelsea(), secret_size)
    _save(desk / "photo.jpg", data.astronaut(), (photo_side, photo_side), quality=95)
    _save(desk / "holiday.jpg", data.astronaut(), (320, 320), quality=90)
    for name, pixels in (("a", data.coffee()), ("b", data.rocket()), ("c", data.chelsea())):
        _save(desk / f"{name}.png", pixels, (240, 160))
    (desk / "report.pdf").write_bytes(b"%PDF-1.4 " + bytes(range(256)) * 4)
    for number in range(2):
        _save(desk / f"photos/{number}.png", data.astronaut()[9 * number :], (64, 64))
        _save(desk / f"secrets/{number}.png", data.camera(), (32, 32))
    pairs = ("cover,secret", *(f"photos/{number}.png,secrets/{number}.png" for number in range(2)))
    (desk / "pairs.csv").write_text("\n".join(pairs) + "\n")
    for number in range(12):
        Image.fromarray(data.astronaut()[30 * number :][:96, :128]).save(desk / f"photographs/{number}.png")


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Pictures whose figures the pages show, and small ones for the other blocks; each is made once."""
    folder = tmp_path_factory.mktemp("desks")
    _fill(folder / "shown", 512, (451, 300), 320)
    _fill(folder / "small", 256, (90, 60), 240)
    return {True: folder / "shown", False: folder / "small"}


def _plain(command: str) -> str:
    """Without comments for the reader, and without columns."""
    return " ".join(re.sub(r"\s+# .*", "", command).split())


def _key(step: Step) -> str:
    """The key in `BEFORE` of a command."""
    command = _plain(step.command)
    return f"{command} # writes report.pdf" if "# writes report.pdf" in step.command else command


def _blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [
        block for blocks in chapters(f"\n## all\n{text.replace('## ', '-- ')}").values() for block in blocks
    ]
    return [block for block in found if block.kind == "console"]


def _cases() -> list[Any]:
    """Blocks that several pages share are run once."""
    distinct: dict[tuple[tuple[str, str], ...], Any] = {}
    for page in PAGES:
        for block in _blocks(page):
            run = tuple(
                (_key(step), step.told) for step in block.steps if _plain(step.command) not in NOT_HERE
            )
            name = f"{page.relative_to(ROOT)}: {block.steps[0].command[:50]}"
            if run:
                distinct.setdefault(run, pytest.param(block, id=name))
    return list(distinct.values())


CASES = _cases()


@pytest.mark.parametrize("block", CASES)
def test_a_block(block: Block, tmp_path: Path, desks: dict[bool, Path]) -> None:
    (tmp_path / "tools").mkdir()
    shutil.copytree(desks[any(step.told for step in block.steps)], tmp_path / "desk")
    wrong = []
    with serving() as hub:
        settings = hub.settings(tmp_path / "hub") | {"HF_TOKEN": TOKEN}
        with Shell(tmp_path / "desk", tmp_path / "tools", settings) as shell:
            if block.steps[0].told.startswith("error: no hidden picture"):
                shell.run(f"{KEYED} hide cover.png secret.png -o stego.png -q")
            for step in block.steps:
                command = _plain(step.command)
                if command in NOT_HERE:
                    continue
                if _key(step) in BEFORE:
                    shell.run(BEFORE[_key(step)])
                said, code = shell.run(INSTEAD.get(command, command))
                if step.told:
                    wrong += differences(step.told.rstrip("\n"), said.rstrip("\n"))
                elif code:
                    wrong.append(f"$ {command}\n{said}")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_excused_that_is_not_shown() -> None:
    shown = {_plain(step.command) for page in PAGES for block in _blocks(page) for step in block.steps}
    assert set(NOT_HERE) | set(INSTEAD) <= shown
    assert {key.partition(" # ")[0] for key in BEFORE} <= shown
