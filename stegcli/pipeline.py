"""Files or arrays in, files and reports out: composes pictures, models and methods. Prints nothing."""

from __future__ import annotations

import math
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stegcli.envelope.keys import Keyring
from stegcli.envelope.opening import check_sizes
from stegcli.errors import (
    ImageError,
    ModelError,
    NothingFoundError,
    OutputError,
    UsageError,
    out_of_memory,
)
from stegcli.methods import table
from stegcli.methods.base import Cover, Job, Wishes
from stegcli.models.loading import Models
from stegcli.pictures import colour, metrics, reading, writing
from stegcli.pictures.encoded import Encoded
from stegcli.pictures.floor import check_revealed
from stegcli.pictures.sources import load_cover, load_secret, load_stego, paths_among
from stegcli.progress import tell
from stegcli.reports import HideReport, InfoReport, RevealReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from stegcli.methods.base import Secret
    from stegcli.models.store import PathLike
    from stegcli.pictures.encoded import Sink
    from stegcli.pictures.reading import Picture
    from stegcli.progress import Progress
    from stegcli.reports import Size

    Array = NDArray[np.uint8]
    Source = PathLike | Array

__all__ = [
    "SIZES",
    "HideReport",
    "HideSettings",
    "InfoReport",
    "RevealReport",
    "hide",
    "hide_as",
    "info",
    "reveal",
]

SIZES = ("original", "hidden")
STDOUT = "-"
"""How a report names a stream that was written to."""

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
    """How to hide, but for what, where and under which passphrase. Shared by a dry run and the real one.

    Attributes:
        model: id or family; None for the default.
        weights: folder of weights, or `hf://owner/repo@revision`; None for the program's own.
        device: "auto", "cpu" or "cuda".
        favor: "cover", "balanced" or "secret".
        target: PSNR in dB that the revealed picture needs; what is more than that goes into the stego.
        scale_cover: shrink the cover first (files only), which removes a JPEG's block grid.
        max_pixels: refuse larger pictures.
        keep_metadata: carry the cover's EXIF over.
        floor: PSNR in dB of the revealed picture below which no stego is written; None for what a flat gray
            picture has (`floor.least_db`). A dry run refuses nothing: the report says how it went.

    Raises:
        UsageError: a target that is no number of decibels, or a limit that leaves no pixel.
    """

    model: str | None = None
    weights: PathLike | None = None
    device: str = "auto"
    favor: str = "balanced"
    target: float | None = None
    scale_cover: float = 1.0
    max_pixels: int = reading.DEFAULT_MAX_PIXELS
    keep_metadata: bool = False
    floor: float | None = None

    def __post_init__(self) -> None:
        if self.target is not None and not math.isfinite(self.target):
            raise UsageError(f"cannot aim at {self.target} dB", "Give a PSNR in decibels, such as 32.")
        if self.max_pixels < 1:
            raise UsageError(f"a limit of {self.max_pixels} pixels", "Give 1 or more.")


def hide(
    cover: Source,
    secret: Source,
    out: PathLike | Sink | None = None,
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
    max_pixels: int = reading.DEFAULT_MAX_PIXELS,
    floor: float | None = None,
    progress: Progress | None = None,
) -> HideReport:
    """`hide_as`, with the fields of `HideSettings` as keywords."""
    settings = HideSettings(
        model, weights, device, favor, target, scale_cover, max_pixels, keep_metadata, floor
    )
    return hide_as(cover, secret, out, settings, passphrase=passphrase, force=force, progress=progress)


