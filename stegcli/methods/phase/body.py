"""Header fields of the phase codec and of the paper's networks: nine bytes in format 1.

first 4 bytes of the SHA-256 of decoder.onnx | planes | spread (3 bytes) | noise code
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final

from stegcli.methods.phase.planes import ALL_PLANES

__all__ = ["MAX_SPREAD", "Body", "code_to_sigma", "sigma_to_code"]

_LAYOUT: Final = struct.Struct(">4sB3sB")
_MODEL_BYTES: Final = 4
_MAX_NOISE_CODE: Final = 255
_LARGEST_SIGMA: Final = 0.5
_CODES_PER_OCTAVE: Final = 24
MAX_SPREAD: Final = (1 << 24) - 1


@dataclass(frozen=True)
class Body:
    """The method's part of a header.

    Attributes:
        model: first 4 bytes of the SHA-256 of the model's decoder.onnx.
        spread: pixels per symbol, 1..2^24-1.
        noise_code: phase noise that the writer expects, 0..255; see `code_to_sigma`.
        planes: number of planes of the code map that were sent, 1..64; see `planes`.
    """

    model: bytes
    spread: int = 1
    noise_code: int = 0
    planes: int = ALL_PLANES

    def __post_init__(self) -> None:
        """Refuse values that the layout cannot hold."""
        if not 1 <= self.spread <= MAX_SPREAD or not 1 <= self.planes <= ALL_PLANES:
            raise ValueError(f"spread {self.spread} or number of planes {self.planes} out of range")
        if len(self.model) != _MODEL_BYTES or not 0 <= self.noise_code <= _MAX_NOISE_CODE:
            raise ValueError(f"model must be {_MODEL_BYTES} bytes, noise_code in 0..{_MAX_NOISE_CODE}")

    @property
    def sigma(self) -> float:
        """Root mean square phase error that the writer expects, in grey levels."""
        return code_to_sigma(self.noise_code)

    def to_bytes(self) -> bytes:
        """Pack the fields into nine bytes, big-endian."""
        return _LAYOUT.pack(self.model, self.planes, self.spread.to_bytes(3, "big"), self.noise_code)

    @classmethod
    def from_bytes(cls, own: bytes) -> Body:
        """Inverse of `to_bytes`.

        Raises:
            ValueError: a field is out of range.
        """
        model, planes, spread, noise_code = _LAYOUT.unpack(own)
        return cls(model, int.from_bytes(spread, "big"), noise_code, planes)


def sigma_to_code(sigma: float) -> int:
    """Phase noise in grey levels -> nearest code, 0..255: 24 codes per halving, from 0.5 to 0.0003."""
    if sigma <= code_to_sigma(_MAX_NOISE_CODE):
        return _MAX_NOISE_CODE
    code = round(_CODES_PER_OCTAVE * math.log2(_LARGEST_SIGMA / sigma))
    return max(code, 0)


def code_to_sigma(code: int) -> float:
    """Code, 0..255 -> phase noise in grey levels: 0.5 * 2^(-code / 24)."""
    return float(_LARGEST_SIGMA * 2 ** (-code / _CODES_PER_OCTAVE))
