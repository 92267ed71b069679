"""Files or arrays in, files and reports out: composes pictures, models and methods. Prints nothing."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stegcli import images, methods, metrics, store
from stegcli.container import SHARES
from stegcli.errors import ModelError, NothingFoundError, OutputError, UsageError, out_of_memory
from stegcli.floor import check_revealed
from stegcli.keys import Keyring
from stegcli.methods.envelope import check_sizes, receive
from stegcli.progress import tell
from stegcli.reports import HideReport, InfoReport, RevealReport
from stegcli.session import Loader, load_network
from stegcli.sources import load_cover, load_secret, load_stego, paths_among

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from stegcli.images import Picture
    from stegcli.methods import Method
    from stegcli.methods.envelope import Received
    from stegcli.progress import Progress
    from stegcli.reports import Size
    from stegcli.store import ModelFiles

    Array = NDArray[np.uint8]
    PathLike = str | os.PathLike[str]
    Source = PathLike | Array

__all__ = ["SIZES", "HideReport", "HideSettings", "InfoReport", "RevealReport", "hide", "info", "reveal"]

SIZES = ("original", "hidden")

_TARGET_TOLERANCE = 0.3
"""Decibels by which a trial on crops may have been too hopeful."""


@contextmanager
def _memory_told() -> Iterator[None]:
    """Turn a lack of memory, wherever it shows, into an error of ours; a decorator."""
    try:
        yield
    except MemoryError as error:
        raise out_of_memory() from error


@dataclass(frozen=True)
class HideSettings:
    """What a dry run and the real one have in common: arguments of `hide` by their names."""

    model: str | None = None
    weights: PathLike | None = None
    device: str = "auto"
    favor: str = "balanced"
    target: float | None = None
    scale_cover: float = 1.0
    max_pixels: int = images.DEFAULT_MAX_PIXELS


@_memory_told()
def hide(
    cover: Source,
    secret: Source,
    out: PathLike | None = None,
    *,
    model: str | None = None,
    weights: PathLike | None = None,
    device: str = "auto",
    passphrase: str | None = None,
    favor: str = "balanced",
    target: float | None = None,
    force: bool = False,
    keep_metadata: bool = False,
    scale_cover: float = 1.0,
    max_pixels: int = images.DEFAULT_MAX_PIXELS,
    floor: float | None = None,
    progress: Progress | None = None,
) -> HideReport:
    """Hide a secret in a cover, then read the result back and report what a receiver will see.

    Args:
        cover: file, or (H, W, 3) or (H, W, 4) uint8.
        secret: file, or (h, w) or (h, w, 3) uint8; colour becomes gray.
        out: file to write, lossless by its name; None only fills the report.
        model: id or family; None for the default.
        weights: folder of weights, or `hf://owner/repo@revision`; None for the program's own.
        device: "auto", "cpu" or "cuda".
        passphrase: None lets anybody with the program reveal.
        favor: "cover", "balanced" or "secret".
        target: PSNR in dB that the revealed picture needs; what is more than that goes into the stego.
        force: replace an existing file.
        keep_metadata: carry the cover's EXIF over.
        scale_cover: shrink the cover first (files only), which removes a JPEG's block grid.
        max_pixels: refuse larger pictures.
        floor: PSNR in dB of the revealed picture below which no stego is written; None for what a flat gray
            picture has (`floor.least_db`). Without `out` nothing is refused: the report says how it went.
        progress: told each stage (load, encode, write, save, decode, measure) and the share of it done.

    Raises:
        StegError: one of its children, by what went wrong; then no file is left.
    """
    start = time.perf_counter()
    keyring = Keyring(passphrase)
    if out is not None:
        images.check_writable(out, force, inputs=paths_among(cover, secret))
    tell(progress, "load")
    files = store.find(model, weights, progressive=target is not None)
    method = methods.for_family(files.entry.family)
    picture = load_cover(cover, max_pixels, scale_cover)
    secret_gray, secret_notices = load_secret(secret, max_pixels)
    outcome = method.hide(
        picture.rgb,
        picture.alpha,
        secret_gray,
        Loader(files, device),
        files.entry.fingerprint,
        keyring,
        favor=favor,
        target=target,
        progress=progress,
    )
    tell(progress, "save")
    with _written(out, picture, outcome.stego_rgb, force, keep_metadata, max_pixels) as (stego_rgb, alpha):
        revealed_gray = _read_back(stego_rgb, alpha, keyring, files, device, progress)
        revealed_gray = images.resize_gray(revealed_gray, secret_gray.shape)
        tell(progress, "measure")
        revealed_psnr = metrics.psnr(secret_gray, revealed_gray)
        if out is not None:
            check_revealed(secret_gray, revealed_psnr, files.entry.id, floor)
        return HideReport(
            stego=None if out is None else os.fspath(out),
            model=files.entry.id,
            cover_size=_size(picture.rgb),
            secret_size=_size(secret_gray),
            hidden_size=_size(outcome.hidden_gray),
            spread=outcome.header.spread,
            planes=outcome.header.planes,
            bpp=_bpp(outcome.hidden_gray.size, picture.rgb),
            stego_psnr_db=metrics.psnr(picture.rgb, stego_rgb),
            stego_ssim=_ssim(picture.rgb, stego_rgb),
            revealed_psnr_db=revealed_psnr,
            revealed_ssim=_ssim(secret_gray, revealed_gray),
            keyed=passphrase is not None,
            has_key=method.has_key,
            device=outcome.device,
            stego_rgb=stego_rgb,
            stego_alpha=alpha,
            revealed_gray=revealed_gray,
            notices=(*picture.notices, *secret_notices, *outcome.notices, *_missed(target, revealed_psnr)),
            seconds=time.perf_counter() - start,
        )


@_memory_told()
def reveal(
    stego: Source,
    out: PathLike | None = None,
    *,
    weights: PathLike | None = None,
    device: str = "auto",
    passphrase: str | None = None,
    size: str = "original",
    force: bool = False,
    max_pixels: int = images.DEFAULT_MAX_PIXELS,
    progress: Progress | None = None,
) -> RevealReport:
    """Reveal what a stego hides.

    Args:
        stego: file, or (H, W, 3) or (H, W, 4) uint8.
        out: file to write, lossless by its name; None only fills the report.
        weights: looked into before the program's own, as for `hide`.
        device: "auto", "cpu" or "cuda".
        passphrase: the one it was hidden with.
        size: "original" gives back the secret's own size, "hidden" the size that was carried.
        force: replace an existing file.
        max_pixels: refuse larger pictures, be it the stego or what it says that it gives back.
        progress: told each stage (load, decode, save) and the share of it done.

    Raises:
        StegError: one of its children, by what went wrong; then no file is left.
    """
    start = time.perf_counter()
    if size not in SIZES:
        raise UsageError(f"there is no size {size!r}", f"Choices: {', '.join(SIZES)}.")
    if out is not None:
        images.check_writable(out, force, inputs=paths_among(stego))
    tell(progress, "load")
    picture = load_stego(stego, max_pixels)
    received = receive(picture.rgb, picture.alpha, Keyring(passphrase))
    check_sizes(received.header, max_pixels, original=size == "original")
    method, files = _how(received, weights)
    decoder = load_network(files, "decoder", device)
    tell(progress, "decode")
    revealed_gray = method.reveal(received, decoder, progress)
    header = received.header
    if size == "original":
        revealed_gray = images.resize_gray(revealed_gray, (header.secret_height, header.secret_width))
    tell(progress, "save")
    if out is not None:
        images.save_gray(out, revealed_gray, force)
    return RevealReport(
        revealed=None if out is None else os.fspath(out),
        model=files.entry.id,
        size=_size(revealed_gray),
        secret_size=(header.secret_width, header.secret_height),
        keyed=header.keyed,
        device=decoder.device,
        revealed_gray=revealed_gray,
        notices=_damage_notices(received),
        seconds=time.perf_counter() - start,
    )


@_memory_told()
def info(
    stego: Source,
    *,
    weights: PathLike | None = None,
    passphrase: str | None = None,
    max_pixels: int = images.DEFAULT_MAX_PIXELS,
) -> InfoReport:
    """Read what a stego says about itself; arguments as for `reveal`. Runs no network."""
    picture = load_stego(stego, max_pixels)
    received = receive(picture.rgb, picture.alpha, Keyring(passphrase))
    header = received.header
    known = _known_model(header.model, weights)
    return InfoReport(
        stego="".join(os.fspath(path) for path in paths_among(stego)),
        model=known or header.model.hex(),
        model_here=known is not None,
        size=_size(picture.rgb),
        secret_size=(header.secret_width, header.secret_height),
        hidden_size=(header.hidden_width, header.hidden_height),
        spread=header.spread,
        planes=header.planes,
        bpp=_bpp(header.symbols, picture.rgb),
        sigma=header.sigma if header.channel in SHARES else None,
        damage=received.damage,
        keyed=header.keyed,
    )


def _how(received: Received, weights: PathLike | None) -> tuple[Method, ModelFiles]:
    """The method and the model that an opened stego names."""
    method = methods.for_channel(received.header.channel)
    files = store.find_by_fingerprint(received.header.model, weights)
    if files.entry.family != method.family:
        raise ModelError(
            f"the picture was hidden by {method.family}; its model {files.entry.id} is {files.entry.family}",
            "Give the folder of the weights that it was hidden with: --weights DIR.",
        )
    return method, files


@contextmanager
def _written(
    out: PathLike | None,
    picture: Picture,
    stego_rgb: Array,
    force: bool,
    keep_metadata: bool,
    max_pixels: int,
) -> Iterator[tuple[Array, Array | None]]:
    """Write a draft of the stego and read it again: (rgb, alpha) as the receiver's file holds them.

    It gets its name when the block ends well: no stego lies there that was not proved to reveal.
    """
    if out is None:
        yield stego_rgb, picture.alpha
        return
    exif = picture.exif if keep_metadata else None
    with images.stego_draft(out, stego_rgb, picture.alpha, picture.icc, exif, force) as draft:
        again = images.load_stego(draft, max_pixels=max_pixels)
        yield again.rgb, again.alpha


def _read_back(
    stego_rgb: Array,
    alpha: Array | None,
    keyring: Keyring,
    files: ModelFiles,
    device: str,
    progress: Progress | None,
) -> Array:
    """Reveal as a receiver does, except that no key is derived twice."""
    tell(progress, "decode")
    try:
        received = receive(stego_rgb, alpha, keyring)
    except NothingFoundError as error:
        raise OutputError(
            "the stego does not read back as it was written", "Check the disk, or write elsewhere with -o."
        ) from error
    method = methods.for_channel(received.header.channel)
    return method.reveal(received, load_network(files, "decoder", device), progress)


def _known_model(fingerprint: bytes, weights: PathLike | None) -> str | None:
    try:
        return store.find_by_fingerprint(fingerprint, weights).entry.id
    except ModelError:
        return None


def _size(array: Array) -> Size:
    return array.shape[1], array.shape[0]


def _bpp(hidden_pixels: int, cover_rgb: Array) -> float:
    return metrics.bpp(hidden_pixels, cover_rgb.shape[0] * cover_rgb.shape[1])


def _ssim(first: Array, second: Array) -> float | None:
    return metrics.ssim(first, second) if min(first.shape[:2]) >= metrics.SSIM_WINDOW else None


def _missed(target: float | None, revealed_psnr_db: float) -> tuple[str, ...]:
    if target is None or revealed_psnr_db >= target - _TARGET_TOLERANCE:
        return ()
    return (f"the secret comes back at {revealed_psnr_db:.1f} dB, not at the {target:g} asked for",)


def _damage_notices(received: Received) -> tuple[str, ...]:
    if received.damage == 0:
        return ()
    return (f"about {received.damage:.1%} of the stego's pixels were changed since it was written",)
