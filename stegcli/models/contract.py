"""The contract of a model file: family, role, size rule and ranges, read from the ONNX file's metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stegcli.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CONTRACT_VERSION",
    "COST",
    "EXTRA_ROLES",
    "FAMILIES",
    "JUDGE",
    "ROLES",
    "Contract",
    "parse_contract",
]

CONTRACT_VERSION = "1"
JUDGE = "judge"
"""Role of a graph that rates stegos."""
ROLES = {
    "phase": ("encoder", "decoder"),
    "isgan": ("encoder", "decoder"),
    "judge": (JUDGE,),
    "coded-judge": (JUDGE,),
}
"""Roles of a model's graphs by family: two methods of hiding, and judges of phases and of coded bits."""
FAMILIES = tuple(ROLES)
COST = "cost"
"""Role of an optional graph that predicts where changes by `phase` show least; without it, HILL is used."""
EXTRA_ROLES = {"phase": (COST,)}
_CONDITIONS = {
    ("phase", "encoder"): frozenset({"sigma"}),
    ("phase", "decoder"): frozenset({"sigma", "damage"}),
}
_PREFIX = "stegcli."
_HINT = "Use a model that `stegcli export` wrote, or one that `stegcli models` lists."


@dataclass(frozen=True)
class Contract:
    """The promise of one ONNX graph.

    Attributes:
        family: family of the graph, one of `FAMILIES`.
        role: its task, one of the family's `ROLES` or `EXTRA_ROLES`.
        model: id of the model, such as `phase-v1`.
        multiple: height and width of its inputs must be multiples of this (pixels).
        halo: overlap between tiles that avoids seams: the receptive radius (pixels).
        planes: planes of the code map (`phase` only, else 0).
        sigma_min: smallest channel error it was trained for, in grey levels (`phase` only, else 0).
        sigma_max: largest channel error it was trained for.
        fewest_planes: least number of planes that the graph can work with; below 64 only for `phase`.
    """

    family: str
    role: str
    model: str
    multiple: int
    halo: int
    planes: int = 0
    sigma_min: float = 0.0
    sigma_max: float = 0.0
    fewest_planes: int = 64

    def __post_init__(self) -> None:
        _require(self.family in FAMILIES, "family", self.family)
        _require(self.role in (*ROLES[self.family], *EXTRA_ROLES.get(self.family, ())), "role", self.role)
        _require(1 <= self.multiple <= 1024, "multiple", self.multiple)
        _require(0 <= self.halo <= 4096, "halo", self.halo)
        if self.is_codec:
            _require(1 <= self.planes <= 64, "planes", self.planes)
            _require(1 <= self.fewest_planes <= self.planes, "fewest_planes", self.fewest_planes)
            _require(
                0 < self.sigma_min <= self.sigma_max < 1, "sigma range", (self.sigma_min, self.sigma_max)
            )

    @property
    def is_codec(self) -> bool:
        """Whether the graph works on phases, with planes and a channel error."""
        return self.family == "phase" and self.role in ROLES["phase"]

    @property
    def planes_out(self) -> int | None:
        """Number of planes in the graph's output; None if the graph itself decides."""
        return None if self.role == JUDGE else 1

    @property
    def conditions(self) -> frozenset[str]:
        """Names of the inputs besides the picture, which describe the channel."""
        return _CONDITIONS.get((self.family, self.role), frozenset())

    def clamp_sigma(self, sigma: float) -> float:
        """Return the nearest channel error for which the graph was trained."""
        return min(max(sigma, self.sigma_min), self.sigma_max)

    def padded(self, size: int) -> int:
        """Return the next height or width that the graph accepts."""
        return -(-size // self.multiple) * self.multiple


def parse_contract(metadata: Mapping[str, str], source: str) -> Contract:
    """Read the contract from a file's metadata.

    Args:
        metadata: the ONNX file's metadata properties.
        source: name of the file, for messages.

    Raises:
        ModelError: the file has no contract, a later one, or one that makes no sense.
    """
    values = {key[len(_PREFIX) :]: value for key, value in metadata.items() if key.startswith(_PREFIX)}
    if "contract" not in values:
        raise ModelError(f"{source} is not a stegcli model: it carries no contract", _HINT)
    if values["contract"] != CONTRACT_VERSION:
        raise ModelError(
            f"{source} follows contract {values['contract']!r}, but this stegcli knows {CONTRACT_VERSION}",
            "Upgrade with `pip install --upgrade stegcli`.",
        )
    try:
        return _from_values(values)
    except KeyError as error:
        raise ModelError(
            f"{source} breaks its contract: {_PREFIX}{error.args[0]} is missing", _HINT
        ) from error
    except ValueError as error:
        raise ModelError(f"{source} breaks its contract: {error}", _HINT) from error


def _from_values(values: Mapping[str, str]) -> Contract:
    phase = values["family"] == "phase" and values["role"] != COST
    return Contract(
        family=values["family"],
        role=values["role"],
        model=values["model"],
        multiple=int(values["multiple"]),
        halo=int(values["halo"]),
        planes=int(values["planes"]) if phase else 0,
        fewest_planes=int(values.get("fewest_planes", values["planes"])) if phase else 0,
        sigma_min=float(values["sigma_min"]) if phase else 0.0,
        sigma_max=float(values["sigma_max"]) if phase else 0.0,
    )


def _require(holds: bool, name: str, value: object) -> None:
    if not holds:
        raise ValueError(f"{name} cannot be {value!r}")
