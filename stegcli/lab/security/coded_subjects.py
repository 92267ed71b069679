"""Coded bits as shown to a detector, and their rival: an ideal coder with HILL costs.

A body is a ciphertext, which looks random: as many random bytes as the secret would take give stegos with the
same distribution as `stegcli hide --model coded`, and need no codec where the number of bits is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers import samples
from stegcli.carriers.prices import colour_precision
from stegcli.carriers.streams import Keys
from stegcli.codecs.base import Rate, Target
from stegcli.envelope import head
from stegcli.lab import writing
from stegcli.lab.quality.bodies import smallest
from stegcli.lab.quality.hiders import random_numbers, seed_bytes
from stegcli.lab.security.learned_costs import joint_cost
from stegcli.lab.security.subjects import Cost, smaller
from stegcli.pictures import luma

__all__ = ["CodedSubject", "HillSubject"]

U8 = NDArray[np.uint8]

_TAG_BYTES = 16
"""Bytes of the body's seal."""


@dataclass(frozen=True)
class CodedSubject:
    """Coded bits with their head, as `stegcli hide` writes them.

    Attributes:
        name: name in the table.
        goal: the quality at which the secret is revealed, or bits of body for each of its pixels. What
            does not fit is cut off, just as `hide` takes the best quality that fits.
        spread: cover pixels per pixel of the secret.
        cost: (H, W) luma in grey levels -> costs; the program's own unless others are being tried.
    """

    name: str
    goal: Target | Rate
    spread: int = 1
    cost: Cost = joint_cost

    def stego(self, cover_rgb: U8, secret_gray: U8, seed: str) -> U8:
        """Return a stego; the secret only determines the number of bits."""
        return self.write(cover_rgb, self.body_bytes(secret_gray), seed)

    def write(self, cover_rgb: U8, body_bytes: int, seed: str) -> U8:
        """Return a stego, (H, W, 3) uint8, with a head and a number of body bytes, or as many as fit."""
        pixels = np.ascontiguousarray(cover_rgb).reshape(-1, 3)
        levels = luma.luma_levels(cover_rgb)
        rho, precision = self.cost(levels).reshape(-1), colour_precision(cover_rgb)
        rng, locator = random_numbers(seed, "body"), seed_bytes(seed, "locator")
        subkeys = Keys(*(seed_bytes(seed, purpose) for purpose in ("header", "keystream", "permutation")))
        places = head.PIXELS.draw(len(pixels), locator)
        rest = np.ones(len(pixels), dtype=np.bool_)
        rest[places] = False
        body = rng.bytes(min(body_bytes, samples.room(pixels[rest])))
        stego = np.empty_like(pixels)
        stego[rest] = samples.write(pixels[rest], rho[rest], precision, body, subkeys, threads=1).pixels
        message = rng.bytes(head.MESSAGE_BYTES)
        stego[places] = head.write(pixels[places], rho[places], precision, message, locator)
        return stego.reshape(cover_rgb.shape)

    def body_bytes(self, secret_gray: U8) -> int:
        """Return the body bytes for an (H, W) uint8 secret, which is first reduced by the spread."""
        secret_gray = smaller(secret_gray, self.spread)
        if isinstance(self.goal, Rate):
            return round(self.goal.bits_per_pixel * secret_gray.size / 8)
        return len(smallest(secret_gray, self.goal).payload) + _TAG_BYTES


@dataclass(frozen=True)
class HillSubject:
    """Bits written by an ideal coder with HILL costs, one channel at a time, simulated at random.

    Attributes:
        name: name in the table.
        rate: bits per cover pixel.
    """

    name: str
    rate: float

    def stego(self, cover_rgb: U8, secret_gray: U8, seed: str) -> U8:
        """Return a stego; the secret is not used."""
        del secret_gray
        bits = self.rate * cover_rgb[..., 0].size
        return writing.IdealCoder.on(cover_rgb).write(bits, random_numbers(seed, "changes"))
