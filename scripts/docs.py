"""Gather the pages of the documentation in build/docs, with links that hold there.

    python scripts/docs.py [FOLDER]

docs/ is the most of it; training/README.md, results/README.md, SECURITY.md and CONTRIBUTING.md are where they
belong and are copied. A link that leaves the gathered pages becomes plain text.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ELSEWHERE = {
    "training/README.md": "training.md",
    "results/README.md": "results.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def gather(folder: Path) -> None:
    """Write all pages and pictures into a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    places = {path: path.name for path in (ROOT / "docs").iterdir() if path.suffix != ".1"}
    places |= {ROOT / source: name for source, name in ELSEWHERE.items()}
    for source, name in places.items():
        if source.suffix == ".md":
            text = source.read_text(encoding="utf-8")
            (folder / name).write_text(_linked(text, source.parent, places), encoding="utf-8")
        else:
            shutil.copyfile(source, folder / name)


def _linked(text: str, home: Path, places: dict[Path, str]) -> str:
    def one(found: re.Match[str]) -> str:
        mark, words, target = found.groups()
        path, hash_sign, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target) or not path:
            return found[0]
        name = places.get(Path(os.path.normpath(home / path)))
        return words if name is None else f"{mark}[{words}]({name}{hash_sign}{anchor})"

    return LINK.sub(one, text)


if __name__ == "__main__":
    gather(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "docs")
