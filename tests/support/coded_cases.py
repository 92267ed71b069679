"""Hiding and revealing with coded bits, arrays in and out; and stegos that no honest writer would make."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from stegcli.carriers import samples
from stegcli.carriers.keyed_order import subkey
from stegcli.codecs.base import FileSecret
from stegcli.envelope import head
from stegcli.envelope.head import Head
from stegcli.envelope.keys import Keyring
from stegcli.methods import table
from stegcli.methods.base import Cover, Job, Stego, Wishes
from stegcli.models.loading import Models

SALT = bytes(range(16))
CHANNEL = 16
_ZERO_NONCE = bytes(12)
_MODELS = Models(device="cpu")

Secret = np.ndarray | FileSecret


@cache
def keyring(passphrase: str | None = None) -> Keyring:
    """One keyring for all tests: a key takes a tenth of a second to derive."""
    return Keyring(passphrase)


def hidden(
    cover_rgb: np.ndarray,
    secret: Secret,
    *,
    alpha: np.ndarray | None = None,
    passphrase: str | None = None,
    wishes: Wishes | None = None,
) -> Stego:
    """Hide with the method, under a salt that is always the same."""
    method, model = table.chosen("coded", _MODELS)
    wanted = wishes or Wishes()
    return method.hide(
        Job(Cover(cover_rgb, alpha), secret, _MODELS, model, keyring(passphrase), wanted, SALT)
    )


def revealed(
    stego_rgb: np.ndarray, *, alpha: np.ndarray | None = None, passphrase: str | None = None
) -> Secret:
    """Open as a receiver does who knows only the passphrase."""
    method, opened = table.open_stego(stego_rgb, alpha, keyring(passphrase))
    assert method.family == "coded"
    return method.reveal(opened, _MODELS).content


def changed_pixels(cover_rgb: np.ndarray, stego_rgb: np.ndarray) -> np.ndarray:
    """(H, W) bool."""
    return (cover_rgb != stego_rgb).any(axis=-1)


def head_places(pixel_count: int, passphrase: str | None = None) -> np.ndarray:
    """(m,) indices of the pixels that are reserved for the head."""
    return head.PIXELS.draw(pixel_count, keyring(passphrase).locator(pixel_count))


def forged(cover_rgb: np.ndarray, payload: bytes, **fields: Any) -> np.ndarray:
    """A stego under the public key whose head has these fields, with a body that opens to `payload`.

    The head and the body's seal implement the format a second time.
    """
    pixels = np.ascontiguousarray(cover_rgb).reshape(-1, 3)
    subkeys, locator = keyring().keys(SALT), keyring().locator(len(pixels))
    places = head.PIXELS.draw(len(pixels), locator)
    rest = np.ones(len(pixels), dtype=bool)
    rest[places] = False
    said: dict[str, Any] = {
        "channel": CHANNEL,
        "codec": 1,
        "keyed": False,
        "secret_shape": (0, 0),
        "hidden_shape": (0, 0),
        "is_colour": False,
        "content_bytes": len(payload),
        "body_bytes": len(payload) + 16,
        "own": bytes(head.OWN_BYTES),
    }
    own = fields.pop("own", None)
    first = Head(**(said | fields))
    cipher = ChaCha20Poly1305(subkey(subkeys.header, b"body"))
    body = cipher.encrypt(_ZERO_NONCE, payload, first.to_bytes())
    rho, precision = np.ones(len(pixels), dtype=np.float32), np.eye(3)
    written = samples.write(pixels[rest], rho[rest], precision, body, subkeys)
    last = replace(first, own=written.marks.to_bytes()[4:] if own is None else own)
    message = SALT + head.seal_head(last, subkeys)
    stego = np.empty_like(pixels)
    stego[rest] = written.pixels
    stego[places] = head.write(pixels[places], rho[places], precision, message, locator)
    return stego.reshape(cover_rgb.shape)
