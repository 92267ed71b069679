"""Training in a second: a phase recipe whose networks have some hundred weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from stegcli.training.config import ChannelSettings, NetworkSettings, PhaseRecipe

TINY = NetworkSettings((4, 8), (1, 1))
QUIET = ChannelSettings(lambdas=(0.001, 0.004))


def tiny_recipe(**changes: Any) -> PhaseRecipe:
    settings: dict[str, Any] = {
        "name": "tiny", "steps": 12, "batch_size": 4, "crop": 16, "warmup_steps": 2, "validate_every": 100,
        "checkpoint_every": 100, "validation_images": 2, "pages": 8, "encoder": TINY, "decoder": TINY,
        "channel": QUIET, "data": {"pages": 1.0},
    }  # fmt: skip
    return PhaseRecipe(**{**settings, **changes})


def album_recipe(album: Path, **changes: Any) -> PhaseRecipe:
    return tiny_recipe(data={f"folder:{album}": 1.0, "pages": 0.5}, **changes)


def leaves(state: Any, path: str = "") -> dict[str, Any]:
    """Nested state -> {path: value}."""
    if isinstance(state, dict | list | tuple):
        items = state.items() if isinstance(state, dict) else enumerate(state)
        return {name: leaf for key, value in items for name, leaf in leaves(value, f"{path}/{key}").items()}
    return {path: state}


def same_state(one: Any, other: Any) -> bool:
    """Whether two nested states are equal bit for bit."""
    one, other = leaves(one), leaves(other)
    return one.keys() == other.keys() and all(
        torch.equal(value, other[path]) if isinstance(value, torch.Tensor) else value == other[path]
        for path, value in one.items()
    )
