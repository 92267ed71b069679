"""Compare other tools on the same pictures: steghide, stegano and ISGAN beside ours.

    python benchmarks/peers.py [--steghide PROGRAM] [--out build/peers.json]

One cover of 512x512 (scikit-image's astronaut), one secret of 128x128 (its cameraman), as AVIF at 40 dB:
the same bytes for all that take files; isgan and phase take the picture. Steghide (0.5.1, Debian) exchanges
samples of a BMP, stegano (PyPI) writes the lowest bits of a PNG one after another. Whole processes are timed,
so that all except steghide's include the start of Python. Peers that are not installed are named and skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

import stegcli
from stegcli.codecs.base import Target
from stegcli.lab.provenance import command, commit
from stegcli.lab.quality.bodies import smallest
from stegcli.pictures import metrics

Rgb = NDArray[np.uint8]

STEGCLI = [sys.executable, "-c", "from stegcli.cli import main; main()"]
STEGANO_HIDE = """
import base64, sys
from stegano import lsb
content = base64.b64encode(open(sys.argv[2], "rb").read()).decode()
lsb.hide(sys.argv[1], content).save(sys.argv[3])
"""
STEGANO_REVEAL = """
import base64, sys
from stegano import lsb
open(sys.argv[2], "wb").write(base64.b64decode(lsb.reveal(sys.argv[1])))
"""
RUNS = 3
QUALITY_DB = 40.0
WORDS = "correct horse"


@dataclass(frozen=True)
class Peer:
    """One tool.

    Attributes:
        name: name in the table.
        stego: name of the file it makes.
        hide: command that hides.
        reveal: command that reveals.
        takes: "file" or "picture".
    """

    name: str
    stego: str
    hide: Sequence[str]
    reveal: Sequence[str]
    takes: str = "file"


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steghide", default=shutil.which("steghide"), help="the program (default: on PATH)")
    parser.add_argument("--out", type=Path, default=Path("build/peers.json"))
    options = parser.parse_args()
    made_by = commit()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        facts = prepared()
        rows = [measured(peer) for peer in peers(options.steghide)]
        os.chdir(Path(__file__).parents[1])
    values = {
        "what": "peers",
        "command": command("python", "benchmarks/peers.py"),
        "commit": made_by,
        **facts,
        "missing": missing(options.steghide),
        "rows": rows,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(values, indent=1))


def prepared() -> dict[str, Any]:
    """Write cover and secret, in all formats that the tools take, into the current folder."""
    Image.fromarray(data.astronaut()).save("cover.png")
    Image.fromarray(data.astronaut()).save("cover.bmp")
    secret = Image.fromarray(data.camera()).resize((128, 128), Image.Resampling.LANCZOS)
    secret.save("secret.png")
    Path("secret.bin").write_bytes(smallest(np.asarray(secret), Target(QUALITY_DB)).payload)
    return {
        "cover_size": [512, 512],
        "secret_size": [128, 128],
        "file_bytes": Path("secret.bin").stat().st_size,
    }


def peers(steghide: str | None) -> list[Peer]:
    """Return the tools that are installed."""
    ours = [
        _ours("coded", "secret.bin", "file", "--as-file"),
        _ours("phase", "secret.png", "picture"),
        _ours("isgan", "secret.png", "picture"),
    ]
    others = []
    if steghide:
        hide = ["embed", "-cf", "cover.bmp", "-ef", "secret.bin", "-sf", "steghide.bmp", "-f", "-q", "-p"]
        reveal = ["extract", "-sf", "steghide.bmp", "-xf", "back.bin", "-f", "-q", "-p"]
        others.append(
            Peer("steghide 0.5.1", "steghide.bmp", [steghide, *hide, WORDS], [steghide, *reveal, WORDS])
        )
    if found := _version("stegano"):
        python = [sys.executable, "-c"]
        others.append(
            Peer(
                f"stegano {found}",
                "stegano.png",
                [*python, STEGANO_HIDE, "cover.png", "secret.bin", "stegano.png"],
                [*python, STEGANO_REVEAL, "stegano.png", "back.bin"],
            )
        )
    return ours + others


def _ours(model: str, secret: str, takes: str, *more: str) -> Peer:
    stego = f"{model}.png"
    hide = [*STEGCLI, "hide", "cover.png", secret, "-o", stego, "--model", model, "--force", "-q", *more]
    back = "back.bin" if takes == "file" else "back.png"
    reveal = [*STEGCLI, "reveal", stego, "-o", back, "--force", "-q"]
    return Peer(f"stegcli {stegcli.__version__}, {model}", stego, hide, reveal, takes)


def missing(steghide: str | None) -> list[str]:
    """Return the tools that could not be measured, and why."""
    found = [] if steghide else ["steghide: not installed (Debian: apt install steghide)"]
    return found + ([] if _version("stegano") else ["stegano: not installed (pip install stegano)"])


def measured(peer: Peer) -> dict[str, Any]:
    """Measure times, the distance from the cover, and whether the secret came back."""
    hide, reveal = (_seconds(words) for words in (peer.hide, peer.reveal))
    cover, stego = (_pixels(name) for name in ("cover.png", peer.stego))
    changed = (stego != cover).any(axis=2)
    return {
        "tool": peer.name,
        "stego_psnr_db": metrics.psnr(cover, stego),
        "pixels_changed": float(changed.mean()),
        "upper_half": float(changed[:256].sum() / max(1, changed.sum())),
        "came_back": _came_back(peer),
        "hide_seconds": hide,
        "reveal_seconds": reveal,
    }


def _came_back(peer: Peer) -> str:
    """Describe how the secret came back."""
    if peer.takes == "file":
        same = Path("back.bin").read_bytes() == Path("secret.bin").read_bytes()
        return "every byte" if same else "not the same"
    return f"{metrics.psnr(_gray('secret.png'), _gray('back.png')):.1f} dB"


def _seconds(words: Sequence[str]) -> float:
    """Return the median processor time of whole processes, which a busy machine hardly affects."""
    times = []
    for _ in range(RUNS):
        before = _spent()
        subprocess.run(words, check=True, capture_output=True, env=os.environ | {"STEGCLI_PASSPHRASE": WORDS})
        times.append(_spent() - before)
    return round(median(times), 2)


def _spent() -> float:
    """Return the processor time, in seconds, of all child processes so far."""
    times = os.times()
    return times.children_user + times.children_system


def _pixels(name: str) -> Rgb:
    return np.asarray(Image.open(name).convert("RGB"))


def _gray(name: str) -> Rgb:
    return np.asarray(Image.open(name).convert("L"))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
