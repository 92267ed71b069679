"""Pages to hide: text, forms, screens, codes and line art, drawn with Pillow from a seed.

People hide documents as often as photographs, and photographs alone teach a codec nothing about sharp black
strokes on flat white. Pages need only Pillow; more fonts make better pages (see `find_fonts`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from stegcli.lab.data.photos import SIDE

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOWELS = "aeiou"


def find_fonts(folders: Sequence[Path]) -> list[Path]:
    """Return all TrueType and OpenType files below the folders, sorted by name."""
    return sorted(p for f in folders for p in f.rglob("*") if p.suffix.lower() in {".ttf", ".otf"})


def draw_page(seed: int, fonts: Sequence[Path] = ()) -> NDArray[np.uint8]:
    """Return the page of this seed, (256, 256) uint8. Without `fonts`, Pillow's own font is used."""
    rng = random.Random(seed)  # noqa: S311 - drawings, not keys
    paper, ink = _tones(rng)
    image = Image.new("L", (SIDE, SIDE), paper)
    kinds: list[Callable[[Image.Image, random.Random, Sequence[Path], int], None]]
    kinds = [_text, _text, _text, _screen, _code, _code, _line_art, _chart]
    rng.choice(kinds)(image, rng, fonts, ink)
    return _scan(image, rng)


def _tones(rng: random.Random) -> tuple[int, int]:
    if rng.random() < 0.5:
        return 255, 0
    paper, ink = rng.randint(200, 255), rng.randint(0, 90)
    return (ink, paper) if rng.random() < 0.2 else (paper, ink)


def _font(rng: random.Random, fonts: Sequence[Path], low: int = 7, high: int = 30) -> Font:
    size = round(low * (high / low) ** rng.random())
    if not fonts or rng.random() < 0.1:
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(rng.choice(fonts)), size)


def _word(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.12:
        return f"{rng.randint(0, 99999)}{rng.choice(['', '.', '%', ',00', '-'])}"
    letters = [rng.choice(VOWELS if i % 2 else LETTERS) for i in range(rng.randint(1, 10))]
    word = "".join(letters)
    word = word.upper() if kind > 0.94 else word.capitalize() if kind > 0.8 else word
    return word + rng.choice(["", "", "", "", ",", ".", ";", ":", "!", ")"])


def _text(image: Image.Image, rng: random.Random, fonts: Sequence[Path], ink: int) -> None:
    draw, font = ImageDraw.Draw(image), _font(rng, fonts)
    line = max(6, round(_height(font) * rng.uniform(1.05, 1.7)))
    left, right = rng.randint(-20, 30), SIDE - rng.randint(-20, 30)
    for y in range(rng.randint(-10, 10), SIDE, line):
        if rng.random() < 0.12:
            font = _font(rng, fonts) if rng.random() < 0.3 else font
            continue
        x = left + (rng.randint(0, 30) if rng.random() < 0.2 else 0)
        end = right if rng.random() < 0.75 else rng.randint(left, SIDE)
        while x < end:
            word = _word(rng) + " "
            draw.text((x, y), word, fill=ink, font=font)
            x += max(4, round(draw.textlength(word, font=font)))


def _screen(image: Image.Image, rng: random.Random, fonts: Sequence[Path], ink: int) -> None:
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(3, 12)):
        x, y = rng.randint(-40, SIDE - 20), rng.randint(-40, SIDE - 20)
        box = (x, y, x + rng.randint(20, 200), y + rng.randint(12, 140))
        fill = rng.choice([None, rng.randint(0, 255), rng.randint(180, 255)])
        outline = rng.choice([ink, rng.randint(0, 255)])
        draw.rounded_rectangle(
            box, rng.choice([0, 0, 4, 9]), fill=fill, outline=outline, width=rng.randint(1, 3)
        )
        font, shade = _font(rng, fonts, 7, 16), 0 if (fill or 255) > 127 else 255
        for row in range(rng.randint(0, 4)):
            text = " ".join(_word(rng) for _ in range(rng.randint(1, 5)))
            draw.text((x + 6, y + 4 + row * (_height(font) + 3)), text, fill=shade, font=font)
    if rng.random() < 0.3:
        ramp = Image.linear_gradient("L").rotate(rng.choice([0, 90, 180, 270]))
        image.paste(ramp.resize((rng.randint(30, 160), rng.randint(30, 160))), (rng.randint(0, 200), 128))


