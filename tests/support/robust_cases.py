"""Covers, secrets and keys of the tests of `robust`, and stegos that no honest writer would make."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

from stegcli.carriers.tiles import Tile
from stegcli.codecs.base import FileSecret
from stegcli.envelope import sturdy, sturdy_body
from stegcli.envelope.keys import Keyring
from stegcli.envelope.sturdy import SturdyHead
from stegcli.methods import table
from stegcli.methods.base import Cover, Job, Stego, Wishes
from stegcli.methods.robust import strength
from stegcli.methods.robust.covers import PixelsCarrier
from stegcli.models.loading import Models

SALT = bytes(range(16))
SIDE = 256
MODELS = Models(device="cpu")

Secret = np.ndarray | FileSecret


@cache
def keyring(passphrase: str | None = None) -> Keyring:
    """One keyring for all tests: a key takes a tenth of a second to derive."""
    return Keyring(passphrase)


@cache
def photograph(side: int = SIDE) -> np.ndarray:
    """(side, side, 3) uint8."""
    small = Image.fromarray(data.astronaut()).resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(small)


@cache
def secret(side: int = 32) -> np.ndarray:
    """(side, side) uint8."""
    return np.asarray(Image.fromarray(data.camera()).resize((side, side), Image.Resampling.LANCZOS))


def hidden(
    cover: Cover | np.ndarray, content: Secret, *, passphrase: str | None = None, **wishes: Any
) -> Stego:
    """Hide with the method, under a salt that is always the same."""
    method, model = table.chosen("robust", MODELS)
    carrier = cover if isinstance(cover, Cover) else Cover(cover)
    return method.hide(Job(carrier, content, MODELS, model, keyring(passphrase), Wishes(**wishes), SALT))


@cache
def stego(survive: str = "jpeg:75") -> Stego:
    """The secret in the photograph, made once."""
    return hidden(photograph(), secret(), survive=survive)


@cache
def large_stego() -> Stego:
    """Four tiles, made once."""
    return hidden(photograph(2 * SIDE), secret(), survive="jpeg:75")


def revealed(rgb: np.ndarray, jpeg: bytes | None = None, *, passphrase: str | None = None) -> Secret:
    """Open as a receiver does who knows only the passphrase."""
    method, opened = table.open_stego(rgb, None, keyring(passphrase), jpeg)
    assert method.family == "robust"
    return method.reveal(opened, MODELS).content


def saved(rgb: np.ndarray, format_name: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, format_name, **options)
    return file.getvalue()


def decoded(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def resized(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to (height, width)."""
    return np.asarray(Image.fromarray(rgb).resize((size[1], size[0]), Image.Resampling.LANCZOS))


def forged(
    cover_rgb: np.ndarray,
    *,
    frequencies: int = 8,
    body_bytes: int = 64,
    quality: int = 60,
    shape: tuple[int, int] | None = None,
    body: bytes | None = None,
) -> np.ndarray:
    """A stego under the public key whose sturdy head has the fields of the arguments.

    Its body, if there is one, is written where the head says, sealed or not.
    """
    carrier = PixelsCarrier(cover_rgb)
    locator, keys = keyring().locator(0), keyring().keys(sturdy.whole_salt(SALT[:8]))
    tile = Tile.of(locator)
    rows, columns = shape or (carrier.blocks.rows, carrier.blocks.columns)
    head = SturdyHead(quality, frequencies, body_bytes, rows, columns)
    bits = sturdy.coded(head, SALT[:8], locator)
    writer = strength.HeadWriter(carrier, tile, bits, locator)
    change = writer.change(0.0)
    if body is None:
        return carrier.written([change]).rgb
    layout = sturdy_body.layout_of(head, tile, keys)
    return strength.Body(carrier, layout, layout.pieces.encode(body), change, writer).written(-1.0).rgb
