"""Read a JPEG file as quantised coefficients, and write the same file with other coefficients.

    file -> layout -> scan -> coefficients ... changed coefficients -> scan -> file
            (jpeg_markers)  (jpeg_decode)                       (jpeg_encode)

The scan is written with the file's own Huffman codes and restart interval, between bytes that stay unchanged:
metadata, tables, thumbnails, and whatever telephones append. A JPEG that a library has written differs
recognisably from one written by a camera; this one does not. There is one exception: an index that locates
appended pictures is corrected when the length of the scan changes (`jpeg_mpf`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers.jpeg_decode import decode_scan
from stegcli.carriers.jpeg_encode import bit_sizes, encode_scan
from stegcli.carriers.jpeg_frame import CONVERT, ZIGZAG, Frame, Layout, Padding
from stegcli.carriers.jpeg_huffman import BLOCK_END, LARGEST_AC, ZERO_RUN
from stegcli.carriers.jpeg_markers import read_layout
from stegcli.carriers.jpeg_mpf import moved
from stegcli.errors import ImageError

__all__ = ["Encodable", "JpegCover", "encodable", "non_zero_ac", "open_cover", "read_luma", "write"]

I16 = NDArray[np.int16]
Mask = NDArray[np.bool_]

_LARGEST_SIZE: Final = 10


@dataclass(frozen=True, eq=False)
class JpegCover:
    """A JPEG file whose scan this module can write again byte for byte.

    Attributes:
        data: the file.
        layout: its frame (size, components with sampling factors and tables) and the position of its scan.
        coefficients: for each component, (padded rows, padded cols, 8, 8) int16, read-only, vertical
            frequency first. Blocks beyond a component's `rows` and `cols` are only in the scan.
        padding: the bits that fill the last byte of each segment of the scan.
    """

    data: bytes
    layout: Layout
    coefficients: tuple[I16, ...]
    padding: Padding

    @property
    def frame(self) -> Frame:
        """Size, components, tables."""
        return self.layout.frame

    @property
    def luma(self) -> I16:
        """(R, C, 8, 8) int16, read-only: luma's coefficients within the picture; [..., 0, 0] is DC."""
        luma = self.frame.components[0]
        return self.coefficients[0][: luma.rows, : luma.cols]

    @property
    def luma_quantization(self) -> NDArray[np.int32]:
        """(8, 8) int32 quantisation table of luma, 1..65535."""
        return self.frame.components[0].quantization


class Encodable(NamedTuple):
    """Which changes of luma the file's own codes can express, whatever other changes are made.

    Attributes:
        up: (R, C, 8, 8) bool, whether +1 is possible.
        down: (R, C, 8, 8) bool, whether -1 is possible.
    """

    up: Mask
    down: Mask


def open_cover(data: bytes, *, max_pixels: int) -> JpegCover:
    """Read a JPEG that can carry.

    Args:
        data: the whole file.
        max_pixels: largest height times width; checked before anything is allocated.

    Raises:
        ImageError: not a JPEG; truncated or damaged; progressive, arithmetic, lossless or hierarchical; with
            several scans, 12 bits per sample, CMYK or RGB; larger than `max_pixels`; or coded in a way that
            cannot be reproduced byte for byte.
    """
    layout = read_layout(data, max_pixels)
    scan = data[layout.begin : layout.end]
    buffer, padding = decode_scan(layout.frame, scan)
    if encode_scan(layout.frame, buffer, padding) != scan:
        raise ImageError("the JPEG is coded in an unusual way that hiding cannot preserve", CONVERT)
    buffer.flags.writeable = False
    return JpegCover(data, layout, _planes(layout.frame, buffer), padding)


def read_luma(data: bytes, *, max_pixels: int) -> I16:
    """Return luma's coefficients, as `JpegCover.luma`, of a file that will not be written again.

    Raises:
        ImageError: as for `open_cover`, except that any way of coding will do.
    """
    layout = read_layout(data, max_pixels)
    buffer, _ = decode_scan(layout.frame, data[layout.begin : layout.end])
    luma = layout.frame.components[0]
    return _planes(layout.frame, buffer)[0][: luma.rows, : luma.cols]


def write(cover: JpegCover, coefficients: I16) -> bytes:
    """Return the cover's file with other luma coefficients; given its own, the file is the same.

    Args:
        cover: the opened file.
        coefficients: (R, C, 8, 8) int16, shaped like `cover.luma`.

    Raises:
        ImageError: a coefficient is out of range, or needs a code that the file does not have.
    """
    if coefficients.shape != cover.luma.shape or coefficients.dtype != np.int16:
        raise ValueError(f"expected int16 of shape {cover.luma.shape}")
    buffer = np.concatenate([plane.reshape(-1) for plane in cover.coefficients])
    luma = _planes(cover.frame, buffer)[0]
    luma[: coefficients.shape[0], : coefficients.shape[1]] = coefficients
    scan = encode_scan(cover.frame, buffer, cover.padding)
    begin, end = cover.layout.begin, cover.layout.end
    head = moved(cover.data[:begin], end, begin + len(scan) - end)
    return head + scan + cover.data[end:]


