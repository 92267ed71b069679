"""The commit and the command that produced a figure, for files with measured results."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

__all__ = ["command", "commit"]


def commit(folder: Path = Path(__file__).parent) -> str | None:
    """Return the commit of the code in `folder`, with "-dirty" if files differ from it.

    None if there is no git, or no checkout: an installed copy may lie inside another project's.
    """
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def command(*program: str) -> str:
    """Return what was typed after `program`; files without their folders, which mean nothing elsewhere."""
    return shlex.join([*program, *(Path(word).name if "/" in word else word for word in sys.argv[1:])])


def _git(folder: Path, *words: str) -> str | None:
    """Return what git prints, or None if it is not installed or refuses."""
    try:
        done = subprocess.run(  # noqa: S603 - all words are this module's
            ["git", "-C", str(folder), *words],  # noqa: S607 - git, wherever it lies
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
