"""Install the lowest versions that pyproject.toml allows, exactly those, and run the demonstration with them.

Usage: floors.py. A bound that nobody installs is a guess: features and names that a library gained later slip
in unseen.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from dist_test import ROOT, build
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXTRAS = ("demo",)
ALSO = ("models", "--json")
"""A command that the demonstration leaves out: it reads the manifest."""


def main() -> None:
    """Leave with an exception if a bound is wrong."""
    pins = floors(ROOT / "pyproject.toml")
    print("The lowest versions:", ", ".join(pins))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
        _run(folder, python, *pip, "install", "--only-binary", ":all:", str(build(folder)), *pins)
        _run(folder, python, *pip, "check")
        _run(folder, python, "-m", "stegcli", *ALSO)
        _run(folder, python, str(shutil.copy(ROOT / "scripts" / "demo.py", folder)), "demo-output")


def floors(pyproject: Path) -> list[str]:
    """The run-time dependencies and those of `EXTRAS` that hold for this Python, as name==lowest version.

    Raises:
        SystemExit: one of them has no lower bound, or more than that.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    lines = [
        *project["dependencies"],
        *(each for extra in EXTRAS for each in project["optional-dependencies"][extra]),
    ]
    wanted = [Requirement(line) for line in lines]
    return [_pin(each) for each in wanted if each.marker is None or each.marker.evaluate()]


def _pin(requirement: Requirement) -> str:
    bounds = [each.version for each in requirement.specifier if each.operator == ">="]
    if len(bounds) != 1:
        raise SystemExit(f"{requirement} does not state its lowest version.")
    return f"{requirement.name}=={bounds[0]}"


def _run(folder: Path, python: Path, *args: str) -> None:
    subprocess.run([str(python), *args], cwd=folder, check=True)


if __name__ == "__main__":
    main()
