"""The page in a real browser, against the program as a user starts it; and nobody else is asked."""

from __future__ import annotations

import io
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import chromium
import numpy as np
import pytest
from desk import Desk, command
from PIL import Image
from skimage import data

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="needs Chromium")
SHOTS = os.environ.get("STEGCLI_SCREENSHOTS")
ALONE = """
import signal, socket
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the parent ignores it
connect, look_up = socket.socket.connect, socket.getaddrinfo
def refused(*_): raise AssertionError("a host is asked")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.gethostbyname = refused
"""


@pytest.fixture
def tab(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Page]:
    started = subprocess.Popen(
        command("ui", "--no-browser", "-q", prelude=ALONE), stdout=subprocess.PIPE, text=True, cwd=desk.folder
    )
    try:
        address = (started.stdout or io.StringIO()).readline().strip()
        with chromium.page(address, tmp_path_factory.mktemp("profile")) as tab:
            yield tab
            host = address.partition("#")[0]
            local = (host, "blob:", "data:")
            assert all(each.startswith(local) for each in tab.asked), tab.asked
            assert not any("#" in each or address.partition("#")[2] in each for each in tab.asked)
            assert tab.said == []
    finally:
        started.send_signal(signal.SIGINT)
        assert started.wait(30) == 0
        if started.stdout:
            started.stdout.close()
    assert sorted(path.name for path in desk.folder.iterdir()) == sorted(path.name for path in desk.inputs)


def _shot(tab: chromium.Page, name: str) -> None:
    if SHOTS:
        tab.screenshot(Path(SHOTS) / name)


def test_a_picture_there_and_back(
    tab: chromium.Page, desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _picture(desk)
    tab.click("hide")
    assert "Drop a cover" in tab.text("hide-status")
    tab.choose("cover", desk.folder / "cover.png")
    tab.choose("secret", desk.folder / "secret.png")
    tab.fill("hide-words", "correct horse")
    tab.until("!document.querySelector('#secret-drop img').hidden")
    _shot(tab, "ui-before.png")
    tab.click("hide")
    tab.until("!document.getElementById('hidden').hidden")
    tab.until("document.getElementById('revealed-picture').complete")
    assert "read again" in tab.text("hide-status")
    figures = tab.text("figures")
    assert "dB, SSIM" in figures
    assert "who has the passphrase" in figures
    _shot(tab, "ui-hidden.png")
    folder = tmp_path_factory.mktemp("saved")
    saved = tab.saved("save-stego", folder)
    assert saved.name == "cover.stego.png"
    stego = saved.read_bytes()
    residual = _pixels(tab.drawn("residual-picture"))[..., :3]
    steps = _pixels(stego).astype(int) - desk.pixels("cover.png")
    assert np.array_equal(residual, np.clip(128 + 32 * steps, 0, 255))

    tab.click("reveal-tab")
    tab.choose("stego", saved)
    tab.fill("reveal-words", "wrong")
    tab.click("reveal")
    tab.until("document.getElementById('reveal-status').classList.contains('error')")
    assert "no hidden picture found" in tab.text("reveal-status")
    tab.fill("reveal-words", "correct horse")
    tab.click("reveal")
    tab.until("!document.getElementById('found').hidden")
    revealed = _pixels(tab.saved("save-secret", folder).read_bytes())
    assert revealed.shape == desk.pixels("secret.png").shape
    assert np.abs(revealed.astype(int) - desk.pixels("secret.png")).mean() < 4
    _shot(tab, "ui-revealed.png")


def _picture(desk: Desk) -> None:
    """Larger pictures for the screenshots in the manual."""
    if SHOTS:
        desk.put("cover.png", data.coffee()[:384, :512])
        desk.put("secret.png", np.asarray(Image.fromarray(data.camera()).resize((256, 256))))


def _pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.array(image)
