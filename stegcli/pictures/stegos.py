"""Write a stego to a file, to a stream or nowhere, and read it again before it gets its name."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stegcli.errors import ImageError, OutputError
from stegcli.pictures import colour, reading, writing
from stegcli.pictures.drafts import explained, replacing
from stegcli.pictures.encoded import Encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from stegcli.pictures.encoded import PathLike, Sink
    from stegcli.pictures.reading import Picture

    U8 = NDArray[np.uint8]

__all__ = ["STDOUT", "Place", "jpeg_draft", "lost_meaning", "name_of", "pixels_draft", "unread"]

STDOUT: Final = "-"
"""Name in a report of a stream that was written to."""


@dataclass(frozen=True)
class Place:
    """Destination of a stego.

    Attributes:
        out: a file, a stream, or None for nowhere.
        force: whether an existing file may be replaced.
        max_pixels: limit for reading it again.
        keep_metadata: whether to copy the cover's EXIF data.
    """

    out: PathLike | Sink | None
    force: bool
    max_pixels: int
    keep_metadata: bool

    def again(self, draft: PathLike, *, upright: bool = False) -> Picture:
        """Read a draft as its receiver will; OutputError if it is not a picture."""
        try:
            if upright:
                return reading.load_upright(draft, max_pixels=self.max_pixels)
            return reading.load_stego(draft, max_pixels=self.max_pixels)
        except ImageError as error:
            raise unread(name_of(self.out) or STDOUT) from error


@contextmanager
def pixels_draft(place: Place, cover: Picture, stego_rgb: U8) -> Iterator[Picture]:
    """Write a draft of the stego, and yield the picture as read from the file again.

    The file gets its name only if the block succeeds: no stego is left that was not proved to reveal.
    """
    out, exif = place.out, cover.exif if place.keep_metadata else None
    if out is None:
        yield reading.Picture(stego_rgb, cover.alpha, None, None, (), from_jpeg=False)
    elif isinstance(out, str | os.PathLike):
        icc = cover.icc
        if icc is None and writing.output_format(out) != "PNG":
            icc = colour.profile_of(cover.chunks)
        with writing.stego_draft(out, stego_rgb, cover.alpha, icc, exif, place.force, cover.chunks) as draft:
            yield place.again(draft)
    else:
        content = writing.png_bytes(stego_rgb, cover.alpha, cover.icc, exif, cover.chunks)
        yield place.again(Encoded(STDOUT, content))
        out.write(content)


@contextmanager
def jpeg_draft(place: Place, content: bytes) -> Iterator[Picture]:
    """Do the same for a JPEG file, whose pixels are returned upright, as its cover's are."""
    if not isinstance(place.out, str | os.PathLike):
        yield place.again(Encoded(STDOUT, content), upright=True)
        if place.out is not None:
            place.out.write(content)
        return
    with replacing(place.out, place.force) as draft:
        with explained(Path(place.out)):
            draft.file.write(content)
            draft.file.flush()
        yield place.again(draft.path, upright=True)


def unread(name: PathLike) -> OutputError:
    """Return the error for a stego that differs from what was written."""
    return OutputError(
        f"{name}: does not read back as it was written", "Check the disk, or write elsewhere with -o."
    )


def lost_meaning(out: PathLike | Sink | None, picture: Picture) -> tuple[str, ...]:
    """Return notices about what the written file cannot say about its colours."""
    if not isinstance(out, str | os.PathLike) or writing.is_jpeg_name(out):
        return ()
    if writing.output_format(out) == "PNG":
        return ()
    if writing.output_format(out) == "BMP" and (picture.icc or colour.profile_of(picture.chunks)):
        return ("a BMP keeps no colour profile: other programs will show other colours than the cover's",)
    if colour.is_high_dynamic_range(picture.chunks):
        return ("only a PNG says that the cover's colours are of high dynamic range; this file does not",)
    return ()


def name_of(out: PathLike | Sink | None) -> str | None:
    """Return the name that reports use."""
    return os.fspath(out) if isinstance(out, str | os.PathLike) else None if out is None else STDOUT