def non_zero_ac(cover: JpegCover) -> int:
    """Count the non-zero AC coefficients of luma, to which rates refer (bits per non-zero AC)."""
    return int(np.count_nonzero(cover.luma) - np.count_nonzero(cover.luma[..., 0, 0]))


def encodable(cover: JpegCover) -> Encodable:
    """Return which changes of luma by one the file can express, all at once and in any combination.

    DC never changes. With complete Huffman tables, as nearly all cameras use, every AC coefficient can
    change, up to 1023. Tables optimised for one picture lack symbols. Where that matters, either a block has
    codes for everything that its changes could lead to, or its zeros stay zero and its other coefficients
    stay non-zero, so that no run of zeros changes and each step can be judged by itself. This may forbid more
    than necessary, never less.
    """
    luma = cover.luma
    up, down = luma < LARGEST_AC, luma > -LARGEST_AC
    up[..., 0, 0] = down[..., 0, 0] = False
    known = cover.frame.components[0].ac.lengths > 0
    if not _is_complete(known):
        for row in range(len(luma)):
            _restrict(luma[row], known, up[row], down[row])
    return Encodable(up, down)


def _planes(frame: Frame, buffer: I16) -> tuple[I16, ...]:
    """Return views of the buffer, one for each component."""
    shapes = [(each.padded_rows, each.padded_cols, 8, 8) for each in frame.components]
    ends = np.cumsum([64 * shape[0] * shape[1] for shape in shapes])
    return tuple(part.reshape(shape) for part, shape in zip(np.split(buffer, ends[:-1]), shapes, strict=True))


def _is_complete(known: Mask) -> bool:
    return bool(known[BLOCK_END] and known[ZERO_RUN] and _by_run(known).all())


def _by_run(known: Mask) -> Mask:
    """(16, 10): whether there is a symbol for a run of 0..15 zeros and a value of 1..10 bits."""
    return known.reshape(16, 16)[:, 1 : _LARGEST_SIZE + 1]


def _restrict(blocks: I16, known: Mask, up: Mask, down: Mask) -> None:
    """Remove, in place, the changes in a row of blocks (C, 8, 8) that need missing symbols."""
    values = blocks.reshape(-1, 64)[:, ZIGZAG].astype(np.int32)
    values[:, 0] = 0
    free = _is_free(values, known)[:, None]
    rises, falls = _steps_alone(values, known)
    for allowed, steps in ((up, free | rises), (down, free | falls)):
        kept = np.empty_like(steps)
        kept[:, ZIGZAG] = steps
        allowed &= kept.reshape(allowed.shape)


def _steps_alone(values: NDArray[np.int32], known: Mask) -> tuple[Mask, Mask]:
    """(n, 64) values in scan order -> where +1 and -1 keep all runs and have a code."""
    places = np.broadcast_to(np.arange(64), values.shape)
    last = np.maximum.accumulate(np.where(values != 0, places, 0), axis=1)
    runs = places[:, 1:] - last[:, :-1] - 1 & 15
    table = known.reshape(16, 16)
    allowed = []
    for step in (1, -1):
        stepped = np.clip(values + step, -LARGEST_AC, LARGEST_AC)
        steps = (values != 0) & (stepped != 0)
        steps[:, 1:] &= table[runs, bit_sizes(stepped[:, 1:])]
        allowed.append(steps)
    return allowed[0], allowed[1]


def _is_free(values: NDArray[np.int32], known: Mask) -> Mask:
    """(n, 64) values in scan order -> (n,) whether every combination of changes has codes.

    A coefficient of magnitude 2 or more stays non-zero, so that no run can extend across it; every other one
    may be or become zero, and every run may shrink to nothing.
    """
    places = np.broadcast_to(np.arange(64), values.shape)
    stays = np.maximum.accumulate(np.where(np.abs(values) > 1, places, 0), axis=1)
    longest = places[:, 1:] - stays[:, :-1] - 1
    magnitudes = np.minimum(np.abs(values[:, 1:]) + 1, LARGEST_AC)
    free: Mask = known[BLOCK_END] & (known[ZERO_RUN] | (longest < 16).all(axis=1))
    # For each size, the run up to which all symbols exist; there is no value of size 0.
    reach = np.concatenate([[16], np.cumprod(_by_run(known), axis=0).sum(axis=0)])
    for magnitude in (magnitudes, np.maximum(magnitudes - 1, 1), np.maximum(magnitudes - 2, 1)):
        free &= (np.minimum(longest, 15) < reach[bit_sizes(magnitude)]).all(axis=1)
    return free
