"""Files or arrays in, files and reports out: this combines pictures, models and methods. Prints nothing."""

from __future__ import annotations

import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from stegcli.carriers.pixels import OPAQUE
from stegcli.codecs.file_secret import FileSecret
from stegcli.envelope.keys import Keyring
from stegcli.envelope.opening import check_sizes
from stegcli.errors import (
    ModelError,
    NothingFoundError,
    UsageError,
    out_of_memory,
)
from stegcli.methods import files, table
from stegcli.methods.base import Job
from stegcli.methods.robust.names import FAMILY
from stegcli.models.loading import Models
from stegcli.pictures import metrics, reading, writing
from stegcli.pictures.drafts import check_place
from stegcli.pictures.encoded import Encoded
from stegcli.pictures.floor import check_revealed
from stegcli.pictures.sources import load_stego, paths_among
from stegcli.pictures.stegos import Place, jpeg_draft, lost_meaning, name_of, pixels_draft, unread
from stegcli.progress import tell
from stegcli.reports import HideReport, InfoReport, RevealReport
from stegcli.settings import HideSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from stegcli.envelope.head import Head
    from stegcli.envelope.header import Header
    from stegcli.envelope.opening import Opened
    from stegcli.methods.base import Cover, Facts, JpegLoad, Method, Rectangles, Secret, Stego
    from stegcli.models.store import PathLike
    from stegcli.pictures.encoded import Sink
    from stegcli.pictures.reading import Picture
    from stegcli.progress import Progress
    from stegcli.reports import Size

    Array = NDArray[np.uint8]
    Source = PathLike | Array
    Naming = Callable[[str | None], PathLike]
    """From a revealed file's safe name (None for a picture) to the file to write."""
    Notices = tuple[str, ...]

__all__ = [
    "SIZES",
    "HideReport",
    "Trial",
    "HideSettings",
    "InfoReport",
    "Quality",
    "RevealReport",
    "Tools",
    "hide",
    "hide_as",
    "hide_with",
    "info",
    "quality_of",
    "reveal",
    "reveal_with",
    "saved_as",
    "trial",
]

SIZES = ("original", "hidden")
SAMPLED_FROM = 4 << 20
"""Pixels of a secret from which a sample of it is enough to know its quality by."""
_TRIAL_SALT = b"trials of covers"
_TARGET_TOLERANCE = 0.3
"""Decibels by which a trial on crops may have been too optimistic."""


@contextmanager
def _memory_explained() -> Iterator[None]:
    """Turn a MemoryError, wherever it is raised, into one of our own errors; used as a decorator."""
    try:
        yield
    except MemoryError as error:
        raise out_of_memory() from error


@dataclass(frozen=True)
class Tools:
    """What many pictures can share, so that nothing is loaded or derived twice.

    Attributes:
        models: the networks.
        keyring: the keys that belong to the passphrase.
    """

    models: Models
    keyring: Keyring


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
    force_jpeg_cover: bool = False,
    survive: str | None = None,
    progress: Progress | None = None,
) -> HideReport:
    """`hide_as`, with the fields of `HideSettings` as keywords."""
    settings = HideSettings(
        model,
        weights,
        device,
        favor,
        target,
        scale_cover,
        max_pixels,
        keep_metadata,
        floor,
        gray,
        as_file,
        force_jpeg_cover,
        survive=survive,
    )
    return hide_as(cover, secret, out, settings, passphrase=passphrase, force=force, progress=progress)


