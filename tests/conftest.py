"""What every test may use: photographs that scikit-image ships, a folder to work in, and no network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import Desk
from PIL import Image
from skimage import data

_LOCAL = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for the network fails here, not on a machine without one."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOCAL:
            raise AssertionError(f"a test connects to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("STEGCLI_PASSPHRASE", raising=False)


def _resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


@pytest.fixture(scope="session")
def cover_rgb() -> np.ndarray:
    """(256, 256, 3) uint8 photograph."""
    return _resized(data.coffee(), 256, 256)


@pytest.fixture(scope="session")
def secret_gray() -> np.ndarray:
    """(256, 256) uint8 photograph."""
    return _resized(data.camera(), 256, 256)


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cover_rgb: np.ndarray, secret_gray: np.ndarray
) -> Iterator[Desk]:
    """A current folder with cover.png and secret.png in it; whatever happens, they must stay as they are."""
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path)
    desk.put("cover.png", cover_rgb)
    desk.put("secret.png", secret_gray)
    yield desk
    desk.check_inputs()
