"""The risk of detection by a table that the lab measured, and by estimate where it did not.

The table (`risk.json`) was measured by `stegcli evaluate security` on covers of one size, and again on
smaller ones; what a larger cover gives away is estimated from these. A detector other than the one measured
may do better.
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

from stegcli.envelope.header import parity_count
from stegcli.errors import StegError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["RISK_FILE", "Risk", "coded_rate", "deflection", "error_of", "risk_at", "secret_rates", "table"]

RISK_FILE: Final = Path(__file__).with_name("risk.json")
_NORMAL: Final = NormalDist()
_LEAST_ERROR: Final = 1e-3


@dataclass(frozen=True)
class Risk:
    """Detection error at one spread in covers of one size: 0 is always caught, 0.5 never.

    Attributes:
        error: P_E, interpolated between the spreads that were measured, and estimated at sizes that were not.
        low: lower end of its 95 % interval, the cautious reading.
        high: upper end.
    """

    error: float
    low: float
    high: float


def risk_at(spread: int, pixels: int | None = None) -> Risk:
    """Detection error at a spread in covers of so many pixels; None for those that it was measured in.

    At the same spread a larger cover holds more to be detected: by the square root law (Ker, Pevny, Kodovsky
    and Fridrich 2008) the deflection of what carries the picture grows with the root of the size. That of the
    header falls with it, since there is one for a million pixels.
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


def _between(rows: Sequence[Mapping[str, float]], spread: int) -> Risk:
    """Straight lines between the measured spreads, on a logarithmic axis; flat beyond both ends."""
    rows = sorted(rows, key=lambda row: row["spread"])
    places = [math.log2(row["spread"]) for row in rows]
    return Risk(
        *(
            float(np.interp(math.log2(spread), places, [row[name] for row in rows]))
            for name in ("error", "low", "high")
        )
    )


def deflection(error: float) -> float:
    """A detector's P_E -> by how many deviations it tells covers and stegos apart, both taken for normal.

    Finite at an error of 0, which says no more than that some hundred pairs had none.
    """
    return -2 * _NORMAL.inv_cdf(min(max(error, _LEAST_ERROR), 1 - _LEAST_ERROR))


def error_of(apart: float) -> float:
    """Inverse of `deflection`, at most 0.5."""
    return _error(apart)


def coded_rate() -> Mapping[str, float]:
    """What was measured of coded bits in pixels: bits_per_pixel, and the error with low and high."""
    found: Mapping[str, float] = table()["coded"]
    return found


def secret_rates() -> Mapping[str, Any]:
    """Bits per pixel of a photograph as a secret: kind (colour, gray) -> `--favor` -> median_bpp."""
    found: Mapping[str, Any] = table()["secret_rates"]
    return found


def _error(apart: float) -> float:
    return min(_NORMAL.cdf(-apart / 2), 0.5)


@lru_cache(maxsize=1)
def table() -> dict[str, Any]:
    """What the lab measured, read once; not to be changed.

    Raises:
        StegError: the file is missing or damaged.
    """
    try:
        return dict(json.loads(RISK_FILE.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise StegError(f"{RISK_FILE} cannot be read: {error}", "Install stegcli again.") from error
