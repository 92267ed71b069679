"""Hide a picture in the luma of a cover by a network alone (family `isgan`): arrays in, arrays out.

cover luma ─┬─> encoder ─> new luma ─(+ the cover's chroma)─> RGB ─ header in the parities ─> stego
secret ─────┘   (resized to the cover's size)
stego luma ───> decoder ─> revealed

After Zhang, Dong and Liu, "Invisible Steganography via Generative Adversarial Networks", 2019. The passphrase
seals the header. The picture has no key: the decoder alone shows it to whoever has the model.
"""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING

import numpy as np

from stegcli import container, images, keys, luma
from stegcli.errors import UsageError
from stegcli.methods.envelope import HideOutcome, carriers, check_room, check_secret, put_back, usable_pixels
from stegcli.progress import tell, within
from stegcli.session import run_tiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from stegcli.container import Header
    from stegcli.keys import Keyring
    from stegcli.methods.envelope import Received
    from stegcli.progress import Progress
    from stegcli.session import Network
    from stegcli.tiling import Tile

    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]
    Planes = NDArray[np.float32]

__all__ = ["draw", "hide", "reveal"]

ENCODER_TILE, DECODER_TILE = 1 << 17, 1 << 19
"""Most pixels that each network sees at once: full resolution throughout, up to 256 planes wide."""

_WHITE = np.float32(255)
_WHITE_MILLI = np.float32(255 * luma.MILLI)

OPEN_NOTICE = "ISGAN's picture itself has no key: anybody who has the model can reveal it"
HEADER_ONLY_NOTICE = "the passphrase locks only the header; " + OPEN_NOTICE


def hide(
    cover_rgb: Rgb,
    alpha: Gray | None,
    secret_gray: Gray,
    load: Callable[[str], Network],
    fingerprint: bytes,
    keyring: Keyring,
    *,
    favor: str = "balanced",
    target: float | None = None,
    salt: bytes | None = None,
    progress: Progress | None = None,
) -> HideOutcome:
    """Hide a secret in a cover; arguments as for `phase.hide`.

    The secret is brought to the cover's own size, which is the only one that the network knows. Fully
    transparent pixels stay as they are, and what the secret shows there is lost.

    Raises:
        ImageError: the cover is too small, or the secret has a side that no header can state.
        UsageError: `favor` is anything but balanced or there is a `target`, for the network's balance is
            fixed; or the passphrase is empty.
    """
    if favor != "balanced":
        raise UsageError(f"ISGAN cannot favor {favor!r}: its balance was fixed in training", "Omit --favor.")
    if target is not None:
        raise UsageError("ISGAN cannot meet a target: its balance was fixed in training", "Omit --target.")
    usable = usable_pixels(alpha)
    room = check_room(cover_rgb, cover_rgb[..., 0].size if usable is None else int(np.count_nonzero(usable)))
    check_secret(secret_gray)
    hidden_gray = images.resize_gray(secret_gray, cover_rgb.shape[:2])
    salt = urandom(keys.SALT_BYTES) if salt is None else salt
    subkeys, locator = keyring.keys(salt), keyring.locator(room)
    encoder = load("encoder")
    tell(progress, "encode")
    pixels = carriers(draw(cover_rgb, hidden_gray, encoder, progress), usable)
    tell(progress, "write")
    header = _header(secret_gray, hidden_gray, fingerprint, keyed=not keyring.is_public)
    parity = container.parity_plan(room, salt, container.seal(header, subkeys), locator)
    stego_rgb = put_back(cover_rgb, usable, container.force_parity(pixels, *parity))
    notices = _notices(secret_gray, hidden_gray, room, header)
    return HideOutcome(stego_rgb, hidden_gray, header, encoder.device, notices)


def draw(cover_rgb: Rgb, hidden_gray: Gray, encoder: Network, progress: Progress | None = None) -> Rgb:
    """(H, W, 3) uint8: the cover's chroma under the luma that the encoder gives; no header yet."""
    shape = hidden_gray.shape
    stego_rgb = np.empty_like(cover_rgb)
    parts = run_tiled(
        encoder,
        lambda tile: _encoder_planes(cover_rgb, hidden_gray, tile),
        shape,
        {},
        budget=ENCODER_TILE,
        progress=within(progress, "encode"),
    )
    for rows, cols, part in parts:
        ycrcb = luma.rgb_to_ycrcb(cover_rgb[rows, cols])
        ycrcb[..., 0] = part[0] * _WHITE
        stego_rgb[rows, cols] = luma.ycrcb_to_rgb(ycrcb)
    return stego_rgb


def reveal(received: Received, decoder: Network, progress: Progress | None = None) -> Gray:
    """Decode an opened stego into the picture at its own size, (H, W) uint8."""
    stego_rgb = received.stego_rgb
    shape = stego_rgb.shape[:2]
    revealed = np.empty(shape, dtype=np.uint8)
    parts = run_tiled(
        decoder,
        lambda tile: _luma_plane(stego_rgb, tile)[None, None],
        shape,
        {},
        budget=DECODER_TILE,
        progress=within(progress, "decode"),
    )
    for rows, cols, part in parts:
        revealed[rows, cols] = luma.to_uint8(part[0] * _WHITE)
    return revealed


def _encoder_planes(cover_rgb: Rgb, hidden_gray: Gray, tile: Tile) -> Planes:
    """(1, 2, h, w) float32 in 0..1 of a tile: luma of the cover, secret."""
    secret = hidden_gray[tile.rows, tile.cols].astype(np.float32) / _WHITE
    return np.stack([_luma_plane(cover_rgb, tile), secret])[None]


def _luma_plane(rgb: Rgb, tile: Tile) -> Planes:
    """(h, w) float32 in 0..1: luma of a tile."""
    return luma.luma_milli(rgb[tile.rows, tile.cols]).astype(np.float32) / _WHITE_MILLI


def _header(secret: Gray, hidden: Gray, fingerprint: bytes, *, keyed: bool) -> Header:
    return container.Header(
        channel=container.ISGAN,
        model=fingerprint,
        secret_height=secret.shape[0],
        secret_width=secret.shape[1],
        hidden_height=hidden.shape[0],
        hidden_width=hidden.shape[1],
        spread=1,
        noise_code=0,  # phases have a noise, this channel has none
        keyed=keyed,
    )


def _notices(secret: Gray, hidden: Gray, room: int, header: Header) -> tuple[str, ...]:
    notices = [HEADER_ONLY_NOTICE if header.keyed else OPEN_NOTICE]
    if secret.shape != hidden.shape:
        (height, width), (cover_height, cover_width) = secret.shape, hidden.shape
        notices.append(
            f"the secret was resized from {width}x{height} to the cover's {cover_width}x{cover_height}"
        )
    if room < hidden.size:
        notices.append(
            f"{1 - room / hidden.size:.0%} of the cover is fully transparent: the secret is lost there"
        )
    return tuple(notices)
