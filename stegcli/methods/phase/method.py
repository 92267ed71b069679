"""Hide a picture in the phases of a cover's luma (family `phase`): arrays in, arrays out.

secret ──fit──> encoder ──targets of the planes sent──┐
cover ──usable pixels─────────────────────────────────┴─ way.write ──> stego   (keys from passphrase +
stego ──way.read──> (cos, sin) ──> decoder ──> revealed                         salt, header in parities)
"""

from __future__ import annotations

import math
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import urandom
from typing import TYPE_CHECKING

import numpy as np

from stegcli.carriers.parity import destroyed_share, pixel_parities, spare_most_expensive, spared_count
from stegcli.carriers.phases import choice, single
from stegcli.carriers.phases.channel import SHARES, numbered, suited
from stegcli.carriers.pixels import carriers, put_back, usable_pixels
from stegcli.envelope import keys
from stegcli.envelope.header import Header, draw_places, group_size, parity_count, parity_plan, seal
from stegcli.envelope.opening import ParitiesOpened
from stegcli.errors import NothingFoundError, UsageError
from stegcli.methods.base import Facts, Secret, Stego, alpha_notices, check_room, check_secret, decoder_of
from stegcli.methods.phase import overwritten, sizes
from stegcli.methods.phase.body import Body, sigma_to_code
from stegcli.methods.phase.costs import model_cost
from stegcli.methods.phase.planes import ALL_PLANES, count_sent, padded, sent
from stegcli.models.session import run_tiled
from stegcli.pictures import luma, metrics, reading
from stegcli.pictures.stegos import unread
from stegcli.progress import tell, within

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from stegcli.envelope.opening import Opened
    from stegcli.methods.base import Job, Rectangles
    from stegcli.models.loading import Loader, Models
    from stegcli.models.session import Network
    from stegcli.models.tiling import Tile
    from stegcli.progress import Progress

    Gray = NDArray[np.uint8]
    Rgb = NDArray[np.uint8]

__all__ = ["PhaseMethod"]

_ANGLES = 2 * math.pi / luma.MILLI * np.arange(luma.MILLI)
_CIRCLE = np.zeros((2, luma.MILLI + 1), dtype=np.float32)
_CIRCLE[:, : luma.MILLI] = np.cos(_ANGLES), np.sin(_ANGLES)
"""(2, 1001): cosine and sine of every phase, and (0, 0) for an unknown one."""
_NOT_KNOWN = luma.MILLI

_PLANES_STEP = 4
_TRIAL_SIDE, _TRIAL_CROPS = 256, 9
"""Side and number of crops for trials; pictures of up to three such sides are tried whole."""


_MOST_APART = 1.25
"""Largest factor by which the phase error may exceed the prediction; in photographs it is within a tenth."""

_MISSED = 0.1
"""Share of the overwritten pixels that is assumed to go unnoticed in texture, even if no parity says so."""


@dataclass(frozen=True)
class PhaseMethod:
    """Hiding in phases of luma (the Method protocol)."""

    family: str = "phase"
    channels: Collection[int] = tuple(SHARES)
    has_models: bool = True
    takes: Collection[str] = ("gray",)
    has_key: bool = True
    has_runs: bool = True
    has_jpeg: bool = False
    has_ceiling: bool = False
    refuses_jpeg_pixels: bool = False

    def hide(self, job: Job) -> Stego:
        """See `Method.hide`. A target is met with the fewest planes that reach it; else all are sent."""
        return _hide(job)

    def reveal(
        self, opened: Opened, models: Models, progress: Progress | None = None, *, sampled: bool = False
    ) -> Secret:
        """See `Method.reveal`."""
        found, body = _ours(opened)
        model = decoder_of(models, body.model, self.family)
        decoder = model("decoder")
        tell(progress, "decode")
        revealed, parts = _reveal(found, body, decoder, progress, sampled)
        return Secret(revealed, model.id, decoder.device, parts if sampled else None)

    def facts(self, opened: Opened) -> Facts:
        """See `Method.facts`."""
        found, body = _ours(opened)
        return _facts(found.header, body)

    def damage(self, opened: Opened) -> float:
        """See `Method.damage`."""
        found, body = _ours(opened)
        return found.destroyed_share(_spared(found, body))


