"""One secret over several covers, as coded bits: files in, files and a report out. Prints nothing.

secret ──codec──> payload ──split by what each cover can carry──> parts ──> one stego per cover
folder of stegos ──> parts ──joined──> payload ──codec──> secret
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from os import urandom
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stegcli.carriers.boltzmann import multiplier
from stegcli.codecs import choice
from stegcli.codecs.base import FileSecret
from stegcli.envelope import keys
from stegcli.envelope.head import Head
from stegcli.envelope.keys import Keyring
from stegcli.envelope.opening import check_sizes
from stegcli.errors import ImageError, ModelError, NothingFoundError, UsageError, one_line
from stegcli.methods import files, table
from stegcli.methods.base import Job
from stegcli.methods.coded import body, names, parts, pixels
from stegcli.methods.coded.method import part_of
from stegcli.models.loading import Models
from stegcli.pictures import metrics, reading
from stegcli.pictures.drafts import check_place, explained
from stegcli.pictures.floor import check_revealed
from stegcli.pictures.sources import load_stego
from stegcli.pictures.stegos import Place, pixels_draft
from stegcli.pipeline import quality_of, saved_as
from stegcli.progress import tell
from stegcli.reports import RevealReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from stegcli.codecs.base import Encoded, Secret
    from stegcli.methods.coded.parts import Part
    from stegcli.methods.coded.pixels import PricedGround
    from stegcli.pictures.encoded import PathLike, Sink
    from stegcli.pictures.reading import Picture
    from stegcli.pipeline import HideSettings, Naming, Quality
    from stegcli.progress import Progress

    Array = NDArray[np.uint8]

__all__ = ["PartReport", "PartsReport", "hide_over", "reveal_from", "shares"]

_MOST_FILES = 1000
"""Largest number of files in a folder of stegos: each needs its own keys, which take a fifth of a second."""


@dataclass(frozen=True)
class PartReport:
    """One stego of several.

    Attributes:
        stego: name of the file.
        cover_size: (width, height).
        part_bytes: length of the slice of the secret that it carries.
        bpp: bits that it carries per pixel.
        stego_psnr_db: PSNR against its cover.
    """

    stego: str
    cover_size: tuple[int, int]
    part_bytes: int
    bpp: float
    stego_psnr_db: float


@dataclass(frozen=True)
class PartsReport:
    """What was hidden, as read again from the files.

    Attributes:
        parts: in the covers' order.
        secret_size: (width, height); None for a file.
        secret_bytes: length of a file; None for a picture.
        revealed_psnr_db: PSNR of the revealed secret; infinite for a file.
        keyed: whether a passphrase was given.
        seconds: time taken.
        notices: what the user may not expect, one sentence each.
    """

    parts: tuple[PartReport, ...]
    secret_size: tuple[int, int] | None
    secret_bytes: int | None
    revealed_psnr_db: float
    keyed: bool
    seconds: float
    notices: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Return all fields as JSON values; an infinite PSNR is null."""
        values = {**vars(self), "parts": [vars(part) for part in self.parts], "notices": list(self.notices)}
        if self.revealed_psnr_db == float("inf"):
            values["revealed_psnr_db"] = None
        return values


@dataclass(frozen=True)
class _Made:
    """A stego before it is written."""

    cover: Picture
    rgb: Array
    out: Path
    part: Part


