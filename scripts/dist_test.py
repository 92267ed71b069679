"""Build the wheel, install it in an empty environment in another folder, and run the demonstration there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "stegcli", "training", "weights")
NEEDED = (
    "stegcli/py.typed",
    "stegcli/cli/app.py",
    "stegcli/training/__init__.py",
    "stegcli/weights/manifest.toml",
)
ABSENT = "import importlib.util as u; assert not any(map(u.find_spec, ('torch', 'onnx', 'accelerate')))"
INSIDE = "import pathlib, stegcli, stegcli.weights, sys; print(pathlib.Path(stegcli.__file__).parent)"


def main() -> None:
    """Leave with an exception if anything is not as it should be."""
    with tempfile.TemporaryDirectory() as folder:
        _test(Path(folder))
    print("The wheel works in an empty environment, without torch.")


def _test(folder: Path) -> None:
    wheel = build(folder)
    _check_content(wheel)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    _run(
        python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{wheel}[demo]", cwd=folder
    )
    _run(python, "-c", ABSENT, cwd=folder)
    _run(python, "-c", INSIDE, cwd=folder)
    _run(python, str(shutil.copy(ROOT / "scripts" / "demo.py", folder)), "demo-output", cwd=folder)


def build(folder: Path) -> Path:
    """A wheel in `folder`, built from a copy: what earlier builds left in the checkout must not slip in."""
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    args = (
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "-w",
        str(folder),
        str(source),
    )
    _run(Path(sys.executable), *args, cwd=folder)
    return next(folder.glob("stegcli-*.whl"))


def _check_content(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    missing = [name for name in NEEDED if name not in names]
    if not any(name.startswith("stegcli/weights/") and name.endswith("/decoder.onnx") for name in names):
        missing.append("stegcli/weights/*/decoder.onnx")
    if not any(name.startswith("stegcli/training/recipes/") and name.endswith(".toml") for name in names):
        missing.append("stegcli/training/recipes/*.toml")
    strays = [name for name in names if not name.startswith(("stegcli/", "stegcli-"))]
    if missing or strays:
        raise SystemExit(f"The wheel lacks {missing} and should not hold {strays}.")
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size / 1e6:.1f} MB")


def _run(python: Path, *args: str, cwd: Path) -> None:
    subprocess.run([str(python), *args], cwd=cwd, check=True)


if __name__ == "__main__":
    main()