def _hide(job: Job) -> Stego:
    cover_rgb, wishes = job.cover.rgb, job.wishes
    if wishes.favor not in single.LAMBDAS:
        raise UsageError(f"cannot favor {wishes.favor!r}", f"Choices: {', '.join(single.LAMBDAS)}.")
    usable = usable_pixels(job.cover.alpha)
    pixels = carriers(cover_rgb, usable)
    room = check_room(cover_rgb, len(pixels))
    check_secret(job.secret_gray)
    salt = urandom(keys.SALT_BYTES) if job.salt is None else job.salt

    tell(job.progress, "encode")
    with ThreadPoolExecutor(max_workers=1) as aside:
        # Argon2id takes 0.1 s per key, without the interpreter lock.
        deriving = aside.submit(job.keyring.keys, salt)
        locating = aside.submit(job.keyring.places, room, draw_places)
        encoder = job.networks("encoder")
        lam = single.LAMBDAS[wishes.favor]
        hidden_gray, planes = _shared_out(job.secret_gray, room, job.networks, wishes.target, lam)
        carried = sizes.in_whole_blocks(hidden_gray, room, planes)
        way, spread = suited(room, count_sent(carried.shape, planes))
        group = group_size(room, way.reach(spread))
        cost = _pixel_costs(cover_rgb, usable, job.networks) if spread > 1 else None
        sigma = way.predict_sigma(pixels, cost, lam, spread, forced=group * parity_count(room))
        body = Body(job.networks.fingerprint, spread, sigma_to_code(sigma), planes)
        targets = _encode(encoder, carried, body.sigma, planes, job.progress)
        subkeys, places = deriving.result(), locating.result()
    keyed = not job.keyring.is_public
    header = Header.of(way.number, job.secret_gray, carried, body.to_bytes(), keyed=keyed)
    tell(job.progress, "write")
    plan = parity_plan(room, salt, seal(header, subkeys), places, group)
    if cost is not None:
        plan = spare_most_expensive(pixels, *plan, cost)
    parity = pixel_parities(pixels, *plan, cost)
    written = way.write(pixels, targets, subkeys, spread=spread, parity=parity, lam=lam, cost=cost)
    if job.reads_back:
        _check_read(way.read(written, subkeys, len(targets), spread), targets, sigma)
    notices = (*alpha_notices(job.cover.alpha, usable), *_size_notices(job.secret_gray, hidden_gray))
    stego_rgb = put_back(cover_rgb, usable, written)
    return Stego(stego_rgb, hidden_gray, header, _facts(header, body), encoder.device, notices)


def _check_read(read: NDArray[np.int16], targets: NDArray[np.int16], sigma: float) -> None:
    """Compare phases as read and as wanted, 0..999; OutputError if they differ more than predicted."""
    half = luma.MILLI // 2
    apart = (read.astype(np.int32) - targets + half) % luma.MILLI - half
    if float(np.sqrt(np.mean(np.square(apart, dtype=np.float64)))) > _MOST_APART * sigma * luma.MILLI:
        raise unread("the stego")


