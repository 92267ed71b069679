"""Hide a photograph in another one, reveal it, and measure both with somebody else's code.

Usage: demo.py FOLDER. Needs stegcli and scikit-image, whose photographs these are; downloads nothing.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def main() -> None:
    """Run the demonstration in the folder given on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(data.astronaut()).save(folder / "cover.png")
    Image.fromarray(data.chelsea()).save(folder / "secret.png")
    _stegcli(folder, "hide", "cover.png", "secret.png", "-o", "stego.png", "--force")
    _stegcli(folder, "reveal", "stego.png", "-o", "revealed.png", "--force")
    secret_gray = np.asarray(Image.open(folder / "secret.png").convert("L"))
    print("\nRead again from the files:")
    _compare(folder, "stego.png", "cover.png", np.asarray(Image.open(folder / "cover.png")))
    _compare(folder, "revealed.png", "secret.png", secret_gray)
    names = ", ".join(path.name for path in sorted(folder.glob("*.png")))
    print(f"\nLook at them: {names} in {folder.resolve()}")


def _stegcli(folder: Path, *args: str) -> None:
    print(f"$ stegcli {shlex.join(args)}", flush=True)
    subprocess.run([sys.executable, "-m", "stegcli", *args], cwd=folder, check=True)


def _compare(folder: Path, name: str, reference: str, expected: np.ndarray) -> None:
    pixels = np.asarray(Image.open(folder / name))
    psnr = peak_signal_noise_ratio(expected, pixels)
    ssim = structural_similarity(
        expected,
        pixels,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2 if pixels.ndim == 3 else None,
    )
    print(f"  {folder / name} against {reference}: PSNR {psnr:.2f} dB, SSIM {ssim:.4f}")


if __name__ == "__main__":
    main()
