"""Compare CUDA with the CPU: the outputs of every network of the program, and the time that files take.

    python benchmarks/devices.py [--side 512] [--large 3000x4000] [--out results/devices.json]

Differences are those of whole networks on one synthetic picture of --side: in turns for the encoder of
`phase` (its phases), in grey levels for pictures, in the logarithm for costs. Then `hide` and `reveal` run on
both devices with a synthetic photograph of --large, warm: each device reveals what the other has hidden.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import stegcli
from stegcli.carriers.costs import hill_cost
from stegcli.cores import cores
from stegcli.lab.provenance import command
from stegcli.models.loading import Models
from stegcli.models.runtime import load_runtime

GRAPHS = {
    "phase-v1": ("encoder", "decoder", "cost"),
    "phase-progressive-v1": ("encoder", "decoder"),
    "isgan-lfw-v1": ("encoder", "decoder"),
    "isgan-photos-v1": ("encoder", "decoder"),
    "isgan-photos-v2": ("encoder", "decoder"),
}
SIGMA = 0.0278
DEVICES = ("cpu", "cuda")


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--large", default="3000x4000", help="height x width")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    height, width = map(int, given.large.split("x"))
    owned = {device: Models(device=device) for device in DEVICES}
    results = {
        "command": command("python", "benchmarks/devices.py"),
        "version": stegcli.__version__,
        "machine": {
            "cores": cores(),
            "python": platform.python_version(),
            "onnxruntime": load_runtime().__version__,
        },
        "networks": [
            _compared(model, role, given.side, owned) for model, roles in GRAPHS.items() for role in roles
        ],
        "files": [_files(model, (height, width)) for model in ("phase-v1", "isgan-photos-v2")],
    }
    text = json.dumps(results, indent=2)
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n")


def photograph(height: int, width: int) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8: smooth, with edges and grain, from a fixed seed."""
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (max(2, height // 48), max(2, width // 48), 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.int16)
    grain = rng.normal(0, 3, (height, width, 1)).astype(np.int16)
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def _compared(model: str, role: str, side: int, owned: dict[str, Models]) -> dict[str, object]:
    """Run one graph on both devices."""
    planes, unit = _planes(model, role, side)
    scalars = {"sigma": SIGMA, "damage": 0.0, "planes": 64}
    answers, seconds = {}, {}
    for device, models in owned.items():
        network = models.find(model)(role)
        if network.device != device:
            raise SystemExit(f"{model} {role} runs on {network.device}, not on {device}")
        network.run(planes, scalars)
        begun = time.perf_counter()
        answers[device] = network.run(planes, scalars)
        seconds[device] = time.perf_counter() - begun
    apart = np.abs(answers["cpu"] - answers["cuda"]) * (255 if unit == "grey levels" else 1)
    return {
        "model": model, "role": role, "unit": unit,
        "largest_difference": float(apart.max()), "mean_difference": float(apart.mean()),
        "seconds": seconds,
    }  # fmt: skip


def _planes(model: str, role: str, side: int) -> tuple[NDArray[np.float32], str]:
    """Return the graph's input, (1, C, side, side), and the unit of its output."""
    rgb = photograph(side, side).astype(np.float32)
    luma = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    if role == "cost":
        return np.stack([luma, np.log(hill_cost(luma))])[None], "of the logarithm"
    if model.startswith("phase"):
        turn = 2 * np.pi * np.random.default_rng(8).random((side, side), np.float32)
        if role == "encoder":
            return luma[None, None] / 255, "turns"
        return np.stack([np.cos(turn), np.sin(turn)]).astype(np.float32)[None], "grey levels"
    secret = np.flipud(luma)
    return (np.stack([luma, secret]) if role == "encoder" else luma[None])[None] / 255, "grey levels"


def _files(model: str, shape: tuple[int, int]) -> dict[str, object]:
    """Hide on both devices, and reveal each stego on both."""
    cover = photograph(*shape)
    secret = np.ascontiguousarray(np.flipud(cover)[..., 1])
    times: dict[str, float] = {}
    revealed: dict[str, NDArray[np.uint8]] = {}
    with tempfile.TemporaryDirectory() as folder:
        stegcli.hide(
            cover[:512, :512], secret[:512, :512], Path(folder) / "w.png", model=model, device="cuda"
        )
        for hider in DEVICES:
            stego = Path(folder) / f"{hider}.png"
            begun = time.perf_counter()
            stegcli.hide(cover, secret, stego, model=model, device=hider)
            times[f"hide_{hider}"] = round(time.perf_counter() - begun, 3)
            for reader in DEVICES:
                begun = time.perf_counter()
                found = stegcli.reveal(stego, device=reader)
                times[f"reveal_{reader}"] = round(time.perf_counter() - begun, 3)
                revealed[f"{hider} {reader}"] = np.asarray(found.revealed_gray)
    apart = {
        f"hidden on {hider}": int(
            np.abs(revealed[f"{hider} cpu"].astype(int) - revealed[f"{hider} cuda"].astype(int)).max()
        )
        for hider in DEVICES
    }
    errors = {
        name: round(float(10 * np.log10(255**2 / np.square(found.astype(float) - secret).mean())), 2)
        for name, found in revealed.items()
    }
    return {
        "model": model, "shape": list(shape), "seconds": times,
        "revealed_apart_in_grey_levels": apart, "revealed_psnr_db": errors,
    }  # fmt: skip


if __name__ == "__main__":
    main()
