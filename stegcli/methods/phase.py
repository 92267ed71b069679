"""Hide a picture in the phases of a cover's luma (family `phase`): arrays in, arrays out.

secret ──fit──> encoder ──targets──┐
cover ──usable pixels──────────────┴─ channel.write ──> stego        (keys from passphrase + salt,
stego ──channel.read──> (cos, sin) ──> decoder ──> revealed           header in the parities)
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from os import urandom
from typing import TYPE_CHECKING

import numpy as np

from stegcli import channel, container, images, keys, luma
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

__all__ = ["hide", "reveal"]

_ANGLES = 2 * math.pi / luma.MILLI * np.arange(luma.MILLI)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)]).astype(np.float32)
"""(2, 1000): cosine and sine of every phase."""


def hide(
    cover_rgb: Rgb,
    alpha: Gray | None,
    secret_gray: Gray,
    load_encoder: Callable[[], Network],
    fingerprint: bytes,
    keyring: Keyring,
    *,
    favor: str = "balanced",
    salt: bytes | None = None,
    progress: Progress | None = None,
) -> HideOutcome:
    """Hide a secret in a cover.

    Args:
        cover_rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8 or None.
        secret_gray: (h, w) uint8 of any size; reduced if it has more pixels than the cover can carry.
        load_encoder: gives the model's encoder; called while the keys are being derived.
        fingerprint: 4 bytes that name the model.
        keyring: the passphrase's keys.
        favor: "cover", "balanced" or "secret": how to share out the quality.
        salt: 16 bytes; random unless a test fixes them.
        progress: told the stage and the share of it that is done.

    Raises:
        ImageError: the cover is too small, or the secret has a side that no header can state.
        UsageError: `favor` is unknown or the passphrase empty.
    """
    if favor not in channel.LAMBDAS:
        raise UsageError(f"cannot favor {favor!r}", f"Choices: {', '.join(channel.LAMBDAS)}.")
    usable = usable_pixels(alpha)
    pixels = carriers(cover_rgb, usable)
    room = check_room(cover_rgb, len(pixels))
    hidden_gray = images.resize_gray(secret_gray, _fit(secret_gray, room))
    spread = min(room // hidden_gray.size, container.MAX_SIZE)
    salt = urandom(keys.SALT_BYTES) if salt is None else salt

    tell(progress, "encode")
    with ThreadPoolExecutor(max_workers=1) as aside:
        # Argon2id takes 0.1 s a key, off the interpreter lock.
        deriving, locating = aside.submit(keyring.keys, salt), aside.submit(keyring.locator, room)
        cost = _pixel_costs(cover_rgb, usable) if spread > 1 else None
        lam = channel.LAMBDAS[favor]
        sigma = channel.predict_sigma(pixels, cost, lam, spread, forced=container.parity_count(room))
        noise_code = container.sigma_to_code(sigma)
        keyed = not keyring.is_public
        header = _header(secret_gray, hidden_gray, spread, noise_code, fingerprint, keyed=keyed)
        encoder = load_encoder()
        targets = _encode(encoder, hidden_gray, header.sigma, progress)
        subkeys, locator = deriving.result(), locating.result()
    tell(progress, "write")
    parity = container.parity_plan(room, salt, container.seal(header, subkeys), locator)
    if cost is not None:
        parity = container.spare_dearest(pixels, *parity, cost)
    written = channel.write(pixels, targets, subkeys, spread=spread, parity=parity, lam=lam, cost=cost)
    stego_rgb = put_back(cover_rgb, usable, written)
    notices = _size_notices(secret_gray, hidden_gray)
    return HideOutcome(stego_rgb, hidden_gray, header, encoder.device, notices)


def reveal(received: Received, decoder: Network, progress: Progress | None = None) -> Gray:
    """Decode an opened stego into the picture at the size it was hidden, (h, w) uint8."""
    header = received.header
    shape = (header.hidden_height, header.hidden_width)
    phases = channel.read(received.pixels, received.keys, header.symbols, header.spread).reshape(shape)
    sigma = decoder.contract.clamp_sigma(header.sigma)
    revealed = np.empty(shape, dtype=np.uint8)
    parts = run_tiled(
        decoder,
        lambda tile: _phase_planes(phases, tile),
        shape,
        {"sigma": sigma, "damage": received.symbol_damage},
        progress=within(progress, "decode"),
    )
    for rows, cols, part in parts:
        revealed[rows, cols] = luma.to_uint8(part[0] * np.float32(255))
    return revealed


def _fit(secret_gray: Gray, room: int) -> tuple[int, int]:
    """The largest (height, width) of the secret's aspect with at most `room` pixels; its own if that fits."""
    height, width = secret_gray.shape
    check_secret(secret_gray)
    if height * width <= room:
        return height, width
    scale = math.sqrt(room / (height * width))
    fitted_height = min(max(1, int(height * scale + 1e-9)), room)
    fitted_width = min(max(1, int(width * scale + 1e-9)), room // fitted_height)
    return min(fitted_height, room // fitted_width), fitted_width


def _pixel_costs(cover_rgb: Rgb, usable: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """(n,) HILL costs of the pixels that carry."""
    cost = channel.hill_cost(luma.luma_milli(cover_rgb).astype(np.float32) / np.float32(luma.MILLI))
    return cost.reshape(-1) if usable is None else cost[usable]


def _header(
    secret: Gray, hidden: Gray, spread: int, noise_code: int, fingerprint: bytes, *, keyed: bool
) -> Header:
    return container.Header(
        channel=container.LUMA_PHASE,
        model=fingerprint,
        secret_height=secret.shape[0],
        secret_width=secret.shape[1],
        hidden_height=hidden.shape[0],
        hidden_width=hidden.shape[1],
        spread=spread,
        noise_code=noise_code,
        keyed=keyed,
    )


def _encode(encoder: Network, gray: Gray, sigma: float, progress: Progress | None) -> NDArray[np.int16]:
    """(h, w) uint8 -> (h * w,) int16 targets in thousandths of a grey level, 0..999."""
    targets = np.empty(gray.shape, dtype=np.int16)
    parts = run_tiled(
        encoder,
        lambda tile: _secret_plane(gray, tile),
        gray.shape,
        {"sigma": encoder.contract.clamp_sigma(sigma)},
        progress=within(progress, "encode"),
    )
    for rows, cols, part in parts:
        targets[rows, cols] = np.rint(part[0] * np.float32(luma.MILLI)).astype(np.int32) % luma.MILLI
    return targets.reshape(-1)


def _secret_plane(gray: Gray, tile: Tile) -> NDArray[np.float32]:
    """(1, 1, h, w) float32 in 0..1 of a tile; its edge is repeated where the tile leaves the picture."""
    inside = gray[tile.rows, tile.cols]
    missing = [(0, seen - there) for seen, there in zip(tile.shape, inside.shape, strict=True)]
    plane: NDArray[np.float32] = np.pad(inside, missing, mode="edge").astype(np.float32) / np.float32(255)
    return plane[None, None]


def _phase_planes(phases: NDArray[np.int16], tile: Tile) -> NDArray[np.float32]:
    """(1, 2, h, w) float32 cosine and sine of a tile; (0, 0), "not known", where it leaves the picture."""
    inside = phases[tile.rows, tile.cols]
    planes = np.zeros((1, 2, *tile.shape), dtype=np.float32)
    for plane, table in zip(planes[0], _CIRCLE, strict=True):
        plane[: inside.shape[0], : inside.shape[1]] = table.take(inside)
    return planes


def _size_notices(secret: Gray, hidden: Gray) -> tuple[str, ...]:
    if secret.shape == hidden.shape:
        return ()
    (height, width), (less_height, less_width) = secret.shape, hidden.shape
    return (f"the secret was reduced from {width}x{height} to {less_width}x{less_height} to fit the cover",)