def _code(image: Image.Image, rng: random.Random, fonts: Sequence[Path], ink: int) -> None:
    """Draw the modules of a two-dimensional code with finder squares, or a bar code, without content."""
    del fonts
    noise = np.random.default_rng(rng.randrange(2**32))
    if rng.random() < 0.2:
        widths = noise.integers(1, rng.randint(3, 7), 200)
        bars = np.repeat(np.arange(200) % 2, widths)[: rng.randint(80, 240)]
        modules = np.tile(bars, (rng.randint(30, 160), 1))
        scale = 1
    else:
        count, scale = rng.choice([21, 25, 29, 33, 37, 41, 57]), rng.randint(2, 9)
        modules = noise.integers(0, 2, (count, count))
        finder = np.pad(np.pad(np.ones((3, 3), int), 1), 1, constant_values=1)
        modules[:8, :8] = modules[:8, -8:] = modules[-8:, :8] = 0
        modules[:7, :7] = modules[:7, -7:] = modules[-7:, :7] = finder
    pixels = Image.fromarray((modules * 255).astype(np.uint8))
    pixels = pixels.resize((pixels.width * scale, pixels.height * scale), Image.Resampling.NEAREST)
    if rng.random() < 0.3:
        factor = rng.uniform(0.6, 1.4)
        size = (max(20, round(pixels.width * factor)), max(20, round(pixels.height * factor)))
        pixels = pixels.resize(size, Image.Resampling.BICUBIC)
    corner = (SIDE - pixels.width) // 2 + rng.randint(-20, 20), (SIDE - pixels.height) // 2
    image.paste(ink, (*corner, corner[0] + pixels.width, corner[1] + pixels.height), pixels)


def _line_art(image: Image.Image, rng: random.Random, fonts: Sequence[Path], ink: int) -> None:
    draw = ImageDraw.Draw(image)

    def point() -> tuple[int, int]:
        return rng.randint(-20, SIDE + 20), rng.randint(-20, SIDE + 20)

    for _ in range(rng.randint(4, 30)):
        width, kind = rng.choice([1, 1, 2, 3, 5]), rng.randrange(4)
        a, b = point(), point()
        box = (min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))
        if kind == 0:
            draw.line([point() for _ in range(rng.randint(2, 6))], fill=ink, width=width, joint="curve")
        elif kind == 1:
            draw.ellipse(box, outline=ink, width=width)
        elif kind == 2:
            draw.arc(box, rng.randint(0, 360), rng.randint(0, 360), fill=ink, width=width)
        else:
            fill = rng.choice([None, None, rng.randint(0, 255)])
            draw.polygon([point() for _ in range(rng.randint(3, 5))], outline=ink, fill=fill)
    if rng.random() < 0.4:
        draw.text((rng.randint(0, 150), rng.randint(0, 230)), _word(rng), fill=ink, font=_font(rng, fonts))


def _chart(image: Image.Image, rng: random.Random, fonts: Sequence[Path], ink: int) -> None:
    draw, font = ImageDraw.Draw(image), _font(rng, fonts, 7, 13)
    left, top, right, bottom = 28, 14, SIDE - 10, SIDE - 24
    step = rng.choice([12, 20, 32, 48])
    if rng.random() < 0.7:
        for at in range(left, right, step):
            draw.line((at, top, at, bottom), fill=rng.choice([ink, 190, 220]))
        for at in range(top, bottom, step):
            draw.line((left, at, right, at), fill=rng.choice([ink, 190, 220]))
    draw.rectangle((left, top, right, bottom), outline=ink)
    for _ in range(rng.randint(1, 4)):
        y, path = rng.uniform(top, bottom), []
        for x in range(left, right, rng.randint(3, 24)):
            y = min(max(y + rng.gauss(0, 14), top), bottom)
            path.append((x, y))
        draw.line(path, fill=rng.randint(0, 160), width=rng.randint(1, 3))
    for at in range(top, bottom, max(16, step)):
        draw.text((2, at), str(rng.randint(0, 999)), fill=ink, font=font)


def _height(font: Font) -> int:
    _, top, _, bottom = font.getbbox("Ag")
    return round(bottom - top)


def _scan(image: Image.Image, rng: random.Random) -> NDArray[np.uint8]:
    """Leave half of the pages as drawn; rotate, soften or add noise to the others, as scanners do."""
    if rng.random() < 0.2:
        fill = image.getpixel((0, 0))
        image = image.rotate(rng.uniform(-8, 8), Image.Resampling.BICUBIC, fillcolor=fill)
    if rng.random() < 0.25:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    pixels = np.asarray(image, dtype=np.float32)
    if rng.random() < 0.2:
        noise = np.random.default_rng(rng.randrange(2**32))
        pixels = pixels + noise.normal(0, rng.uniform(1, 8), pixels.shape)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
