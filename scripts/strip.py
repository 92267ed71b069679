"""Put the demonstration's pictures side by side, as the README shows them.

Usage: strip.py DEMO_FOLDER OUT.png [HEIGHT]. Left to right: cover, secret, stego, revealed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

ORDER = ("cover", "secret", "stego", "revealed")
GAP = 6


def main() -> None:
    """Read the four pictures, bring them to one height, write the strip."""
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    height = int(sys.argv[3]) if len(sys.argv) > 3 else 220
    pictures = [_at_height(folder / f"{name}.png", height) for name in ORDER]
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    strip = Image.new("RGB", (width, height), "white")
    left = 0
    for picture in pictures:
        strip.paste(picture, (left, 0))
        left += picture.width + GAP
    strip.save(out, optimize=True)


def _at_height(path: Path, height: int) -> Image.Image:
    mode = "L" if path.stem in {"secret", "revealed"} else "RGB"
    picture = Image.open(path).convert(mode).convert("RGB")
    return picture.resize((round(picture.width * height / picture.height), height), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
