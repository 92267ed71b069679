"""How long work tells what it is doing, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "within", "tell"]

Progress = Callable[[str, float], None]
"""Told the stage and the share of it that is done, 0..1."""


def tell(progress: Progress | None, stage: str) -> None:
    """Say that a stage begins."""
    if progress is not None:
        progress(stage, 0.0)


def within(progress: Progress | None, stage: str) -> Callable[[float], None] | None:
    """What a part of a stage, which does not know its name, tells its share to."""
    return None if progress is None else lambda share: progress(stage, share)
