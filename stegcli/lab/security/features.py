"""Features of detectors: the program's own statistics, and established ones.

`colour` is `stegcli.detection.residuals`. `spam` (Pevny, Bas and Fridrich 2010), `crm` and `srmq1` (Fridrich
and Kodovsky 2012) come from the package sealwatch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stegcli.detection.residuals import colour
from stegcli.errors import UsageError
from stegcli.lab.extras import load

__all__ = ["FEATURES", "SUITE", "detectors", "features"]

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


SUITE: Final = "suite"
"""Name of the set of several detectors, of which the one that errs least counts."""


def detectors(name: str) -> dict[str, tuple[str, ...]]:
    """Return the detectors of a set -> the features that each uses, concatenated.

    Args:
        name: `SUITE`; or one of `FEATURES`, which is then the only detector; or several of them, joined by
            plus signs: a detector for each, and one for all together.

    Raises:
        UsageError: no features have that name.
    """
    if name == SUITE:
        alone = {each: (each,) for each in ("colour", "spam", "crm")}
        return {**alone, "colour + spam": ("colour", "spam")}
    names = tuple(dict.fromkeys(name.split("+")))
    if not FEATURES.keys() >= set(names):
        raise UsageError(f"there are no features {name!r}", f"Choices: {', '.join((*FEATURES, SUITE))}.")
    return {**{each: (each,) for each in names}, " + ".join(names): names}


def features(name: str) -> Callable[[U8], F32]:
    """Return the function with that name: (H, W, 3) uint8 -> (d,) float32.

    Raises:
        UsageError: no features have that name.
    """
    if name not in FEATURES:
        raise UsageError(f"there are no features {name!r}", f"Choices: {', '.join(FEATURES)}.")
    return FEATURES[name]


def _flat(tree: Any) -> F32:  # noqa: ANN401 - nested dictionaries of arrays
    """Concatenate all arrays of a nested dictionary, sorted by name: its own order varies."""
    if hasattr(tree, "keys"):
        return np.concatenate([_flat(tree[key]) for key in sorted(tree)])
    return np.asarray(tree, dtype=np.float32).reshape(-1)


def _spam(rgb: U8) -> F32:
    package = load("sealwatch", "the feature set spam")
    return np.concatenate([_flat(package.spam.extract(np.ascontiguousarray(rgb[..., c]))) for c in range(3)])


def _crm(rgb: U8) -> F32:
    load("sealwatch", "the feature set crm")
    return _flat(load("sealwatch.srm.crm", "the feature set crm").extract(rgb))


def _srmq1(rgb: U8) -> F32:
    package = load("sealwatch", "the feature set srmq1")
    return _flat(package.srm.srmq1.extract(rgb[..., 1]))


FEATURES: Final[dict[str, Callable[[U8], F32]]] = {
    "colour": colour,
    "spam": _spam,
    "crm": _crm,
    "srmq1": _srmq1,
}
"""Name -> function. `spam` uses each channel, `srmq1` green alone."""
