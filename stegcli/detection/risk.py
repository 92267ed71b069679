"""The risk of detection: from a table that the lab measured, or estimated from it.

The table (`risk.json`) was measured on covers of one size, and again on smaller ones, from which the risk of
larger covers is estimated: phases by their spread (`stegcli evaluate security`), coded bits by bits per pixel
(`benchmarks/coded_risk.py`) or, in JPEG files, by bits per AC coefficient and the quantisation table
(`stegcli evaluate security --preset jpeg`). Another detector than the measured one may do better.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stegcli.carriers.jpeg_scan import non_zero_ac
from stegcli.envelope.head import MESSAGE_BYTES
from stegcli.envelope.header import parity_count
from stegcli.errors import StegError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stegcli.methods.base import Cover

__all__ = [
    "RISK_FILE",
    "Bound",
    "Risk",
    "coded_rate",
    "coded_risk",
    "deflection",
    "error_of",
    "jpeg_risk",
    "risk_at",
    "secret_rates",
    "table",
]

RISK_FILE: Final = Path(__file__).with_name("risk.json")
_NORMAL: Final = NormalDist()
_LEAST_ERROR: Final = 1e-3
_GUESSING: Final = 0.5
_HALF: Final = 0.5
"""Bits per pixel."""
_MOST_RATE: Final = 8.0
"""Bits per pixel or coefficient: beyond what any cover has room for."""


@dataclass(frozen=True)
class Risk:
    """Detection error in covers of one size, from 0 (always found) to 0.5 (guessing).

    Attributes:
        error: P_E, interpolated between measured spreads or rates, and estimated at sizes not measured.
        low: lower end of its 95 % interval, the cautious reading.
        high: upper end.
    """

    error: float
    low: float
    high: float


def risk_at(spread: int, pixels: int | None = None) -> Risk:
    """Return the detection error at a spread in covers of that many pixels; None: of the measured size.

    At the same spread a larger cover gives a detector more evidence: by the square root law (Ker, Pevny,
    Kodovsky and Fridrich 2008) the deflection due to the picture grows with the root of the size. That due to
    the header falls with it, since a million pixels have one header.
    """
    measured_on = table()
    measured = _between(measured_on["rows"], spread)
    if pixels is None:
        return measured
    lab_pixels = math.prod(measured_on["cover_size"])
    root = math.sqrt(pixels / lab_pixels)
    headers = parity_count(pixels) / parity_count(lab_pixels)
    bare = _between(measured_on["bare"], spread)
    header = max(0.0, deflection(measured.error) - deflection(bare.error)) * headers / root
    return Risk(*(_error(deflection(each) * root + header) for each in (bare.error, bare.low, bare.high)))


def coded_risk(bits_per_pixel: float, pixels: int) -> Risk:
    """Return the detection error of coded bits in covers of that many pixels, by bits of body per pixel."""
    measured = table()["coded"]
    root = math.sqrt(pixels / math.prod(table()["cover_size"]))
    return _at_rate(measured["rows"], bits_per_pixel, root)


def jpeg_risk(rate: float, step: float, pixels: int) -> Risk:
    """Return the detection error of coded bits in a JPEG's coefficients.

    Args:
        rate: bits, including the head, per non-zero AC coefficient of luma.
        step: mean of luma's quantisation table; errors are interpolated between the measured tables, and
            beyond them they are those of the nearest, which is cautious for finer tables and optimistic for
            coarser ones.
        pixels: number of pixels of the picture.
    """
    measured = table()["jpeg_files"]
    root = math.sqrt(pixels / math.prod(measured["size"]))
    kinds = sorted(measured["tables"], key=lambda kind: kind["step"])
    risks = [_at_rate(kind["rows"], rate, root) for kind in kinds]
    places = [math.log(kind["step"]) for kind in kinds]
    return Risk(
        *(
            float(np.interp(math.log(step), places, [getattr(risk, name) for risk in risks]))
            for name in ("error", "low", "high")
        )
    )


@dataclass(frozen=True)
class Bound:
    """The most that a cover may carry so that a detector's estimated error stays at `error` or above.

    A `methods.base.Ceiling` for coded bits.

    Raises:
        UsageError: the error is below 0, or not below 0.5.
    """

    error: float

    def __post_init__(self) -> None:
        if not 0 <= self.error < _GUESSING:
            raise UsageError(
                f"a detection error of {self.error:g} cannot be asked for",
                "Give one from 0 (always found) to below 0.5 (guessing), such as 0.45.",
            )

    def most_bytes(self, cover: Cover) -> int:
        """See `Ceiling.most_bytes`."""
        pixels = math.prod(cover.rgb.shape[:2])
        if cover.jpeg is None:
            rate = self._most(lambda rate: coded_risk(rate, pixels).error)
            return int(rate * pixels / 8)
        step = float(cover.jpeg.luma_quantization.mean())
        rate = self._most(lambda rate: jpeg_risk(rate, step, pixels).error)
        return int(rate * non_zero_ac(cover.jpeg) / 8) - MESSAGE_BYTES

    def _most(self, error: Callable[[float], float]) -> float:
        """Return nearly the largest rate, up to `_MOST_RATE`, whose error is large enough."""
        low, high = 0.0, _MOST_RATE
        if error(high) >= self.error:
            return high
        while high - low > 1e-3 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if error(middle) >= self.error else (low, middle)
        return low


def _at_rate(rows: Sequence[Mapping[str, float]], rate: float, root: float) -> Risk:
    """Interpolate deflections linearly between rates, from 0 at rate 0, and multiply by the root of the size.

    Beyond the highest rate they grow in proportion, which no measurement supports.
    """
    rows = sorted(rows, key=lambda row: row["rate"])
    rates = [0.0, *(row["rate"] for row in rows)]
    errors = []
    for name in ("error", "low", "high"):
        apart = [0.0, *np.maximum.accumulate([max(0.0, deflection(row[name])) for row in rows]).tolist()]
        beyond = max(1.0, rate / rates[-1])
        errors.append(_error(float(np.interp(rate, rates, apart)) * beyond * root))
    return Risk(*errors)


def _between(rows: Sequence[Mapping[str, float]], spread: int) -> Risk:
    """Interpolate linearly between the measured spreads, on a logarithmic axis; constant beyond both ends."""
    rows = sorted(rows, key=lambda row: row["spread"])
    places = [math.log2(row["spread"]) for row in rows]
    return Risk(
        *(
            float(np.interp(math.log2(spread), places, [row[name] for row in rows]))
            for name in ("error", "low", "high")
        )
    )


def deflection(error: float) -> float:
    """A detector's P_E -> distance of covers and stegos in standard deviations, if both are normal.

    It is finite at an error of 0, which only means that some hundred pairs had no error.
    """
    return -2 * _NORMAL.inv_cdf(min(max(error, _LEAST_ERROR), 1 - _LEAST_ERROR))


def error_of(apart: float) -> float:
    """Inverse of `deflection`, at most 0.5."""
    return _error(apart)


def coded_rate() -> Mapping[str, float]:
    """Return the measurement of coded bits in pixels at half a bit: rate, and the error with low and high."""
    rows: Sequence[Mapping[str, float]] = table()["coded"]["rows"]
    return min(rows, key=lambda row: abs(row["rate"] - _HALF))


def secret_rates() -> Mapping[str, Any]:
    """Return bits per pixel of a photograph as a secret: kind (colour, gray) -> `--favor` -> median_bpp."""
    found: Mapping[str, Any] = table()["secret_rates"]
    return found


def _error(apart: float) -> float:
    return min(_NORMAL.cdf(-apart / 2), 0.5)


@lru_cache(maxsize=1)
def table() -> dict[str, Any]:
    """Return the lab's measurements, read once; they must not be changed.

    Raises:
        StegError: the file is missing or damaged.
    """
    try:
        return dict(json.loads(RISK_FILE.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise StegError(f"{RISK_FILE} cannot be read: {error}", "Install stegcli again.") from error