def _ours(opened: Opened) -> tuple[ParitiesOpened, Body]:
    """Return the stego and the method's part of its header; NothingFoundError if it claims too much."""
    if not isinstance(opened, ParitiesOpened):
        raise NothingFoundError
    header = opened.header
    try:
        body = Body.from_bytes(header.own)
    except ValueError:
        raise NothingFoundError from None
    share = SHARES[header.channel]
    if share * body.spread * -(-_symbols(header, body) // share) > len(opened.pixels):
        raise NothingFoundError
    return opened, body


def _facts(header: Header, body: Body) -> Facts:
    return Facts(body.model, body.spread, body.planes, _shown_shape(header), body.sigma)


def _symbols(header: Header, body: Body) -> int:
    """Return the number of symbols sent: one per pixel of the hidden picture, without planes not sent."""
    return count_sent(header.hidden_shape, body.planes)


def _reveal(
    opened: ParitiesOpened, body: Body, decoder: Network, progress: Progress | None, sampled: bool
) -> tuple[Gray, Rectangles]:
    """Return (h, w) uint8 in the hidden size, without its margin, and the parts of it that were decoded."""
    header = opened.header
    phases = np.full(header.hidden_shape, _NOT_KNOWN, dtype=np.int16)
    way = numbered(header.channel)
    count = _symbols(header, body)
    symbols = way.read(opened.pixels, opened.keys, count, body.spread)
    damage = opened.destroyed_share(_spared(opened, body))
    if damage and decoder.contract.fewest_planes < ALL_PLANES:  # a progressive codec can ignore lost symbols
        lost, damage = _overwritten(opened, body, damage)
        symbols[way.lost_symbols(lost, opened.keys, count, body.spread)] = _NOT_KNOWN
    phases[sent(header.hidden_shape, body.planes)] = symbols
    # One destroyed pixel spoils every symbol that depends on it.
    symbol_damage = 1 - (1 - damage) ** way.reach(body.spread)
    height, width = _shown_shape(header)
    revealed = np.zeros((height, width), dtype=np.uint8)
    decoded = _decode(decoder, phases, body.sigma, symbol_damage, body.planes, progress, sampled)
    parts = []
    for rows, cols, part in decoded:
        here = slice(rows.start, min(rows.stop, height)), slice(cols.start, min(cols.stop, width))
        revealed[here] = part[: here[0].stop - rows.start, : here[1].stop - cols.start]
        parts.append(here)
    return revealed, tuple(parts)


def _shown_shape(header: Header) -> tuple[int, int]:
    """Return (height, width) of the hidden picture, without its padding to whole blocks.

    A picture of the secret's size, rounded up to whole blocks, consists of the secret and a margin.
    """
    whole = header.hidden_shape == padded(header.secret_shape)
    return header.secret_shape if whole else header.hidden_shape


def _spared(opened: ParitiesOpened, body: Body) -> int:
    """Return how many of the header's parities were left wrong when it was written."""
    return spared_count(len(opened.plan[1])) if body.spread > 1 else 0


def _overwritten(opened: ParitiesOpened, body: Body, damage: float) -> tuple[NDArray[np.bool_], float]:
    """Return (n,) pixels that look destroyed, and the share, 0..1, of others that are, by their parities."""
    marks = overwritten.find(opened.stego_rgb, damage)
    seen = marks.reshape(-1) if opened.usable is None else marks[opened.usable]
    positions, bits = opened.plan
    sound = ~seen[positions].any(axis=1)
    left = round(_spared(opened, body) * float(sound.mean()))
    unseen = destroyed_share(opened.pixels, positions[sound], bits[sound], left)
    return seen, max(unseen, _MISSED * damage)


def _decode(
    decoder: Network,
    phases: NDArray[np.int16],
    sigma: float,
    damage: float,
    planes: int,
    progress: Progress | None = None,
    sampled: bool = False,
) -> Iterator[tuple[slice, slice, Gray]]:
    """Decode (h, w) int16 phases, `_NOT_KNOWN` if lost; yield rows, columns and uint8 gray of each part."""
    parts = run_tiled(
        decoder,
        lambda tile: _phase_planes(phases, tile),
        phases.shape,
        {"sigma": decoder.contract.clamp_sigma(sigma), "damage": damage, "planes": planes},
        sampled=sampled,
        progress=within(progress, "decode"),
    )
    for rows, cols, part in parts:
        yield rows, cols, luma.to_uint8(part[0] * np.float32(255))


def _shared_out(
    secret_gray: Gray, room: int, load: Loader, target: float | None, lam: float
) -> tuple[Gray, int]:
    """Return the secret, perhaps reduced, and how many of its planes to send in that many pixels.

    With a target, some of the planes may fit even if all do not: a secret is reduced only if the required
    number of planes does not fit at its own size. The loss from reducing it then counts against the target.
    """
    if target is None:
        return reading.resize_gray(secret_gray, sizes.fit(secret_gray.shape, room)), ALL_PLANES
    encoder, decoder = load("encoder"), load("decoder")
    planes = _fewest_planes(encoder, decoder, secret_gray, target, lam)
    if count_sent(secret_gray.shape, planes) <= room:
        return secret_gray, planes
    hidden_gray = reading.resize_gray(secret_gray, sizes.fit(secret_gray.shape, room))
    reduced_psnr = metrics.psnr(secret_gray, reading.resize_gray(hidden_gray, secret_gray.shape))
    allowed = 10 ** (-target / 10) - 10 ** (-reduced_psnr / 10)
    if allowed <= 0:
        return hidden_gray, ALL_PLANES
    return hidden_gray, _fewest_planes(encoder, decoder, hidden_gray, -10 * math.log10(allowed), lam)


def _pixel_costs(cover_rgb: Rgb, usable: NDArray[np.bool_] | None, load: Loader) -> NDArray[np.float32]:
    """Return the costs of the pixels that carry, (n,)."""
    cost = model_cost(luma.luma_levels(cover_rgb), load)
    return cost.reshape(-1) if usable is None else cost[usable]


def _fewest_planes(encoder: Network, decoder: Network, gray: Gray, target: float, lam: float) -> int:
    """Return how many planes reveal a picture at `target` dB, tested on a channel with the noise of `lam`.

    Raises:
        UsageError: the model can only send all of its planes.
    """
    fewest = decoder.contract.fewest_planes
    if fewest == ALL_PLANES:
        raise UsageError(
            f"{decoder.contract.model} always sends the whole picture",
            "Omit --target, or choose another model.",
        )
    choices = range(-(-fewest // _PLANES_STEP) * _PLANES_STEP, ALL_PLANES, _PLANES_STEP)
    crops = [sizes.in_whole_blocks(crop) for crop in _trial_crops(gray)]
    # More planes reveal more, so that the list is sorted by quality.
    found = bisect_left(choices, target, key=lambda planes: _trial(encoder, decoder, crops, planes, lam))
    return choices[found] if found < len(choices) else ALL_PLANES


def _trial_crops(gray: Gray) -> list[Gray]:
    """Return a small picture whole, and crops spread over a larger one."""
    if max(gray.shape) <= 3 * _TRIAL_SIDE:
        return [gray]
    per_axis = math.isqrt(_TRIAL_CROPS)
    corners = [
        [(side - _TRIAL_SIDE) * i // (per_axis - 1) if side > _TRIAL_SIDE else 0 for i in range(per_axis)]
        for side in gray.shape
    ]
    return [gray[y : y + _TRIAL_SIDE, x : x + _TRIAL_SIDE] for y in corners[0] for x in corners[1]]


def _trial(encoder: Network, decoder: Network, crops: list[Gray], planes: int, lam: float) -> float:
    """Return the PSNR in dB of crops that went through the codec and a simulated channel."""
    table = choice.noise_table(lam)
    sigma = float(np.sqrt(np.mean(table**2)))
    rng = np.random.default_rng(0)
    squared, count = 0.0, 0
    for crop in crops:
        there = sent(crop.shape, planes)
        errors = np.rint(table[rng.integers(len(table), size=int(there.sum()))] * luma.MILLI).astype(np.int32)
        phases = np.full(crop.shape, _NOT_KNOWN, dtype=np.int16)
        phases[there] = (_encode(encoder, crop, sigma, planes, None) + errors) % luma.MILLI
        for rows, cols, part in _decode(decoder, phases, sigma, 0.0, planes):
            squared += float(np.square(part.astype(np.float64) - crop[rows, cols]).sum())
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
    """(1, 1, h, w) float32 in 0..1 of a tile; the edge is repeated where the tile leaves the picture."""
    inside = gray[tile.rows, tile.cols]
    missing = [(0, seen - there) for seen, there in zip(tile.shape, inside.shape, strict=True)]
    plane: NDArray[np.float32] = np.pad(inside, missing, mode="edge").astype(np.float32) / np.float32(255)
    return plane[None, None]


def _phase_planes(phases: NDArray[np.int16], tile: Tile) -> NDArray[np.float32]:
    """(1, 2, h, w) float32 cosine and sine of a tile; (0, 0), unknown, where it leaves the picture."""
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
