"""Every stego has its own salt from the system; in the other tests salts come in a fixed order."""

from __future__ import annotations

import os

import numpy as np
import pytest
from salts import SALTED

from stegcli import pipeline


@pytest.mark.parametrize(
    "chosen",
    [{"model": "phase"}, {"model": "isgan"}, {"model": "coded"}, {"survive": "jpeg:85"}],
    ids=["phase", "isgan", "coded", "robust"],
)
def test_the_same_secret_in_the_same_cover_makes_two_stegos(
    cover_rgb: np.ndarray, secret_gray: np.ndarray, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str]
) -> None:
    for module in SALTED:
        monkeypatch.setattr(module, "urandom", os.urandom)
    secret = secret_gray[:256:16, :256:16].copy()
    first, second = (pipeline.hide(cover_rgb, secret, **chosen).stego_rgb for _ in range(2))
    assert (first != second).any()
