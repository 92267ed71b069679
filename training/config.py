"""Recipes: all settings of a training, as TOML on disk and frozen dataclasses in memory.

A recipe is read into a tree of dataclasses. Unknown keys, wrong types and contradictions are errors that name
the key and what is allowed, so that a misspelt setting never silently trains with its default.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from stegcli.errors import TrainingError
from stegcli.methods.phase.planes import ALL_PLANES

if sys.version_info >= (3, 11):
    from importlib.resources.abc import Traversable

    import tomllib
else:
    from importlib.abc import Traversable

    import tomli as tomllib

T = TypeVar("T")

CORRECT = "correct it in the recipe, or by the option of that name"


@dataclass(frozen=True)
class NetworkSettings:
    """Settings of a U-Net: widths and residual blocks per scale, half resolution first."""

    widths: tuple[int, ...] = (48, 64, 96, 128)
    blocks: tuple[int, ...] = (2, 2, 2, 2)

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.blocks) or len(self.widths) < 2:
            raise ValueError("widths and blocks need one entry per scale, and at least two scales")
        if min(self.widths) < 1 or min(self.blocks) < 1:
            raise ValueError("widths and blocks must be positive")

    @property
    def multiple(self) -> int:
        """Number of pixels of which height and width must be multiples."""
        return int(2 ** len(self.widths))

    @property
    def halo(self) -> int:
        """Pixels beyond a tile that can reach its values: the receptive radius, rounded up to `multiple`.

        Each 3x3 convolution at scale s reaches one pixel of that scale, 2^(s+1) pixels of the picture.
        """
        radius = 2 * 2  # head and tail convolutions, at half resolution
        for scale, blocks in enumerate(self.blocks):
            passes = 1 if scale == len(self.blocks) - 1 else 2
            radius += passes * 2 * blocks * 2 ** (scale + 1)
        radius += self.multiple  # alignment of the strided 2x2 convolutions
        return math.ceil(radius / self.multiple) * self.multiple


@dataclass(frozen=True)
class ChannelSettings:
    """Settings of the training channel, applied to a map of targets (stegcli.training.phase.channel_noise).

    A crop gets the writer's own error at `lambdas[0]` with probability `main_share`, at another of `lambdas`
    with `other_share`, and otherwise a Gaussian error whose sigma is log-uniform in `gaussian_sigma` (grey
    levels), as at large spreads. With probability `damage_share`, a log-uniform share of its symbols is
    destroyed; in a share `known_share` of these cases the receiver knows a uniform share of them to be lost,
    and takes a few sound ones for lost.
    """

    lambdas: tuple[float, ...] = (0.001, 0.0001, 0.0002, 0.0004, 0.002, 0.004, 0.008)
    main_share: float = 0.5
    other_share: float = 0.25
    gaussian_sigma: tuple[float, float] = (0.016, 0.07)
    damage_share: float = 0.15
    damage: tuple[float, float] = (0.001, 0.2)
    known_share: float = 0.0

    def __post_init__(self) -> None:
        if not self.lambdas or min(self.lambdas) <= 0:
            raise ValueError("channel.lambdas: at least one, all positive")
        if not 0 <= self.main_share + self.other_share <= 1:
            raise ValueError("channel.main_share + channel.other_share must be within 0..1")
        if not 0 < self.gaussian_sigma[0] <= self.gaussian_sigma[1] < 1:
            raise ValueError("channel.gaussian_sigma: two sigmas, 0 < low <= high < 1")
        if not 0 < self.damage[0] <= self.damage[1] <= 1:
            raise ValueError("channel.damage: two shares, 0 < low <= high <= 1")
        if not 0 <= self.known_share <= 1:
            raise ValueError("channel.known_share must be within 0..1")


@dataclass(frozen=True)
class PhaseRecipe:
    """Settings for training the phase codec. Times are in optimiser steps, learning rates per step."""

    model: str = "phase"
    name: str = "phase"
    seed: int = 1
    steps: int = 25_000
    batch_size: int = 96
    crop: int = 128
    """Side of the square training crops in pixels; a multiple of both networks' size rule."""
    learning_rate: float = 1e-3
    """Learning rate of AdamW, for the first and last layers and the biases."""
    muon_learning_rate: float = 0.008
    """Learning rate of Muon, for every other weight."""
    muon_weight_decay: float = 0.2
    """Keeps the spectral norm of those weights below its inverse."""
    warmup_steps: int = 200
    weight_decay: float = 1e-4
    gradient_clip: float = 1.0
    mse_share: float = 0.15
    """Initial share of the steps that uses plain MSE; then the mean log MSE, which favours the mean PSNR."""
    validate_every: int = 2_000
    checkpoint_every: int = 1_000
    validation_images: int = 64
    """Number of held-out pictures per data set that `validate` measures."""
    encoder: NetworkSettings = field(default_factory=NetworkSettings)
    decoder: NetworkSettings = field(default_factory=NetworkSettings)
    channel: ChannelSettings = field(default_factory=ChannelSettings)
    data: dict[str, float] = field(default_factory=lambda: {"pages": 1.0})
    """Data set -> weight of its pictures in a batch: "lfw", "voc2012", "imagenet", "folder:PATH", "pages"."""
    pages: int = 4_000
    """Number of pages that are drawn if "pages" is among the data."""
    fewest_planes: int = ALL_PLANES
    """Below 64 the codec is progressive: it learns to use any number of planes from this one on."""
    full_share: float = 0.5
    """Share of the crops for which a progressive codec gets all its planes."""

    def __post_init__(self) -> None:
        positive(self, "steps", "batch_size", "crop", "learning_rate", "muon_learning_rate")
        positive(self, "validate_every", "checkpoint_every")
        multiple = max(self.encoder.multiple, self.decoder.multiple)
        if self.crop % multiple or self.crop > 256:
            raise ValueError(f"crop must be a multiple of {multiple}, at most 256 (got {self.crop})")
        if not 0 <= self.mse_share <= 1:
            raise ValueError("mse_share must be within 0..1")
        if not 1 <= self.fewest_planes <= ALL_PLANES or not 0 <= self.full_share <= 1:
            raise ValueError(f"fewest_planes must be within 1..{ALL_PLANES}, full_share within 0..1")
        check_data(self.data)

    @property
    def progressive(self) -> bool:
        """Whether the codec is told how many planes are sent."""
        return self.fewest_planes < ALL_PLANES


