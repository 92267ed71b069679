"""What every test may use: photographs of scikit-image's, a working folder, and no network."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a worker for each core. With as many threads in each, small networks spend up to twenty times
    # the time of their work on waiting for each other; and what numpy, torch and the runtime load reads this.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import coded_cases
import numpy as np
import pytest
from desk import Desk
from hypothesis import settings
from known_keys import FOLDER, remembering
from PIL import Image
from salts import SALTED, Draws
from skimage import data

from stegcli.envelope import keys
from stegcli.models import loading
from stegcli.pictures.writing import png_bytes

if "STEGCLI_FUZZ" not in os.environ:
    # The same examples in every run, so that chance fails no change; `make fuzz` looks further.
    settings.register_profile("gate", derandomize=True, database=None)
    settings.load_profile("gate")

_LOCAL = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that tries to use the network fails here, not on a machine without one."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOCAL:
            raise AssertionError(f"a test connects to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("STEGCLI_PASSPHRASE", raising=False)


@pytest.fixture(scope="session")
def _argon2(_known_keys: None) -> Callable[..., bytes]:
    return functools.cache(remembering(keys._argon2))


@pytest.fixture(autouse=True)
def each_key_once(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _argon2: Callable[..., bytes]
) -> None:
    """Derive each key at its full cost, and remember it: repeating a fifth of a second shows nothing new.

    `tests/unit/test_keys.py` overrides this, and tests that passphrase and salt always give the same key.
    """
    if "quick_keys" not in request.fixturenames:
        monkeypatch.setattr(keys, "_argon2", _argon2)


@pytest.fixture(scope="module")
def quick_keys() -> Iterator[None]:
    """Use Argon2id at its lowest cost, for modules in which nearly every key is a new one.

    Use it only if no stego comes from or goes to another process, which would derive other keys. The keys at
    full cost are pinned in `tests/golden`.
    """
    coded_cases.keyring.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_ARGON2_PASSES", 1)
        patch.setattr(keys, "_ARGON2_KIB", 8 * keys._ARGON2_LANES)
        yield
    coded_cases.keyring.cache_clear()


@pytest.fixture(scope="session")
def _draws() -> Iterator[Draws]:
    draws = Draws()
    with pytest.MonkeyPatch.context() as patch:
        for module in SALTED:
            assert module.urandom is os.urandom, module.__name__
            patch.setattr(module, "urandom", draws)
        yield draws


@pytest.fixture(autouse=True)
def salts_in_order(_draws: Draws) -> Iterator[None]:
    """Methods draw the same salts in every run, so that no figure of a stego depends on chance.

    The same salts give the same keys, which `each_key_once` remembers from test to test. Fixtures of modules
    are set up outside of tests and have their own salts. `tests/unit/test_salts.py` tests what methods draw
    otherwise.
    """
    _draws.begin("test")
    yield
    _draws.begin("fixture")


@pytest.fixture(scope="session", autouse=True)
def _salts_of_programs() -> None:
    """Programs that tests start draw no random salts either: see `programs/sitecustomize.py`.

    It is not set while this file is imported, because not all test processes have been started by then.
    """
    os.environ["PYTHONPATH"] = str(Path(__file__).parent / "support" / "programs")


@pytest.fixture(scope="session", autouse=True)
def _known_keys(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All processes of a run share known keys: see `programs/known_keys.py`."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "known-keys"
    folder.mkdir(exist_ok=True)
    os.environ[FOLDER] = str(folder)


@pytest.fixture(scope="session")
def _open_network() -> Callable[..., Any]:
    return functools.lru_cache(maxsize=8)(loading.open_network)


@pytest.fixture(autouse=True)
def each_network_once(monkeypatch: pytest.MonkeyPatch, _open_network: Callable[..., Any]) -> None:
    """Networks keep no state between two runs, so the same file on the same device is loaded only once."""
    monkeypatch.setattr(loading, "open_network", _open_network)


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


@pytest.fixture(scope="session")
def files_of_a_desk(cover_rgb: np.ndarray, secret_gray: np.ndarray) -> dict[str, bytes]:
    """PNG files, compressed once."""
    return {"cover.png": png_bytes(cover_rgb), "secret.png": png_bytes(secret_gray)}


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files_of_a_desk: dict[str, bytes]
) -> Iterator[Desk]:
    """A current folder with cover.png and secret.png, which must stay unchanged."""
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path)
    for name, content in files_of_a_desk.items():
        desk.put_bytes(name, content)
    yield desk
    desk.check_inputs()