@_memory_told()
def hide_as(
    cover: Source,
    secret: Source,
    out: PathLike | Sink | None,
    settings: HideSettings,
    *,
    passphrase: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> HideReport:
    """Hide a secret in a cover, then read the result back and report what a receiver will see.

    Args:
        cover: file, or (H, W, 3) or (H, W, 4) uint8.
        secret: file, or (h, w), (h, w, 3) or (h, w, 4) uint8 in sRGB; colour becomes gray, on white.
        out: file to write, lossless by its name; or a binary stream, which is given a PNG once that was
            proved to reveal; None only fills the report.
        settings: how.
        passphrase: None lets anybody with the program reveal.
        force: replace an existing file.
        progress: told each stage (load, encode, write, save, decode, measure) and the share of it done.

    Raises:
        StegError: one of its children, by what went wrong; then no file is left.
    """
    start = time.perf_counter()
    keyring = Keyring(passphrase)
    if isinstance(out, str | os.PathLike):
        writing.check_writable(out, force, inputs=paths_among(cover, secret))
    tell(progress, "load")
    models = Models(settings.weights, settings.device)
    chosen = models.find(settings.model, progressive=settings.target is not None)
    method = table.for_family(chosen.family)
    picture = load_cover(cover, settings.max_pixels, settings.scale_cover)
    if isinstance(out, str | os.PathLike):
        writing.check_holds(out, picture.rgb.shape, picture.alpha)
    secret_gray, secret_notices = load_secret(secret, settings.max_pixels)
    job = Job(
        Cover(picture.rgb, picture.alpha),
        secret_gray,
        chosen,
        keyring,
        Wishes(settings.favor, settings.target),
        progress=progress,
    )
    made = method.hide(job)
    tell(progress, "save")
    with _written(out, picture, made.rgb, force, settings) as (stego_rgb, alpha):
        revealed = _read_back(stego_rgb, alpha, keyring, models, progress)
        revealed_gray = reading.resize_gray(revealed.gray, secret_gray.shape)
        tell(progress, "measure")
        revealed_psnr = metrics.psnr(secret_gray, revealed_gray)
        missed = _missed(settings.target, revealed_psnr)
        if out is not None:
            check_revealed(secret_gray, revealed_psnr, chosen.id, settings.floor)
        return HideReport(
            stego=_name(out),
            model=chosen.id,
            cover_size=_size(picture.rgb),
            secret_size=_size(secret_gray),
            hidden_size=_size(made.hidden_gray),
            spread=made.facts.spread,
            planes=made.facts.planes,
            bpp=_bpp(made.hidden_gray.size, picture.rgb),
            stego_psnr_db=metrics.psnr(picture.rgb, stego_rgb),
            stego_ssim=_ssim(picture.rgb, stego_rgb),
            revealed_psnr_db=revealed_psnr,
            revealed_ssim=_ssim(secret_gray, revealed_gray),
            keyed=passphrase is not None,
            has_key=method.has_key,
            device=made.device,
            from_jpeg=picture.from_jpeg,
            cover_rgb=picture.rgb,
            stego_rgb=stego_rgb,
            stego_alpha=alpha,
            revealed_gray=revealed_gray,
            notices=(
                *picture.notices,
                *_lost_meaning(out, picture),
                *secret_notices,
                *made.notices,
                *missed,
            ),
            seconds=time.perf_counter() - start,
        )


@_memory_told()
def reveal(
    stego: Source,
    out: PathLike | Sink | None = None,
    *,
    weights: PathLike | None = None,
    device: str = "auto",
    passphrase: str | None = None,
    size: str = "original",
    force: bool = False,
    max_pixels: int = reading.DEFAULT_MAX_PIXELS,
    progress: Progress | None = None,
) -> RevealReport:
    """Reveal what a stego hides.

    Args:
        stego: file, or (H, W, 3) or (H, W, 4) uint8.
        out: file to write, lossless by its name; or a binary stream, which is given a PNG; None only fills
            the report.
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
    if isinstance(out, str | os.PathLike):
        writing.check_writable(out, force, inputs=paths_among(stego))
    tell(progress, "load")
    picture = load_stego(stego, max_pixels)
    method, opened = table.open_stego(picture.rgb, picture.alpha, Keyring(passphrase))
    check_sizes(opened.header, max_pixels, original=size == "original")
    if isinstance(out, str | os.PathLike) and size == "original":
        writing.check_holds(out, opened.header.secret_shape)
    secret = method.reveal(opened, Models(weights, device), progress)
    header, revealed_gray = opened.header, secret.gray
    if size == "original":
        revealed_gray = reading.resize_gray(revealed_gray, header.secret_shape)
    tell(progress, "save")
    if isinstance(out, str | os.PathLike):
        writing.save_gray(out, revealed_gray, force)
    elif out is not None:
        out.write(writing.png_bytes(revealed_gray))
    return RevealReport(
        revealed=_name(out),
        model=secret.model,
        size=_size(revealed_gray),
        secret_size=(header.secret_width, header.secret_height),
        keyed=header.keyed,
        device=secret.device,
        revealed_gray=revealed_gray,
        notices=_damage_notices(method.damage(opened)),
        seconds=time.perf_counter() - start,
    )


@_memory_told()
def info(
    stego: Source,
    *,
    weights: PathLike | None = None,
    passphrase: str | None = None,
    max_pixels: int = reading.DEFAULT_MAX_PIXELS,
) -> InfoReport:
    """Read what a stego says about itself; arguments as for `reveal`. Runs no network."""
    picture = load_stego(stego, max_pixels)
    method, opened = table.open_stego(picture.rgb, picture.alpha, Keyring(passphrase))
    header, facts = opened.header, method.facts(opened)
    known = _known_model(facts.model, weights)
    return InfoReport(
        stego="".join(os.fspath(path) for path in paths_among(stego)),
        model=known or facts.model.hex(),
        model_here=known is not None,
        size=_size(picture.rgb),
        secret_size=(header.secret_width, header.secret_height),
        hidden_size=(facts.shown_shape[1], facts.shown_shape[0]),
        spread=facts.spread,
        planes=facts.planes,
        bpp=_bpp(math.prod(facts.shown_shape), picture.rgb),
        sigma=facts.sigma,
        damage=method.damage(opened),
        keyed=header.keyed,
    )


@contextmanager
def _written(
    out: PathLike | Sink | None, picture: Picture, stego_rgb: Array, force: bool, settings: HideSettings
) -> Iterator[tuple[Array, Array | None]]:
    """Write a draft of the stego and read it again: (rgb, alpha) as the receiver's file holds them.

    It gets its name when the block ends well: no stego lies there that was not proved to reveal.
    """
    exif = picture.exif if settings.keep_metadata else None
    if out is None:
        yield stego_rgb, picture.alpha
    elif isinstance(out, str | os.PathLike):
        icc = picture.icc
        if icc is None and writing.output_format(out) != "PNG":
            icc = colour.profile_of(picture.chunks)
        with writing.stego_draft(out, stego_rgb, picture.alpha, icc, exif, force, picture.chunks) as draft:
            again = _again(draft, out, settings)
            yield again.rgb, again.alpha
    else:
        content = writing.png_bytes(stego_rgb, picture.alpha, picture.icc, exif, picture.chunks)
        again = _again(Encoded(STDOUT, content), STDOUT, settings)
        yield again.rgb, again.alpha
        out.write(content)


def _again(draft: PathLike, out: PathLike, settings: HideSettings) -> Picture:
    try:
        return reading.load_stego(draft, max_pixels=settings.max_pixels)
    except ImageError as error:
        raise _unread(out) from error


def _read_back(
    stego_rgb: Array, alpha: Array | None, keyring: Keyring, models: Models, progress: Progress | None
) -> Secret:
    """Reveal as a receiver does, except that no key is derived twice and no network loaded twice."""
    tell(progress, "decode")
    try:
        method, opened = table.open_stego(stego_rgb, alpha, keyring)
        return method.reveal(opened, models, progress)
    except NothingFoundError as error:
        raise _unread("the stego") from error


def _unread(name: PathLike) -> OutputError:
    return OutputError(
        f"{name}: does not read back as it was written", "Check the disk, or write elsewhere with -o."
    )


def _lost_meaning(out: PathLike | Sink | None, picture: Picture) -> tuple[str, ...]:
    """What the written file cannot say of its colours."""
    if not isinstance(out, str | os.PathLike) or writing.output_format(out) == "PNG":
        return ()
    if writing.output_format(out) == "BMP" and (picture.icc or colour.profile_of(picture.chunks)):
        return ("a BMP keeps no colour profile: other programs will show other colours than the cover's",)
    if colour.is_high_dynamic_range(picture.chunks):
        return ("only a PNG says that the cover's colours are of high dynamic range; this file does not",)
    return ()


def _known_model(fingerprint: bytes, weights: PathLike | None) -> str | None:
    try:
        return Models(weights).fingerprinted(fingerprint).id
    except ModelError:
        return None


def _name(out: PathLike | Sink | None) -> str | None:
    return os.fspath(out) if isinstance(out, str | os.PathLike) else None if out is None else STDOUT


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


def _damage_notices(damage: float) -> tuple[str, ...]:
    if damage == 0:
        return ()
    return (f"about {damage:.1%} of the stego's pixels were changed since it was written",)
