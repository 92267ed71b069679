"""From what a user names to what a method takes: covers, secrets, and files to write."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.codecs.file_secret import FileSecret
from stegcli.errors import ImageError, UsageError, one_line
from stegcli.methods import table
from stegcli.methods.base import Cover
from stegcli.methods.robust.names import DEFAULT
from stegcli.models.files import read_regular
from stegcli.pictures import colour, reading, writing
from stegcli.pictures.drafts import check_place
from stegcli.pictures.encoded import STDIN, Encoded
from stegcli.pictures.files import is_jpeg
from stegcli.pictures.sources import load_colour_secret, load_cover, load_secret, load_upright

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stegcli.methods.base import Method
    from stegcli.pictures.encoded import PathLike, Sink
    from stegcli.pictures.reading import Picture

    U8 = NDArray[np.uint8]
    Source = PathLike | U8

__all__ = [
    "SEEN_AGAIN",
    "asks_jpeg",
    "check_output",
    "cover_in_jpeg",
    "cover_in_pixels",
    "cover_to_survive",
    "secret_for",
]

_QUALITY: Final = 95
"""Quality of the JPEGs that are made here, with chroma at full resolution."""

_ORIGINAL = (
    "anybody who has the cover as well sees at once what was changed: keep it to yourself, or delete it"
)
SEEN_AGAIN: Final = (
    "the cover was a JPEG and its pixels show it: a detector that quantises them again erred in 0.16 of "
    "camera photographs (16 pixels for each of the secret); --scale-cover 0.75 removes it"
)
_METADATA = "the JPEG keeps the cover's metadata, such as EXIF: camera, time and possibly place"


def asks_jpeg(model: str | None, out: PathLike | Sink | None, cover: Source) -> bool:
    """Whether the stego should be a JPEG file, judging by its name or its cover, and the method allows it."""
    if not table.writes_jpeg(model):
        return False
    if isinstance(out, str | os.PathLike):
        return writing.is_jpeg_name(out)
    return not isinstance(cover, np.ndarray) and is_jpeg(cover)


def check_output(model: str | None, out: PathLike, force: bool, inputs: Sequence[PathLike]) -> None:
    """Raise an OutputError now if a method's stego could not be written there later."""
    if writing.is_jpeg_name(out) and table.writes_jpeg(model):
        check_place(out, force, inputs)
    else:
        writing.check_writable(out, force, inputs=inputs)


def cover_in_pixels(
    source: Source,
    out: PathLike | Sink | None,
    max_pixels: int,
    scale: float,
    *,
    traced: bool,
    refuse_jpeg: bool,
) -> tuple[Picture, Cover]:
    """A cover whose pixels carry, shrunk by `scale`.

    Args:
        source: file or pixels.
        out: where the stego will be written.
        max_pixels: refuse a larger picture.
        scale: factor to shrink by; 1 leaves the cover as it is.
        traced: look for the traces of a JPEG in the pixels of any file, which takes a third of a second.
        refuse_jpeg: refuse a decoded JPEG; otherwise a notice mentions it.

    Raises:
        ImageError: it cannot be read, or it is a decoded JPEG that is refused.
        OutputError: `out` cannot hold it.
    """
    picture = load_cover(source, max_pixels, scale)
    if isinstance(out, str | os.PathLike):
        writing.check_holds(out, picture.rgb.shape, picture.alpha)
    if scale == 1 and (picture.from_jpeg or (traced and _shows_traces(picture.rgb))):
        if refuse_jpeg:
            raise _of_a_jpeg(picture)
        picture = replace(picture, from_jpeg=True, notices=(*picture.notices, SEEN_AGAIN))
    return picture, Cover(picture.rgb, picture.alpha)


def _shows_traces(rgb: U8) -> bool:
    from stegcli.carriers.jpeg_traces import find_traces

    return find_traces(rgb) is not None


def _of_a_jpeg(picture: Picture) -> ImageError:
    what = "is a JPEG" if picture.from_jpeg else "was a JPEG before it was saved in this file"
    keep = "Keep it a JPEG (-o stego.jpg)" if picture.from_jpeg else "Hide in the JPEG itself"
    return ImageError(
        f"the cover {what}: quantising its pixels again shows what was changed in them",
        f"{keep}, shrink it (--scale-cover 0.75), or, if nobody will look for a secret by computer, "
        "add --force-jpeg-cover.",
    )


