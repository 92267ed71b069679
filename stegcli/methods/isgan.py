"""Hide a picture in the luma of a cover with a network alone (family `isgan`): arrays in, arrays out.

cover luma ─┬─> encoder ─> new luma ─(+ the cover's chroma)─> RGB ─ header in the parities ─> stego
secret ─────┘   (resized to the cover's size)
stego luma ───> decoder ─> revealed

After Zhang, Dong and Liu, "Invisible Steganography via Generative Adversarial Networks", 2019. The passphrase
protects only the header. The picture has no key: anybody who has the model can decode it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import urandom
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers.parity import force_parity
from stegcli.carriers.pixels import carriers, put_back, usable_pixels
from stegcli.envelope import keys
from stegcli.envelope.header import Header, draw_places, parity_plan, seal
from stegcli.envelope.opening import ParitiesOpened
from stegcli.errors import NothingFoundError, UsageError
from stegcli.methods.base import Facts, Secret, Stego, alpha_notices, check_room, check_secret, decoder_of
from stegcli.methods.phase.body import Body
from stegcli.models.session import run_tiled
from stegcli.pictures import luma, reading
from stegcli.progress import tell, within

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from stegcli.envelope.opening import Opened
    from stegcli.methods.base import Job, Wishes
    from stegcli.models.loading import Models
    from stegcli.models.session import Network
    from stegcli.models.tiling import Tile
    from stegcli.progress import Progress

    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]
    Planes = NDArray[np.float32]

__all__ = ["CHANNEL", "IsganMethod", "draw"]

CHANNEL: Final = 2
"""Number by which a header names this channel."""
ENCODER_TILE, DECODER_TILE = 1 << 17, 1 << 19
"""Largest number of pixels in a tile of each network; both work at full resolution, up to 256 planes wide."""

_WHITE = np.float32(255)
_WHITE_MILLI = np.float32(255 * luma.MILLI)

OPEN_NOTICE = "ISGAN's picture itself has no key: anybody who has the model can reveal it"
HEADER_ONLY_NOTICE = "the passphrase locks only the header; " + OPEN_NOTICE


@dataclass(frozen=True)
class IsganMethod:
    """Hiding with the paper's networks (the Method protocol)."""

    family: str = "isgan"
    channels: Collection[int] = (CHANNEL,)
    has_models: bool = True
    takes: Collection[str] = ("gray",)
    has_key: bool = False
    has_runs: bool = True
    has_jpeg: bool = False
    has_ceiling: bool = False
    refuses_jpeg_pixels: bool = False

    def hide(self, job: Job) -> Stego:
        """See `Method.hide`.

        The secret is resized to the cover's size, the only one that the network knows. Transparent pixels
        do not change (see `usable_pixels`), and what the secret has there is lost.
        """
        return _hide(job)

    def reveal(
        self, opened: Opened, models: Models, progress: Progress | None = None, *, sampled: bool = False
    ) -> Secret:
        """See `Method.reveal`."""
        del sampled  # this method always decodes the whole picture
        found, body = _ours(opened)
        model = decoder_of(models, body.model, self.family)
        decoder = model("decoder")
        tell(progress, "decode")
        return Secret(_reveal(found.stego_rgb, decoder, progress), model.id, decoder.device)

    def facts(self, opened: Opened) -> Facts:
        """See `Method.facts`."""
        found, body = _ours(opened)
        return _facts(found.header, body)

    def damage(self, opened: Opened) -> float:
        """See `Method.damage`."""
        return opened.destroyed_share() if isinstance(opened, ParitiesOpened) else 0.0


