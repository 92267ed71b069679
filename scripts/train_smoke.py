"""Train the phase codec for a minute on the CPU, export it, then hide and reveal with the result.

Usage: train_smoke.py FOLDER. Trains on scikit-image's photographs; downloads nothing.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from skimage import data

PHOTOGRAPHS = (  # all in the scikit-image package itself: nothing to download
    "brick",
    "camera",
    "coins",
    "grass",
    "gravel",
    "moon",
    "rocket",
    "retina",
    "hubble_deep_field",
    "coffee",
)
TRAIN = (
    "train",
    "--model",
    "phase",
    "--recipe",
    "phase-cpu",
    "--dataset",
    "folder:photographs",
    "--out",
    "run",
)


def main() -> None:
    """Leave with the exit code of the first command that fails."""
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "photographs").mkdir(parents=True)
    for name in PHOTOGRAPHS:
        Image.fromarray(getattr(data, name)()).save(folder / "photographs" / f"{name}.png")
    Image.fromarray(data.astronaut()).save(folder / "cover.png")
    Image.fromarray(data.chelsea()).save(folder / "secret.png")
    _stegcli(folder, *TRAIN, "--device", "cpu", "--minutes", "1")
    _stegcli(folder, "export", "run", "--out", "weights")
    # A minute teaches too little to pass for a revealed picture; what it does teach is reported.
    floor = ("--floor", "0")
    _stegcli(folder, "hide", "cover.png", "secret.png", "-o", "stego.png", "--weights", "weights", *floor)
    _stegcli(folder, "reveal", "stego.png", "-o", "revealed.png", "--weights", "weights")


def _stegcli(folder: Path, *args: str) -> None:
    print(f"$ stegcli {shlex.join(args)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "stegcli", *args], cwd=folder, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
