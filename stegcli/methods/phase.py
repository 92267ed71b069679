"""Hide a picture in the phases of a cover's luma (family `phase`): arrays in, arrays out.

secret ──fit──> encoder ──targets of the planes sent──┐
cover ──usable pixels─────────────────────────────────┴─ channel.write ──> stego   (keys from passphrase +
stego ──channel.read──> (cos, sin) ──> decoder ──> revealed                         salt, header in parities)
"""

from __future__ import annotations

import math
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from os import urandom
from typing import TYPE_CHECKING

import numpy as np

from stegcli import channel, channels, container, images, keys, luma, metrics
from stegcli.errors import UsageError
from stegcli.learned_costs import model_cost
from stegcli.methods import sizes
from stegcli.methods.envelope import (
    HideOutcome,
    alpha_notices,
    carriers,
    check_room,
    check_secret,
    put_back,
    usable_pixels,
)
from stegcli.planes import ALL_PLANES, count_sent, sent
from stegcli.progress import tell, within
from stegcli.session import run_tiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.keys import Keyring
    from stegcli.methods.envelope import Received
    from stegcli.progress import Progress
    from stegcli.session import Loader, Network
    from stegcli.tiling import Tile

    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]

__all__ = ["hide", "reveal"]

_ANGLES = 2 * math.pi / luma.MILLI * np.arange(luma.MILLI)
_CIRCLE = np.zeros((2, luma.MILLI + 1), dtype=np.float32)
_CIRCLE[:, : luma.MILLI] = np.cos(_ANGLES), np.sin(_ANGLES)
"""(2, 1001): cosine and sine of every phase, and (0, 0) for one that is not known."""
_NOT_KNOWN = luma.MILLI

_PLANES_STEP = 4
_TRIAL_SIDE, _TRIAL_CROPS = 256, 9
"""Pictures of up to three such sides are tried whole, larger ones by nine crops of it."""


def hide(
    cover_rgb: Rgb,
    alpha: Gray | None,
    secret_gray: Gray,
    load: Loader,
    fingerprint: bytes,
    keyring: Keyring,
    *,
    favor: str = "balanced",
    target: float | None = None,
    salt: bytes | None = None,
    progress: Progress | None = None,
) -> HideOutcome:
    """Hide a secret in a cover.

    Args:
        cover_rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8 or None.
        secret_gray: (h, w) uint8 of any size; reduced if it has more pixels than the cover can carry.
        load: gives the model's graphs; called while the keys are being derived.
        fingerprint: 4 bytes that name the model.
        keyring: the passphrase's keys.
        favor: "cover", "balanced" or "secret": how to share out the quality.
        target: PSNR in dB that the revealed picture shall have; the fewest planes that give it are sent, and
            the room won goes into the stego. None sends all.
        salt: 16 bytes; random unless a test fixes them.
        progress: told the stage and the share of it that is done.

    Raises:
        ImageError: the cover is too small, or the secret has a side that no header can state.
        UsageError: `favor` is unknown, the passphrase empty, or the model cannot meet a `target`.
    """
    if favor not in channel.LAMBDAS:
        raise UsageError(f"cannot favor {favor!r}", f"Choices: {', '.join(channel.LAMBDAS)}.")
    usable = usable_pixels(alpha)
    pixels = carriers(cover_rgb, usable)
    room = check_room(cover_rgb, len(pixels))
    check_secret(secret_gray)
    salt = urandom(keys.SALT_BYTES) if salt is None else salt

    tell(progress, "encode")
    with ThreadPoolExecutor(max_workers=1) as aside:
        # Argon2id takes 0.1 s a key, off the interpreter lock.
        deriving, locating = aside.submit(keyring.keys, salt), aside.submit(keyring.locator, room)
        encoder = load("encoder")
        lam = channel.LAMBDAS[favor]
        hidden_gray, planes = _shared_out(secret_gray, room, encoder, load, target, lam)
        carried = sizes.in_whole_blocks(hidden_gray, room, planes)
        way, spread = channels.suited(room, count_sent(carried.shape, planes))
        group = container.group_size(room, way.reach(spread))
        cost = _pixel_costs(cover_rgb, usable, load) if spread > 1 else None
        forced = group * container.parity_count(room)
        sigma = way.predict_sigma(pixels, cost, lam, spread, forced=forced)
        header = container.Header(
            channel=way.number,
            model=fingerprint,
            secret_height=secret_gray.shape[0],
            secret_width=secret_gray.shape[1],
            hidden_height=carried.shape[0],
            hidden_width=carried.shape[1],
            spread=spread,
            noise_code=container.sigma_to_code(sigma),
            keyed=not keyring.is_public,
            planes=planes,
        )
        targets = _encode(encoder, carried, header.sigma, planes, progress)
        subkeys, locator = deriving.result(), locating.result()
    tell(progress, "write")
    plan = container.parity_plan(room, salt, container.seal(header, subkeys), locator, group)
    if cost is not None:
        plan = container.spare_dearest(pixels, *plan, cost)
    parity = container.pixel_parities(pixels, *plan, cost)
    written = way.write(pixels, targets, subkeys, spread=spread, parity=parity, lam=lam, cost=cost)
    stego_rgb = put_back(cover_rgb, usable, written)
    notices = (*alpha_notices(alpha, usable), *_size_notices(secret_gray, hidden_gray))
    return HideOutcome(stego_rgb, hidden_gray, header, encoder.device, notices)