def cover_in_jpeg(
    source: Source, out: PathLike | Sink | None, max_pixels: int, scale: float, *, keep_metadata: bool
) -> tuple[Picture, Cover]:
    """A cover whose coefficients carry: a JPEG file as it is, or one made from any other picture.

    Raises:
        ImageError: it cannot be read, or is a JPEG of a kind that cannot carry.
        OutputError: a JPEG cannot hold it.
    """
    from stegcli.carriers.jpeg_scan import open_cover

    reading.check_scale(scale)
    picture = load_upright(source, max_pixels)
    if picture.jpeg is None or scale < 1:
        return _fresh(reading.as_cover(picture, scale), out, keep_metadata)
    jpeg = open_cover(picture.jpeg, max_pixels=max_pixels)
    notices = (_ORIGINAL, _METADATA) if picture.exif else (_ORIGINAL,)
    return replace(picture, notices=notices), Cover(picture.rgb, jpeg=jpeg)


def cover_to_survive(
    source: Source,
    out: PathLike | Sink | None,
    max_pixels: int,
    scale: float,
    survive: str | None,
    *,
    keep_metadata: bool,
) -> tuple[Picture, Cover]:
    """A cover that is small enough for the service; a fresh JPEG if the stego is to be one.

    Raises:
        ImageError: it cannot be read.
        OutputError: `out` cannot hold it.
    """
    from stegcli.methods.robust import profiles

    reading.check_scale(scale)
    picture = load_upright(source, max_pixels)
    longest = profiles.promise_of(survive or DEFAULT).longest_side
    fits = 1.0 if longest is None else longest / max(picture.rgb.shape[:2])
    shrunk = replace(picture, notices=(*picture.notices, *profiles.notices_of(survive, fits < scale)))
    if min(scale, fits) < 1:
        shrunk = reading.as_cover(shrunk, min(scale, fits))
    if isinstance(out, str | os.PathLike) and writing.is_jpeg_name(out):
        return _fresh(shrunk, out, keep_metadata)
    if isinstance(out, str | os.PathLike):
        writing.check_holds(out, shrunk.rgb.shape, shrunk.alpha)
    return shrunk, Cover(shrunk.rgb, shrunk.alpha)


def _fresh(picture: Picture, out: PathLike | Sink | None, keep_metadata: bool) -> tuple[Picture, Cover]:
    """A JPEG made from a picture's pixels, and the picture as that JPEG shows it."""
    from stegcli.carriers.jpeg_fresh import fresh_cover

    name = out if isinstance(out, str | os.PathLike) else "the cover"
    writing.check_jpeg_holds(name, picture.rgb.shape, picture.alpha)
    icc = picture.icc or colour.profile_of(picture.chunks)
    exif = picture.exif if keep_metadata else None
    jpeg, error = fresh_cover(picture.rgb, _QUALITY, "4:4:4", icc, exif)
    rgb = reading.load_upright(Encoded("the cover as a JPEG", jpeg.data), max_pixels=picture.rgb.size).rgb
    notice = f"the cover was saved as a JPEG of quality {_QUALITY} (chroma 4:4:4), to which the figures refer"
    seen = replace(picture, rgb=rgb, alpha=None, notices=(*picture.notices, notice))
    return seen, Cover(rgb, jpeg=jpeg, error=error)


def secret_for(
    method: Method, source: Source, max_pixels: int, *, gray: bool, as_file: bool
) -> tuple[U8 | FileSecret, tuple[str, ...]]:
    """The secret, of a kind that the method takes, and notices about what the user may not expect.

    Raises:
        UsageError: the method does not take it.
        ImageError: it cannot be read, or it is not a picture and the method takes only pictures.
    """
    if as_file:
        return _file(source, method), ()
    try:
        if "colour" in method.takes and not gray:
            return load_colour_secret(source, max_pixels)
        return load_secret(source, max_pixels)
    except ImageError as error:
        if "file" not in method.takes or not _is_readable(source):
            raise
        return _file(source, method), (f"hidden byte for byte, as a file: {error.message}",)


def _is_readable(source: Source) -> bool:
    return isinstance(source, Encoded) or (not isinstance(source, np.ndarray) and Path(source).is_file())


def _file(source: Source, method: Method) -> FileSecret:
    """A file as a secret."""
    from stegcli.codecs.plain import MAX_BYTES

    if "file" not in method.takes:
        raise UsageError(f"{method.family} hides pictures only", "Use --model coded, or omit --as-file.")
    if isinstance(source, np.ndarray):
        raise UsageError("an array is not a file", "Give the name of a file.")
    if isinstance(source, Encoded):
        return FileSecret("secret" if source.name == STDIN else source.name, source.content)
    try:
        return FileSecret(Path(source).name, read_regular(Path(source), MAX_BYTES))
    except OSError as error:
        raise ImageError(f"{source}: cannot be read ({one_line(error)})", "Check the name.") from error
