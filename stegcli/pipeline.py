"""Files or arrays in, files and reports out: composes pictures, models and methods. Prints nothing."""

from __future__ import annotations

import math
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stegcli.codecs.base import FileSecret
from stegcli.codecs.plain import MAX_BYTES
from stegcli.envelope.head import Head
from stegcli.envelope.keys import Keyring
from stegcli.envelope.opening import check_sizes
from stegcli.errors import (
    ImageError,
    ModelError,
    NothingFoundError,
    OutputError,
    UsageError,
    one_line,
    out_of_memory,
)
from stegcli.methods import table
from stegcli.methods.base import Cover, Job, Wishes
from stegcli.models.files import read_regular
from stegcli.models.loading import Models
from stegcli.pictures import colour, metrics, reading, writing
from stegcli.pictures.drafts import check_place
from stegcli.pictures.encoded import Encoded
from stegcli.pictures.floor import check_revealed
from stegcli.pictures.sources import (
    load_colour_secret,
    load_cover,
    load_secret,
    load_stego,
    paths_among,
)
from stegcli.progress import tell
from stegcli.reports import HideReport, InfoReport, RevealReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from stegcli.envelope.header import Header
    from stegcli.methods.base import Facts, Method, Secret
    from stegcli.models.store import PathLike
    from stegcli.pictures.encoded import Sink
    from stegcli.progress import Progress
    from stegcli.reports import Size

    Array = NDArray[np.uint8]
    Picture = Array
    Source = PathLike | Array
    Naming = Callable[[str | None], PathLike]
    """A revealed file's safe name, None for a picture -> the file to write."""
    Notices = tuple[str, ...]

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
        scale_cover: shrink the cover first, which removes a JPEG's block grid.
        max_pixels: refuse larger pictures.
        keep_metadata: carry the cover's EXIF over.
        gray: hide a colour secret in gray, also where the method would keep its colours.
        as_file: hide the secret's file byte for byte, also where it is a picture.
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
    gray: bool = False
    as_file: bool = False

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
    gray: bool = False,
    as_file: bool = False,
    progress: Progress | None = None,
) -> HideReport:
    """`hide_as`, with the fields of `HideSettings` as keywords."""
    settings = HideSettings(
        model, weights, device, favor, target, scale_cover, max_pixels, keep_metadata, floor, gray, as_file
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
        secret: file, or (h, w), (h, w, 3) or (h, w, 4) uint8 in sRGB, on white. Colour becomes gray for a
            method that takes gray pictures only; a file that is no picture is for one that takes any file.
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
    method, chosen = table.chosen(settings.model, models, progressive=settings.target is not None)
    name = method.family if chosen is None else chosen.id
    picture = load_cover(cover, settings.max_pixels, settings.scale_cover)
    if isinstance(out, str | os.PathLike):
        writing.check_holds(out, picture.rgb.shape, picture.alpha)
    hidden, secret_notices = _secret(secret, method, settings)
    job = Job(
        Cover(picture.rgb, picture.alpha),
        hidden,
        models,
        chosen,
        keyring,
        Wishes(settings.favor, settings.target),
        progress=progress,
    )
    made = method.hide(job)
    tell(progress, "save")
    with _written(out, picture, made.rgb, force, settings) as (stego_rgb, alpha):
        revealed = _read_back(stego_rgb, alpha, keyring, models, progress)
        tell(progress, "measure")
        quality = _quality(hidden, revealed.content)
        if out is not None and not isinstance(hidden, FileSecret):
            check_revealed(hidden, quality.psnr_db, name, settings.floor)
        return HideReport(
            stego=_name(out),
            model=name,
            cover_size=_size(picture.rgb),
            secret_size=_secret_size(hidden),
            hidden_size=_secret_size(made.hidden),
            secret_bytes=len(hidden.content) if isinstance(hidden, FileSecret) else None,
            spread=made.facts.spread,
            planes=made.facts.planes,
            bpp=_bpp(made.header, made.facts, picture.rgb),
            stego_psnr_db=metrics.psnr(picture.rgb, stego_rgb),
            stego_ssim=_ssim(picture.rgb, stego_rgb),
            revealed_psnr_db=quality.psnr_db,
            revealed_ssim=quality.ssim,
            keyed=passphrase is not None,
            has_key=method.has_key,
            family=method.family,
            device=made.device,
            from_jpeg=picture.from_jpeg,
            cover_rgb=picture.rgb,
            stego_rgb=stego_rgb,
            stego_alpha=alpha,
            revealed_secret=quality.seen,
            notices=(
                *picture.notices,
                *_lost_meaning(out, picture),
                *secret_notices,
                *made.notices,
                *_missed(settings.target, quality.psnr_db),
            ),
            seconds=time.perf_counter() - start,
        )


@_memory_told()
def reveal(
    stego: Source,
    out: PathLike | Sink | Naming | None = None,
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
        out: file to write, lossless by its name if a picture is revealed; or a binary stream, which is given
            a PNG or the file; or who names the file to write; None only fills the report.
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
        check_place(out, force, inputs=paths_among(stego))
    tell(progress, "load")
    picture = load_stego(stego, max_pixels)
    method, opened = table.open_stego(picture.rgb, picture.alpha, Keyring(passphrase))
    check_sizes(opened.header, max_pixels, original=size == "original")
    if isinstance(out, str | os.PathLike) and not _is_file(opened.header):
        writing.check_writable(out, force, inputs=paths_among(stego))
        if size == "original":
            writing.check_holds(out, opened.header.secret_shape)
    secret = method.reveal(opened, Models(weights, device), progress)
    found = secret.content
    if size == "original" and not isinstance(found, FileSecret):
        found = reading.resize(found, opened.header.secret_shape)
    tell(progress, "save")
    written = _saved(found, out, stego, force)
    return RevealReport(
        revealed=written,
        model=secret.model,
        size=_secret_size(found),
        secret_size=_flipped(opened.header.secret_shape),
        secret_bytes=len(found.content) if isinstance(found, FileSecret) else None,
        keyed=opened.header.keyed,
        device=secret.device,
        secret=found,
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
    known = method.family if facts.model is None else _known_model(facts.model, weights)
    return InfoReport(
        stego="".join(os.fspath(path) for path in paths_among(stego)),
        model=known or (facts.model or b"").hex(),
        model_here=known is not None,
        size=_size(picture.rgb),
        secret_size=None if _is_file(header) else _flipped(header.secret_shape),
        hidden_size=None if _is_file(header) else _flipped(facts.shown_shape),
        secret_bytes=header.content_bytes if isinstance(header, Head) and header.is_file else None,
        spread=facts.spread,
        planes=facts.planes,
        bpp=_bpp(header, facts, picture.rgb),
        sigma=facts.sigma,
        damage=method.damage(opened),
        keyed=header.keyed,
    )


def _secret(source: Source, method: Method, settings: HideSettings) -> tuple[Picture | FileSecret, Notices]:
    """What is hidden, of the kinds that the method takes, and what the user may not expect of it.

    Raises:
        UsageError: the method does not take it.
        ImageError: it cannot be read, or is no picture where only pictures are taken.
    """
    if settings.as_file:
        return _file(source, method), ()
    try:
        if "colour" in method.takes and not settings.gray:
            return load_colour_secret(source, settings.max_pixels)
        return load_secret(source, settings.max_pixels)
    except ImageError as error:
        if "file" not in method.takes or not _is_readable(source):
            raise
        return _file(source, method), (f"hidden byte for byte, as a file: {error.message}",)


def _is_readable(source: Source) -> bool:
    return not isinstance(source, np.ndarray | Encoded) and Path(source).is_file()


def _file(source: Source, method: Method) -> FileSecret:
    """A file as a secret."""
    if "file" not in method.takes:
        raise UsageError(f"{method.family} hides pictures only", "Take --model coded, or omit --as-file.")
    if isinstance(source, np.ndarray):
        raise UsageError("an array is no file", "Give the name of a file.")
    if isinstance(source, Encoded):
        return FileSecret("secret", source.content)
    try:
        return FileSecret(Path(source).name, read_regular(Path(source), MAX_BYTES))
    except OSError as error:
        raise ImageError(f"{source}: cannot be read ({one_line(error)})", "Check the name.") from error


@dataclass(frozen=True)
class _Quality:
    """A revealed secret against the one that was hidden: as seen at its own size, PSNR in dB and SSIM."""

    seen: Picture | FileSecret
    psnr_db: float
    ssim: float | None


def _quality(hidden: Picture | FileSecret, revealed: Picture | FileSecret) -> _Quality:
    """Raises OutputError for a file that came back as another."""
    if isinstance(hidden, FileSecret):
        if not isinstance(revealed, FileSecret) or revealed.content != hidden.content:
            raise _unread("the stego")
        return _Quality(revealed, math.inf, None)
    if isinstance(revealed, FileSecret):
        raise _unread("the stego")
    seen = reading.resize(revealed, (hidden.shape[0], hidden.shape[1]))
    return _Quality(seen, metrics.psnr(hidden, seen), _ssim(hidden, seen))


def _saved(
    found: Picture | FileSecret, out: PathLike | Sink | Naming | None, stego: Source, force: bool
) -> str | None:
    """Write what was revealed; the name of the file, if one was written."""
    if out is None:
        return None
    if callable(out):
        out = out(found.name if isinstance(found, FileSecret) else None)
        check_place(out, force, inputs=paths_among(stego))
    if isinstance(out, str | os.PathLike):
        if isinstance(found, FileSecret):
            writing.save_bytes(out, found.content, force)
        else:
            writing.save_gray(out, found, force)
    else:
        out.write(found.content if isinstance(found, FileSecret) else writing.png_bytes(found))
    return _name(out)


def _is_file(header: Header | Head) -> bool:
    return isinstance(header, Head) and header.is_file


@contextmanager
def _written(
    out: PathLike | Sink | None,
    picture: reading.Picture,
    stego_rgb: Array,
    force: bool,
    settings: HideSettings,
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


def _again(draft: PathLike, out: PathLike, settings: HideSettings) -> reading.Picture:
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


def _lost_meaning(out: PathLike | Sink | None, picture: reading.Picture) -> tuple[str, ...]:
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


def _secret_size(secret: Picture | FileSecret) -> Size | None:
    return None if isinstance(secret, FileSecret) else _size(secret)


def _flipped(shape: tuple[int, int]) -> Size:
    return shape[1], shape[0]


def _bpp(header: Header | Head, facts: Facts, cover_rgb: Array) -> float:
    """Secret bits per cover pixel: of the body where the secret travels as bits, else eight a pixel of it."""
    pixels = cover_rgb.shape[0] * cover_rgb.shape[1]
    if isinstance(header, Head):
        return float(8 * header.body_bytes / pixels)
    return metrics.bpp(math.prod(facts.shown_shape), pixels)


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