def reveal(received: Received, decoder: Network, progress: Progress | None = None) -> Gray:
    """Decode an opened stego into the picture at the size it was hidden, (h, w) uint8, without its margin."""
    header = received.header
    shape = (header.hidden_height, header.hidden_width)
    there = sent(shape, header.planes)
    phases = np.full(shape, _NOT_KNOWN, dtype=np.int16)
    way = channels.numbered(header.channel)
    symbols = way.read(received.pixels, received.keys, header.symbols, header.spread)
    damage = received.damage
    if damage and decoder.contract.fewest_planes < ALL_PLANES:  # a progressive codec does without some
        scars, damage = received.scars()
        symbols[way.spoiled(scars, received.keys, header.symbols, header.spread)] = _NOT_KNOWN
    phases[there] = symbols
    # One destroyed pixel spoils all that hangs on it.
    symbol_damage = 1 - (1 - damage) ** way.reach(header.spread)
    decoded = _decode(decoder, phases, header.sigma, symbol_damage, header.planes, progress)
    height, width = header.shown_size
    return np.ascontiguousarray(decoded[:height, :width])


def _decode(
    decoder: Network,
    phases: NDArray[np.int16],
    sigma: float,
    damage: float,
    planes: int,
    progress: Progress | None,
) -> Gray:
    """(h, w) int16 phases, `_NOT_KNOWN` where there is none -> (h, w) uint8."""
    revealed = np.empty(phases.shape, dtype=np.uint8)
    parts = run_tiled(
        decoder,
        lambda tile: _phase_planes(phases, tile),
        phases.shape,
        {"sigma": decoder.contract.clamp_sigma(sigma), "damage": damage, "planes": planes},
        progress=within(progress, "decode"),
    )
    for rows, cols, part in parts:
        revealed[rows, cols] = luma.to_uint8(part[0] * np.float32(255))
    return revealed


def _shared_out(
    secret_gray: Gray, room: int, encoder: Network, load: Loader, target: float | None, lam: float
) -> tuple[Gray, int]:
    """The secret, maybe reduced, and how many of its planes to send in so many pixels.

    With a target, fewer planes may find room where all do not: a secret is reduced only if that many of its
    own size do not fit. What reducing loses then counts against the target.
    """
    if target is None:
        return images.resize_gray(secret_gray, sizes.fit(secret_gray.shape, room)), ALL_PLANES
    decoder = load("decoder")
    planes = _fewest_planes(encoder, decoder, secret_gray, target, lam)
    if count_sent(secret_gray.shape, planes) <= room:
        return secret_gray, planes
    hidden_gray = images.resize_gray(secret_gray, sizes.fit(secret_gray.shape, room))
    reduced_psnr = metrics.psnr(secret_gray, images.resize_gray(hidden_gray, secret_gray.shape))
    allowed = 10 ** (-target / 10) - 10 ** (-reduced_psnr / 10)
    if allowed <= 0:
        return hidden_gray, ALL_PLANES
    return hidden_gray, _fewest_planes(encoder, decoder, hidden_gray, -10 * math.log10(allowed), lam)