@_memory_explained()
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
        secret: file, or (h, w), (h, w, 3) or (h, w, 4) uint8 in sRGB, on white. Colour becomes gray if the
            method takes only gray pictures; a file that is not a picture needs a method that takes any file.
        out: file to write, whose name must be that of a lossless format, or of a JPEG if the method hides in
            coefficients; or a binary stream, which receives a PNG (or a JPEG, if the cover is one and stays
            one) after a proof that it reveals. With None nothing is written, and only the report is made.
        settings: how to hide.
        passphrase: with None, anybody with the program can reveal.
        force: replace an existing file.
        progress: called with each stage (load, encode, write, save, decode, measure) and the share of it
            that is done.

    Raises:
        StegError: one of its subclasses, depending on what went wrong; then no file is left behind.
    """
    tools = Tools(Models(settings.weights, settings.device), Keyring(passphrase))
    return hide_with(tools, cover, secret, out, settings, force=force, progress=progress)


@_memory_explained()
def hide_with(
    tools: Tools,
    cover: Source,
    secret: Source,
    out: PathLike | Sink | None,
    settings: HideSettings,
    *,
    force: bool = False,
    salt: bytes | None = None,
    progress: Progress | None = None,
) -> HideReport:
    """Do the work of `hide_as` for one picture of many.

    Args:
        tools: shared by all pictures; the settings' own device and weights are ignored.
        cover: as for `hide_as`.
        secret: likewise.
        out: likewise.
        settings: likewise.
        force: likewise.
        salt: 16 bytes that must never be used for two stegos; with None they are drawn at random.
        progress: likewise.
    """
    start = time.perf_counter()
    keyring, models = tools.keyring, tools.models
    if isinstance(out, str | os.PathLike):
        files.check_output(settings.model, out, force, paths_among(cover, secret))
    tell(progress, "load")
    method, chosen = table.chosen(settings.model, models, progressive=settings.target is not None)
    name = method.family if chosen is None else chosen.id
    picture, carrier = _cover(method, cover, out, settings)
    hidden, secret_notices = files.secret_for(
        method, secret, settings.max_pixels, gray=settings.gray, as_file=settings.as_file
    )
    sampled = settings.sampled and not isinstance(hidden, FileSecret) and hidden.size >= SAMPLED_FROM
    job = Job(carrier, hidden, models, chosen, keyring, settings.wishes, salt, progress, reads_back=sampled)
    made = method.hide(job)
    sampled = sampled and _secret_size(made.hidden) == _secret_size(hidden)
    tell(progress, "save")
    place = Place(out, force, settings.max_pixels, settings.keep_metadata)
    with _seen_early(method, made, picture, tools) as early, _draft(place, picture, made) as again:
        tell(progress, "decode")
        seen = _seen(picture.rgb, again, tools, progress, sampled) if early is None else early.of(again)
        if seen.secret.sample is not None and not np.array_equal(made.rgb, again.rgb):
            raise unread("the stego")
        tell(progress, "measure")
        quality = quality_of(hidden, seen.secret.content, seen.secret.sample)
        if out is not None and not isinstance(hidden, FileSecret):
            check_revealed(hidden, quality.psnr_db, name, settings.floor)
        return HideReport(
            stego=name_of(out),
            model=name,
            cover_size=_size(picture.rgb),
            secret_size=_secret_size(hidden),
            hidden_size=_secret_size(made.hidden),
            secret_bytes=len(hidden.content) if isinstance(hidden, FileSecret) else None,
            spread=made.facts.spread,
            planes=made.facts.planes,
            bpp=_bpp(made.header, made.facts, picture.rgb),
            stego_psnr_db=seen.stego_psnr_db,
            stego_ssim=seen.stego_ssim,
            revealed_psnr_db=quality.psnr_db,
            revealed_ssim=quality.ssim,
            keyed=not keyring.is_public,
            has_key=method.has_key,
            family=method.family,
            device=made.device,
            from_jpeg=picture.from_jpeg,
            cover_rgb=picture.rgb,
            stego_rgb=again.rgb,
            stego_alpha=again.alpha,
            revealed_secret=quality.seen,
            is_sample=seen.secret.sample is not None,
            proofs=made.proofs,
            notices=(
                *picture.notices,
                *lost_meaning(out, picture),
                *secret_notices,
                *made.notices,
                *_missed(settings.target, quality.psnr_db),
            ),
            load=made.load,
            seconds=time.perf_counter() - start,
        )


@dataclass(frozen=True)
class Trial:
    """A stego that is measured, but not kept.

    Attributes:
        family: the method's.
        cover_rgb: (H, W, 3) uint8, as read and scaled.
        stego_rgb: (H, W, 3) uint8.
        spread: cover pixels per symbol.
        bpp: hidden bits per cover pixel.
        load: how much a JPEG file carries; None if the pixels carry.
    """

    family: str
    cover_rgb: Array = field(repr=False)
    stego_rgb: Array = field(repr=False)
    spread: int
    bpp: float
    load: JpegLoad | None


@_memory_explained()
def trial(cover: Source, secret: Source, settings: HideSettings, models: Models) -> Trial:
    """Hide with the public key and a fixed salt, in order to compare covers; nothing is revealed.

    Args:
        cover: as for `hide_as`.
        secret: likewise.
        settings: likewise.
        models: networks that all trials share.

    Raises:
        StegError: as `hide_as`.
    """
    method, chosen = table.chosen(settings.model, models, progressive=settings.target is not None)
    picture, carrier = _cover(method, cover, None, settings)
    hidden, _ = files.secret_for(
        method, secret, settings.max_pixels, gray=settings.gray, as_file=settings.as_file
    )
    made = method.hide(Job(carrier, hidden, models, chosen, Keyring(None), settings.wishes, salt=_TRIAL_SALT))
    if made.jpeg is None:
        stego_rgb = made.rgb
    else:
        file = Encoded("the trial's stego", made.jpeg)
        stego_rgb = reading.load_upright(file, max_pixels=settings.max_pixels).rgb
    return Trial(
        method.family,
        picture.rgb,
        stego_rgb,
        made.facts.spread,
        _bpp(made.header, made.facts, picture.rgb),
        made.load,
    )


@_memory_explained()
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
    search: bool = False,
    progress: Progress | None = None,
) -> RevealReport:
    """Reveal what a stego hides.

    Args:
        stego: file, or (H, W, 3) or (H, W, 4) uint8.
        out: file to write, in a lossless format if a picture is revealed; or a binary stream, which receives
            a PNG or the file; or a function that names the file to write. With None nothing is written.
        weights: searched before the program's own, as for `hide`.
        device: "auto", "cpu" or "cuda".
        passphrase: the one that the secret was hidden with.
        size: "original" restores the secret's own size, "hidden" keeps the size that the stego carries.
        force: replace an existing file.
        max_pixels: refuse larger pictures: both the stego and the secret that its header announces.
        search: also try whether the stego was resized, turned or mirrored.
        progress: called with each stage (load, search, decode, save) and the share of it that is done.

    Raises:
        StegError: one of its subclasses, depending on what went wrong; then no file is left behind.
    """
    tools = Tools(Models(weights, device), Keyring(passphrase))
    return reveal_with(
        tools, stego, out, size=size, force=force, max_pixels=max_pixels, search=search, progress=progress
    )


@_memory_explained()
def reveal_with(
    tools: Tools,
    stego: Source,
    out: PathLike | Sink | Naming | None,
    *,
    size: str = "original",
    force: bool = False,
    max_pixels: int = reading.DEFAULT_MAX_PIXELS,
    search: bool = False,
    progress: Progress | None = None,
) -> RevealReport:
    """Do the work of `reveal` for one of many stegos that share their `tools`."""
    start = time.perf_counter()
    if size not in SIZES:
        raise UsageError(f"there is no size {size!r}", f"Choices: {', '.join(SIZES)}.")
    if isinstance(out, str | os.PathLike):
        check_place(out, force, inputs=paths_among(stego))
    tell(progress, "load")
    picture = load_stego(stego, max_pixels)
    method, opened = table.open_stego(
        picture.rgb, picture.alpha, tools.keyring, picture.jpeg, search, progress
    )
    check_sizes(opened.header, max_pixels, original=size == "original")
    if isinstance(out, str | os.PathLike) and not opened.header.is_file:
        writing.check_writable(out, force, inputs=paths_among(stego))
        if size == "original":
            writing.check_holds(out, opened.header.secret_shape)
    secret = method.reveal(opened, tools.models, progress)
    found = secret.content
    if size == "original" and not isinstance(found, FileSecret):
        found = reading.resize(found, opened.header.secret_shape)
    tell(progress, "save")
    written = saved_as(found, out, paths_among(stego), force)
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


@_memory_explained()
def info(
    stego: Source,
    *,
    weights: PathLike | None = None,
    passphrase: str | None = None,
    max_pixels: int = reading.DEFAULT_MAX_PIXELS,
) -> InfoReport:
    """Read what a stego says about itself, without running a network; arguments as for `reveal`.

    The size of a hidden file is stored inside what is hidden, beside its name: to learn it, the file is read.
    """
    picture = load_stego(stego, max_pixels)
    method, opened = table.open_stego(picture.rgb, picture.alpha, Keyring(passphrase), picture.jpeg)
    header, facts = opened.header, method.facts(opened)
    known = method.family if facts.model is None else _known_model(facts.model, weights)
    return InfoReport(
        stego="".join(os.fspath(path) for path in paths_among(stego)),
        model=known or (facts.model or b"").hex(),
        model_here=known is not None,
        size=_size(picture.rgb),
        secret_size=None if header.is_file else _flipped(header.secret_shape),
        hidden_size=None if header.is_file else _flipped(facts.shown_shape),
        secret_bytes=_file_bytes(method, opened, Models(weights), max_pixels),
        spread=facts.spread,
        planes=facts.planes,
        bpp=_bpp(header, facts, picture.rgb),
        sigma=facts.sigma,
        damage=method.damage(opened),
        keyed=header.keyed,
    )


@dataclass(frozen=True)
class Quality:
    """A revealed secret compared with the hidden one: as seen at its own size, with PSNR in dB and SSIM.

    Of a sample the figures alone: nothing is seen.
    """

    seen: Array | FileSecret | None
    psnr_db: float
    ssim: float | None


def quality_of(
    hidden: Array | FileSecret, revealed: Array | FileSecret, sample: Rectangles | None = None
) -> Quality:
    """Compare a revealed secret with the one that was hidden; both have one size if a sample was decoded.

    Raises:
        OutputError: a file did not come back as it was.
    """
    if isinstance(hidden, FileSecret):
        if not isinstance(revealed, FileSecret) or revealed.content != hidden.content:
            raise unread("the stego")
        return Quality(revealed, math.inf, None)
    if isinstance(revealed, FileSecret):
        raise unread("the stego")
    if sample is not None:
        pairs = [(hidden[part], revealed[part]) for part in sample]
        return Quality(None, metrics.psnr_of_parts(pairs), metrics.ssim_of_parts(pairs))
    seen = reading.resize(revealed, (hidden.shape[0], hidden.shape[1]))
    return Quality(seen, metrics.psnr(hidden, seen), _ssim(hidden, seen))


def saved_as(
    found: Array | FileSecret,
    out: PathLike | Sink | Naming | None,
    inputs: Sequence[PathLike],
    force: bool,
) -> str | None:
    """Write what was revealed, never over an input; return the name of the file if one was written."""
    if out is None:
        return None
    if callable(out):
        out = out(found.name if isinstance(found, FileSecret) else None)
        check_place(out, force, inputs)
    if isinstance(out, str | os.PathLike):
        if isinstance(found, FileSecret):
            writing.save_bytes(out, found.content, force)
        else:
            writing.save_gray(out, found, force)
    else:
        out.write(found.content if isinstance(found, FileSecret) else writing.png_bytes(found))
    return name_of(out)


def _cover(
    method: Method, cover: Source, out: PathLike | Sink | None, settings: HideSettings
) -> tuple[Picture, Cover]:
    """The cover, prepared for the kind of file that will be written."""
    limit, scale = settings.max_pixels, settings.scale_cover
    if settings.model == FAMILY:
        return files.cover_to_survive(
            cover, out, limit, scale, settings.survive, keep_metadata=settings.keep_metadata
        )
    if files.asks_jpeg(settings.model, out, cover):
        return files.cover_in_jpeg(cover, out, limit, scale, keep_metadata=settings.keep_metadata)
    shuns = method.refuses_jpeg_pixels
    refuse = shuns and not settings.force_jpeg_cover
    return files.cover_in_pixels(cover, out, limit, scale, traced=shuns, refuse_jpeg=refuse)


def _draft(place: Place, cover: Picture, made: Stego) -> AbstractContextManager[Picture]:
    return pixels_draft(place, cover, made.rgb) if made.jpeg is None else jpeg_draft(place, made.jpeg)


@dataclass(frozen=True)
class _Seen:
    """What a receiver finds, and how close the stego is to its cover: PSNR in dB, and SSIM."""

    secret: Secret
    stego_psnr_db: float
    stego_ssim: float | None


def _seen(
    cover_rgb: Array, again: Picture, tools: Tools, progress: Progress | None, sampled: bool = False
) -> _Seen:
    """Reveal as a receiver does, except that no key is derived twice and no network loaded twice."""
    try:
        method, opened = table.open_stego(again.rgb, again.alpha, tools.keyring, again.jpeg)
        secret = method.reveal(opened, tools.models, progress, sampled=sampled)
    except NothingFoundError as error:
        raise unread("the stego") from error
    return _Seen(secret, metrics.psnr(cover_rgb, again.rgb), _ssim(cover_rgb, again.rgb))


@dataclass(frozen=True)
class _Early:
    """What a receiver of these pixels finds; it holds for the file if the file has the same pixels."""

    expected: Picture
    answer: Future[_Seen]

    def of(self, again: Picture) -> _Seen:
        """Return the answer; OutputError if the file, read again, has other pixels."""
        ours, theirs = self.expected, again
        if not np.array_equal(ours.rgb, theirs.rgb) or not _same_alpha(ours.alpha, theirs.alpha):
            raise unread("the stego")
        return self.answer.result()


def _same_alpha(ours: Array | None, theirs: Array | None) -> bool:
    """Whether both mean the same, where None is equivalent to an opaque plane."""
    if ours is None or theirs is None:
        return all(alpha is None or int(alpha.min()) == OPAQUE for alpha in (ours, theirs))
    return np.array_equal(ours, theirs)


@contextmanager
def _seen_early(method: Method, made: Stego, cover: Picture, tools: Tools) -> Iterator[_Early | None]:
    """Reveal while the file is being compressed, on the other core.

    Gives None for a method with networks, which use both cores and must receive Ctrl-C in the main thread,
    and for JPEG files, whose pixels have to be decoded first.
    """
    if method.has_models or made.jpeg is not None:
        yield None
        return
    expected = reading.Picture(made.rgb, cover.alpha, None, None, (), from_jpeg=False)
    with ThreadPoolExecutor(max_workers=1) as aside:
        yield _Early(expected, aside.submit(_seen, cover.rgb, expected, tools, None))


def _file_bytes(method: Method, opened: Opened, models: Models, max_pixels: int) -> int | None:
    """Length of a hidden file, without its name; None for a picture."""
    if not opened.header.is_file:
        return None
    check_sizes(opened.header, max_pixels, original=True)
    found = method.reveal(opened, models).content
    return len(found.content) if isinstance(found, FileSecret) else None


def _known_model(fingerprint: bytes, weights: PathLike | None) -> str | None:
    try:
        return Models(weights).fingerprinted(fingerprint).id
    except ModelError:
        return None


def _size(array: Array) -> Size:
    return array.shape[1], array.shape[0]


def _secret_size(secret: Array | FileSecret) -> Size | None:
    return None if isinstance(secret, FileSecret) else _size(secret)


def _flipped(shape: tuple[int, int]) -> Size:
    return shape[1], shape[0]


def _bpp(header: Header | Head, facts: Facts, cover_rgb: Array) -> float:
    """Secret bits per cover pixel: those of the body if there is one, else eight for each pixel shown."""
    pixels = cover_rgb.shape[0] * cover_rgb.shape[1]
    if header.body_bytes is not None:
        return float(8 * header.body_bytes / pixels)
    return metrics.bpp(math.prod(facts.shown_shape), pixels)


def _ssim(first: Array, second: Array) -> float | None:
    return metrics.ssim(first, second) if min(first.shape[:2]) >= metrics.SSIM_WINDOW else None


def _missed(target: float | None, revealed_psnr_db: float) -> tuple[str, ...]:
    if target is None or revealed_psnr_db >= target - _TARGET_TOLERANCE:
        return ()
    return (
        f"the secret comes back at {revealed_psnr_db:.1f} dB, not at the {target:g} dB that were asked for",
    )


def _damage_notices(damage: float) -> tuple[str, ...]:
    if damage == 0:
        return ()
    return (f"about {damage:.1%} of the stego's pixels were changed since it was written",)