def check_data(data: Mapping[str, float]) -> None:
    """Raise a ValueError unless there are data sets with weights."""
    if not data or min(data.values()) <= 0:
        raise ValueError("data: at least one data set, with a positive weight")


def positive(recipe: object, *names: str) -> None:
    """Raise a ValueError unless these settings are positive."""
    for name in names:
        if getattr(recipe, name) <= 0:
            raise ValueError(f"{name} must be positive (got {getattr(recipe, name)})")


def read_table(recipe: str | Path) -> dict[str, Any]:
    """Read a recipe by name (stegcli/training/recipes) or by the path of a TOML file; return its table."""
    path = Path(recipe)
    if path.suffix == ".toml" and path.is_file():
        content = path.read_bytes()
    else:
        names = recipe_names()
        if str(recipe) not in names:
            raise TrainingError(f"no recipe {recipe}", hint=f"a .toml file, or one of: {', '.join(names)}")
        content = (_bundled() / f"{recipe}.toml").read_bytes()
    return parse_table(content, f"recipe {recipe}")


def parse_table(content: bytes, source: str) -> dict[str, Any]:
    """Parse TOML; a TrainingError names `source` if it is invalid."""
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, numbers too long, nested too deeply
        raise TrainingError(f"{source} is not valid TOML: {error}", hint=CORRECT) from None


def recipe_names() -> list[str]:
    """Return the names of the recipes that are installed with the program."""
    return sorted(path.name[:-5] for path in _bundled().iterdir() if path.name.endswith(".toml"))


def build(kind: type[T], table: Mapping[str, Any], source: str = "recipe") -> T:
    """Build a dataclass `kind` from a TOML table, recursively; a TrainingError names `source`."""
    try:
        return _build(kind, table, "")
    except (TypeError, ValueError) as error:
        raise TrainingError(f"{source}: {error}", hint=CORRECT) from None


def as_table(recipe: Any) -> dict[str, Any]:  # noqa: ANN401 - any recipe dataclass
    """Turn a dataclass into a plain dict, for run.json and ONNX cards; `build` reads it."""
    return dataclasses.asdict(recipe)


def override(recipe: T, **changes: object) -> T:
    """Return the recipe with the settings that are not None replaced, and checked again."""
    given = {key: value for key, value in changes.items() if value is not None}
    try:
        return dataclasses.replace(recipe, **given)  # type: ignore[type-var]
    except ValueError as error:
        raise TrainingError(f"recipe: {error}", hint=CORRECT) from None


def _bundled() -> Traversable:
    return resources.files("stegcli.training") / "recipes"


def _build(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(table) - set(hints))
    if unknown:
        raise ValueError(f"unknown setting {where}{unknown[0]}; known: {', '.join(sorted(hints))}")
    values = {key: _convert(hints[key], value, f"{where}{key}") for key, value in table.items()}
    return kind(**values)


def _convert(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401 - types come from the annotations
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} must be a table")
        return _build(hint, value, f"{where}.")
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return _convert_list(arguments, value, where)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} must be a table")
        return {str(k): _convert(arguments[1], v, f"{where}.{k}") for k, v in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ValueError(f"{where} must be {hint.__name__}, not {value!r}")
    return value


def _convert_list(hints: tuple[Any, ...], value: object, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{where} must be a list")
    if hints[-1] is not Ellipsis and len(value) != len(hints):
        raise ValueError(f"{where} must be a list of {len(hints)} (got {len(value)})")
    return tuple(_convert(hints[0], each, where) for each in value)