def _pixel_costs(cover_rgb: Rgb, usable: NDArray[np.bool_] | None, load: Loader) -> NDArray[np.float32]:
    """(n,) costs of the pixels that carry."""
    cost = model_cost(luma.luma_milli(cover_rgb).astype(np.float32) / np.float32(luma.MILLI), load)
    return cost.reshape(-1) if usable is None else cost[usable]


def _fewest_planes(encoder: Network, decoder: Network, gray: Gray, target: float, lam: float) -> int:
    """How many planes reveal a picture at `target` dB, tried out on a channel with the noise of `lam`.

    Raises:
        UsageError: the model sends all its planes or none.
    """
    fewest = decoder.contract.fewest_planes
    if fewest == ALL_PLANES:
        raise UsageError(
            f"{decoder.contract.model} always sends the whole picture",
            "Omit --target, or take another model.",
        )
    choices = range(-(-fewest // _PLANES_STEP) * _PLANES_STEP, ALL_PLANES, _PLANES_STEP)
    crops = [sizes.in_whole_blocks(crop) for crop in _trial_crops(gray)]
    # More planes reveal more, so the list is sorted by what is asked.
    found = bisect_left(choices, target, key=lambda planes: _trial(encoder, decoder, crops, planes, lam))
    return choices[found] if found < len(choices) else ALL_PLANES


def _trial_crops(gray: Gray) -> list[Gray]:
    """The whole of a small picture; of a larger one, crops spread over it."""
    if max(gray.shape) <= 3 * _TRIAL_SIDE:
        return [gray]
    per_axis = math.isqrt(_TRIAL_CROPS)
    corners = [
        [(side - _TRIAL_SIDE) * i // (per_axis - 1) if side > _TRIAL_SIDE else 0 for i in range(per_axis)]
        for side in gray.shape
    ]
    return [gray[y : y + _TRIAL_SIDE, x : x + _TRIAL_SIDE] for y in corners[0] for x in corners[1]]


def _trial(encoder: Network, decoder: Network, crops: list[Gray], planes: int, lam: float) -> float:
    """PSNR in dB of crops that went through the codec and a simulated channel."""
    table = channel.noise_table(lam)
    sigma = float(np.sqrt(np.mean(table**2)))
    rng = np.random.default_rng(0)
    squared, count = 0.0, 0
    for crop in crops:
        there = sent(crop.shape, planes)
        errors = np.rint(table[rng.integers(len(table), size=int(there.sum()))] * luma.MILLI).astype(np.int32)
        phases = np.full(crop.shape, _NOT_KNOWN, dtype=np.int16)
        phases[there] = (_encode(encoder, crop, sigma, planes, None) + errors) % luma.MILLI
        revealed = _decode(decoder, phases, sigma, 0.0, planes, None)
        squared += float(np.square(revealed.astype(np.float64) - crop).sum())
        count += crop.size
    return 10 * math.log10(255**2 * count / max(squared, 1e-9))


def _encode(
    encoder: Network, gray: Gray, sigma: float, planes: int, progress: Progress | None
) -> NDArray[np.int16]:
    """(h, w) uint8 -> (N,) int16 targets of the planes sent, in thousandths of a grey level, 0..999."""
    targets = np.empty(gray.shape, dtype=np.int16)
    parts = run_tiled(
        encoder,
        lambda tile: _secret_plane(gray, tile),
        gray.shape,
        {"sigma": encoder.contract.clamp_sigma(sigma), "planes": planes},
        progress=within(progress, "encode"),
    )
    for rows, cols, part in parts:
        targets[rows, cols] = np.rint(part[0] * np.float32(luma.MILLI)).astype(np.int32) % luma.MILLI
    return targets[sent(gray.shape, planes)]


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