def hide_over(
    secret: PathLike,
    covers: Sequence[PathLike],
    folder: Path,
    settings: HideSettings,
    *,
    passphrase: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> PartsReport:
    """Hide one secret over several covers, divided so that the total cost of the changes is least.

    Args:
        secret: picture or any file.
        covers: pictures whose pixels carry; there is one stego for each.
        folder: folder for the stegos, `<stem>.stego.png`; created if necessary.
        settings: as for `pipeline.hide_as`.
        passphrase: as for `pipeline.hide_as`.
        force: as for `pipeline.hide_as`.
        progress: as for `pipeline.hide_as`.

    Raises:
        StegError: one of its subclasses, depending on what went wrong; then none of the files is left.
    """
    start = time.perf_counter()
    outs = _outs(covers, folder, force, [secret, *covers])
    keyring, models = Keyring(passphrase), Models(settings.weights, settings.device)
    method, _ = table.chosen(names.FAMILY, models)
    tell(progress, "load")
    hidden, notices = files.secret_for(
        method, secret, settings.max_pixels, gray=settings.gray, as_file=settings.as_file
    )
    refuse = method.refuses_jpeg_pixels and not settings.force_jpeg_cover
    loaded = [
        files.cover_in_pixels(
            cover, out, settings.max_pixels, settings.scale_cover, traced=True, refuse_jpeg=refuse
        )
        for cover, out in zip(covers, outs, strict=True)
    ]
    tell(progress, "encode")
    grounds = [pixels.Ground.of(cover, keyring).priced(models) for _, cover in loaded]
    job = Job(loaded[0][1], hidden, models, None, keyring, settings.wishes)
    found, told = body.encoded(job, _most_bytes(grounds))
    split = parts.split(found.payload, shares(grounds, len(found.payload)))
    tell(progress, "write")
    made = [
        _made(job, found, part, ground, picture, out)
        for part, ground, (picture, _), out in zip(split, grounds, loaded, outs, strict=True)
    ]
    tell(progress, "save")
    reports, quality = _saved(made, hidden, settings, keyring, force)
    return PartsReport(
        tuple(reports),
        None if isinstance(hidden, FileSecret) else (hidden.shape[1], hidden.shape[0]),
        len(hidden.content) if isinstance(hidden, FileSecret) else None,
        quality.psnr_db,
        not keyring.is_public,
        time.perf_counter() - start,
        (*notices, *told, *dict.fromkeys(note for picture, _ in loaded for note in picture.notices)),
    )


def reveal_from(
    folder: Path,
    out: PathLike | Sink | Naming | None,
    *,
    passphrase: str | None = None,
    size: str = "original",
    force: bool = False,
    max_pixels: int = reading.DEFAULT_MAX_PIXELS,
    progress: Progress | None = None,
) -> RevealReport:
    """Reveal what the stegos in a folder hide together; arguments as for `pipeline.reveal`.

    Files that are not pictures, and pictures that hide no part, are ignored.

    Raises:
        PartsError: a part is missing, which it names, or the parts belong to several secrets.
        StegError: another of its subclasses, depending on what went wrong.
    """
    start = time.perf_counter()
    keyring = Keyring(passphrase)
    tell(progress, "load")
    stegos = _files(folder)
    met = [(str(path), *opened) for path in stegos if (opened := _part_in(path, keyring, max_pixels))]
    if not met:
        raise NothingFoundError
    payload = parts.joined([(name, part) for name, part, _ in met])
    head = met[0][2]
    check_sizes(head, max_pixels, original=size == "original")
    tell(progress, "decode")
    content = choice.decode(head.codec, payload, head.shape)
    if size == "original" and not isinstance(content, FileSecret):
        content = reading.resize(content, head.secret_shape)
    tell(progress, "save")
    written = saved_as(content, out, stegos, force)
    return RevealReport(
        revealed=written,
        model=names.FAMILY,
        size=None if isinstance(content, FileSecret) else (content.shape[1], content.shape[0]),
        secret_size=(head.secret_shape[1], head.secret_shape[0]),
        secret_bytes=len(content.content) if isinstance(content, FileSecret) else None,
        keyed=head.keyed,
        device=names.DEVICE,
        secret=content,
        seconds=time.perf_counter() - start,
    )


def shares(grounds: Sequence[PricedGround], payload_bytes: int) -> list[int]:
    """Return the bytes of the slice for each cover, so that they carry at one lambda, as if one picture.

    Their sum is `payload_bytes` plus `parts.SEAL_BYTES`.
    """
    fixed = parts.OVERHEAD_BYTES + body.TAG_BYTES
    needed = payload_bytes + parts.SEAL_BYTES
    curves = [ground.entropies() for ground in grounds]
    unit = sum(usual for _, usual in curves) / len(curves)
    lam = multiplier(
        lambda lam: sum(bits(lam) for bits, _ in curves), 8 * (needed + fixed * len(grounds)), unit
    )
    most = [ground.most_bytes - parts.OVERHEAD_BYTES for ground in grounds]
    sizes = [
        min(max(int(bits(lam) / 8) - fixed, 0), room) for (bits, _), room in zip(curves, most, strict=True)
    ]
    return _rounded(sizes, most, needed)


def _rounded(sizes: list[int], most: list[int], needed: int) -> list[int]:
    """Adjust sizes to the needed sum: add where there is most room, or subtract where there is most."""
    while missing := needed - sum(sizes):
        if missing > 0:
            index = max(range(len(sizes)), key=lambda each: most[each] - sizes[each])
            change = min(missing, most[index] - sizes[index])
        else:
            index = max(range(len(sizes)), key=lambda each: sizes[each])
            change = -min(-missing, sizes[index])
        sizes[index] += change
    return sizes


def _most_bytes(grounds: Sequence[PricedGround]) -> int:
    return sum(ground.most_bytes - parts.OVERHEAD_BYTES for ground in grounds) - parts.SEAL_BYTES


def _outs(covers: Sequence[PathLike], folder: Path, force: bool, inputs: Sequence[PathLike]) -> list[Path]:
    """Return the stegos' paths; raise now for those that could not be written later."""
    if not 2 <= len(covers) <= parts.MOST_PARTS:
        raise UsageError(
            f"a secret cannot be spread over {len(covers)} covers",
            f"Give 2 to {parts.MOST_PARTS} covers with --covers.",
        )
    outs = [folder / f"{Path(cover).stem}.stego.png" for cover in covers]
    if len(set(outs)) < len(outs):
        raise UsageError(
            "two covers have the same name", "Rename one of them: stegos are named after their covers."
        )
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for out in outs:
        check_place(out, force, inputs)
    return outs


def _made(job: Job, found: Encoded, part: Part, ground: PricedGround, cover: Picture, out: Path) -> _Made:
    """Write a part into its cover, under its own salt."""
    content = part.to_bytes()
    whole = body.unmarked(job, found, names.PART_PIXELS)
    first = replace(whole, body_bytes=len(content) + body.TAG_BYTES)
    salt = urandom(keys.SALT_BYTES)
    stego_rgb, _ = ground.written(first, content, salt, job.keyring.keys(salt))
    return _Made(cover, stego_rgb, out, part)


def _saved(
    made: Sequence[_Made], hidden: Secret, settings: HideSettings, keyring: Keyring, force: bool
) -> tuple[list[PartReport], Quality]:
    """Write all stegos, reveal from the written files, and only then give them their names."""
    before = {each.out for each in made if os.path.lexists(each.out)}
    try:
        with ExitStack() as drafts:
            again = [
                drafts.enter_context(
                    pixels_draft(
                        Place(each.out, force, settings.max_pixels, settings.keep_metadata),
                        each.cover,
                        each.rgb,
                    )
                )
                for each in made
            ]
            met = [
                (str(each.out), *_opened(picture, keyring)) for each, picture in zip(made, again, strict=True)
            ]
            payload = parts.joined([(name, part) for name, part, _ in met])
            head = met[0][2]
            quality = quality_of(hidden, choice.decode(head.codec, payload, head.shape))
            if not isinstance(hidden, FileSecret):
                check_revealed(hidden, quality.psnr_db, names.FAMILY, settings.floor)
            return [_reported(each, picture) for each, picture in zip(made, again, strict=True)], quality
    except BaseException:
        for each in made:
            if each.out not in before:
                each.out.unlink(missing_ok=True)
        raise


def _reported(made: _Made, again: Picture) -> PartReport:
    height, width = again.rgb.shape[:2]
    carried = len(made.part.to_bytes()) + body.TAG_BYTES
    return PartReport(
        str(made.out),
        (width, height),
        len(made.part.piece),
        8 * carried / (width * height),
        metrics.psnr(made.cover.rgb, again.rgb),
    )


def _opened(stego: Picture, keyring: Keyring) -> tuple[Part, Head]:
    """Return the part in a stego, with its head; NothingFoundError if there is none."""
    _, opened = table.open_stego(stego.rgb, stego.alpha, keyring, stego.jpeg)
    part = part_of(opened)
    if not isinstance(opened.header, Head):
        raise NothingFoundError
    return part, opened.header


def _part_in(path: Path, keyring: Keyring, max_pixels: int) -> tuple[Part, Head] | None:
    """Do the same as `_opened` for a file; None if it is not a picture or hides no part."""
    try:
        return _opened(load_stego(path, max_pixels), keyring)
    except (ImageError, NothingFoundError, ModelError):
        return None


def _files(folder: Path) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise ImageError(f"{folder}: cannot be read ({one_line(error)})", "Check its permissions.") from error
    if len(found) > _MOST_FILES:
        raise UsageError(f"{folder} holds {len(found):,} files", "Put the stegos into a folder of their own.")
    return found