def _hide(job: Job) -> Stego:
    _check_wishes(job.wishes)
    cover_rgb, secret_gray = job.cover.rgb, job.secret_gray
    usable = usable_pixels(job.cover.alpha)
    room = check_room(cover_rgb, cover_rgb[..., 0].size if usable is None else int(np.count_nonzero(usable)))
    check_secret(secret_gray)
    hidden_gray = reading.resize_gray(secret_gray, cover_rgb.shape[:2])
    salt = urandom(keys.SALT_BYTES) if job.salt is None else job.salt
    tell(job.progress, "encode")
    with ThreadPoolExecutor(max_workers=1) as aside:
        # Argon2id takes 0.1 s per key, without the interpreter lock.
        deriving = aside.submit(job.keyring.keys, salt)
        locating = aside.submit(job.keyring.places, room, draw_places)
        encoder = job.networks("encoder")
        pixels = carriers(draw(cover_rgb, hidden_gray, encoder, job.progress), usable)
        subkeys, places = deriving.result(), locating.result()
    tell(job.progress, "write")
    keyed = not job.keyring.is_public
    body = Body(job.networks.fingerprint)  # phases have a spread and a noise level, this channel has neither
    header = Header.of(CHANNEL, secret_gray, hidden_gray, body.to_bytes(), keyed=keyed)
    plan = parity_plan(room, salt, seal(header, subkeys), places)
    stego_rgb = put_back(cover_rgb, usable, force_parity(pixels, *plan))
    notices = (
        *alpha_notices(job.cover.alpha, usable),
        *_notices(secret_gray, hidden_gray, room, header),
    )
    return Stego(stego_rgb, hidden_gray, header, _facts(header, body), encoder.device, notices)


def _check_wishes(wishes: Wishes) -> None:
    """Raise a UsageError for wishes that a network with a fixed balance cannot fulfil."""
    if wishes.favor != "balanced":
        raise UsageError(
            f"ISGAN cannot favor {wishes.favor!r}: its balance was fixed in training", "Omit --favor."
        )
    if wishes.target is not None:
        raise UsageError("ISGAN cannot meet a target: its balance was fixed in training", "Omit --target.")


def _facts(header: Header, body: Body) -> Facts:
    return Facts(body.model, body.spread, body.planes, header.hidden_shape, None)


def _ours(opened: Opened) -> tuple[ParitiesOpened, Body]:
    """Return the stego and the method's part of its header; NothingFoundError if the sizes do not match."""
    if not isinstance(opened, ParitiesOpened):
        raise NothingFoundError
    try:
        body = Body.from_bytes(opened.header.own)
    except ValueError:
        raise NothingFoundError from None
    if opened.header.hidden_shape != opened.stego_rgb.shape[:2]:
        raise NothingFoundError
    return opened, body


def draw(cover_rgb: Rgb, hidden_gray: Gray, encoder: Network, progress: Progress | None = None) -> Rgb:
    """Return (H, W, 3) uint8: the encoder's luma with the cover's chroma, still without a header."""
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


def _reveal(stego_rgb: Rgb, decoder: Network, progress: Progress | None) -> Gray:
    """(H, W, 3) uint8 -> the revealed picture in its own size, (H, W) uint8."""
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
    """Return a tile, (1, 2, h, w) float32 in 0..1: luma of the cover, and the secret."""
    secret = hidden_gray[tile.rows, tile.cols].astype(np.float32) / _WHITE
    return np.stack([_luma_plane(cover_rgb, tile), secret])[None]


def _luma_plane(rgb: Rgb, tile: Tile) -> Planes:
    """Return the luma of a tile, (h, w) float32 in 0..1."""
    return luma.luma_milli(rgb[tile.rows, tile.cols]).astype(np.float32) / _WHITE_MILLI


def _notices(secret: Gray, hidden: Gray, room: int, header: Header) -> tuple[str, ...]:
    notices = [HEADER_ONLY_NOTICE if header.keyed else OPEN_NOTICE]
    if secret.shape != hidden.shape:
        (height, width), (cover_height, cover_width) = secret.shape, hidden.shape
        notices.append(
            f"the secret was resized from {width}x{height} to the cover's {cover_width}x{cover_height}"
        )
    if room < hidden.size:
        notices.append(f"{1 - room / hidden.size:.0%} of the cover is transparent: the secret is lost there")
    return tuple(notices)
