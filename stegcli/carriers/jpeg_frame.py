"""Data needed to read and write the scan of a JPEG: sizes, tables, and the order of its blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stegcli.carriers.jpeg_huffman import HuffmanSpec
from stegcli.errors import ImageError

__all__ = ["CONVERT", "ZIGZAG", "BlockOrder", "Component", "Frame", "Layout", "Padding", "damaged"]

Ints = NDArray[np.int64]

ZIGZAG: Final = np.array(
    [
        *(0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5),
        *(12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28),
        *(35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51),
        *(58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63),
    ]
)
"""(64,): position in a block, row by row, of each coefficient in scan order."""

CONVERT: Final = (
    "Save it again as an ordinary (baseline) JPEG in colour or gray, or have it shrunk (--scale-cover 0.75): "
    "then a new JPEG is made of it, or a PNG (-o stego.png)."
)
_WHOLE_COPY: Final = "The file is truncated or damaged: get a whole copy of it."


@dataclass(frozen=True, eq=False)
class Component:
    """One plane of the picture: luma or chroma.

    Attributes:
        horizontal, vertical: sampling factors, 1..4; 1 and 1 in a gray file, whatever it says.
        rows, cols: blocks that contain samples of the picture.
        padded_rows, padded_cols: blocks in the scan, which contains whole minimum coded units.
        quantization: (8, 8) int32 table, 1..65535, vertical frequency first.
        dc, ac: Huffman codes.
    """

    horizontal: int
    vertical: int
    rows: int
    cols: int
    padded_rows: int
    padded_cols: int
    quantization: NDArray[np.int32]
    dc: HuffmanSpec
    ac: HuffmanSpec


@dataclass(frozen=True, eq=False)
class Frame:
    """Data needed to read and write the scan.

    Attributes:
        height, width: size of the picture in pixels.
        components: one (gray) or three (luma, Cb, Cr).
        mcu_rows, mcu_cols: number of rows and columns of minimum coded units.
        restart_interval: minimum coded units between two restart markers; 0 if there are none.
    """

    height: int
    width: int
    components: tuple[Component, ...]
    mcu_rows: int
    mcu_cols: int
    restart_interval: int

    @property
    def mcus(self) -> int:
        """Number of minimum coded units in the scan."""
        return self.mcu_rows * self.mcu_cols

    @property
    def blocks(self) -> int:
        """Number of blocks in the scan, of all components."""
        return sum(each.padded_rows * each.padded_cols for each in self.components)

    @property
    def segments(self) -> int:
        """Number of segments into which restart markers divide the scan."""
        return -(-self.mcus // self.restart_interval) if self.restart_interval else 1


@dataclass(frozen=True, eq=False)
class Layout:
    """A frame, and the place of its scan, `data[begin:end]`; what precedes and follows it is kept."""

    frame: Frame
    begin: int
    end: int


class Padding(NamedTuple):
    """The bits that fill the last byte of each segment after its last code.

    Attributes:
        counts: (S,) uint8, number of bits, 0..7.
        bits: (S,) uint8, the bits as one number.
    """

    counts: NDArray[np.uint8]
    bits: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class BlockOrder:
    """Where the blocks of a minimum coded unit lie in the buffer.

    Attributes:
        component: (P,) component to which each block of a unit belongs.
        first: (P,) index in the buffer of the blocks of the first unit.
        down, across: (P,) distance in blocks to the unit below, and to the one on the right.
        mcu_cols: number of units side by side.
    """

    component: Ints
    first: Ints
    down: Ints
    across: Ints
    mcu_cols: int

    @classmethod
    def of(cls, frame: Frame) -> BlockOrder:
        """Return the order of the blocks in the scan (A.2.3)."""
        slots, begin = [], 0
        for number, each in enumerate(frame.components):
            for y in range(each.vertical):
                for x in range(each.horizontal):
                    first = begin + y * each.padded_cols + x
                    slots.append((number, first, each.vertical * each.padded_cols, each.horizontal))
            begin += each.padded_rows * each.padded_cols
        component, first, down, across = np.array(slots).T
        return cls(component, first, down, across, frame.mcu_cols)

    def blocks(self, begin: int, end: int) -> Ints:
        """Return (end - begin, P): indices in the buffer of the blocks of these minimum coded units."""
        units = np.arange(begin, end)[:, None]
        row, col = units // self.mcu_cols, units % self.mcu_cols
        blocks: Ints = self.first + row * self.down + col * self.across
        return blocks


def damaged(why: str) -> ImageError:
    """Return the error for a file that violates the format."""
    return ImageError(f"the JPEG is damaged ({why})", _WHOLE_COPY)
