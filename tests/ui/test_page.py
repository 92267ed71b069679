"""The page in a real browser, with the program as a user starts it; no other host is contacted."""

from __future__ import annotations

import io
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import chromium
import numpy as np
import pytest
from desk import Desk, command
from PIL import Image
from skimage import data
from transcripts import alike, chapters

MANUAL = Path(__file__).parents[2] / "docs" / "transcripts.md"
WRITE = "STEGCLI_WRITE_TRANSCRIPTS" in os.environ
NAMES = {
    "Cover": "cover", "Secret": "secret", "Stego": "stego", "Method": "method", "Has to survive": "survive",
    "A detector must err at least": "risk",
}  # fmt: skip
"""Fields by their labels."""

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
    assert "anybody with the passphrase" in figures
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


@pytest.mark.parametrize("number", range(2))
def test_what_the_manual_shows(
    tab: chromium.Page, desk: Desk, tmp_path_factory: pytest.TempPathFactory, number: int
) -> None:
    """Do each step, and compare what the page answers with what the manual says."""
    text = MANUAL.read_text(encoding="utf-8")
    first = next(iter(chapters(text).values()))[0]
    exec(compile(first.text, MANUAL.name, "exec"), {})
    for name in ("cover.png", "secret.png", "small.png"):
        desk.keep(name)
    blocks = [block for block in chapters(text)["The page in a browser"] if block.kind == "page"]
    user = User(tab, [desk.folder, tmp_path_factory.mktemp("saved")])
    lines = blocks[number].text.splitlines()
    now = [user.does(line) for line in lines]
    if WRITE:
        MANUAL.write_text(text.replace(blocks[number].text, "\n".join(now) + "\n"), encoding="utf-8")
        return
    wrong = [(line, found) for line, found in zip(lines, now, strict=True) if not alike(line, found)]
    assert not wrong, wrong


@dataclass
class User:
    """A user in front of the page.

    Attributes:
        tab: the page.
        folders: where files are, the last where they are saved.
        place: "hide" or "reveal".
    """

    tab: chromium.Page
    folders: list[Path]
    place: str = "hide"

    def does(self, line: str) -> str:
        """Do one step of the manual; return the same line with what actually happened."""
        verb, _, rest = line.partition(" ")
        return str(getattr(self, f"_{verb}")(rest))

    def _drop(self, rest: str) -> str:
        name, _, field = rest.partition(" on ")
        file = next(folder / name for folder in self.folders if (folder / name).is_file())
        self.tab.choose(NAMES[field], file)
        return f"drop {name} on {field}"

    def _type(self, rest: str) -> str:
        words, _, field = rest.partition(" in ")
        element = NAMES.get(field, f"{self.place}-words")
        assert not self.tab.value(f"document.getElementById({element!r}).disabled")
        self.tab.fill(element, words)
        return f"type {words} in {field}"

    def _choose(self, rest: str) -> str:
        choice, _, field = rest.partition(" in ")
        self.tab.fill(NAMES[field], "" if choice == "nothing" else choice)
        self.tab.value(f"document.getElementById({NAMES[field]!r}).dispatchEvent(new Event('change')) && 1")
        return f"choose {choice} in {field}"

    def _press(self, button: str) -> str:
        self.tab.click(button.lower())
        self.tab.until(f"!document.getElementById({self.place!r}).disabled")
        return f"press {button}"

    def _open(self, name: str) -> str:
        self.place = name.lower()
        self.tab.click(f"{self.place}-tab")
        return f"open {name}"

    def _it(self, _: str) -> str:
        return "it says: " + self.tab.text(f"{self.place}-status").splitlines()[0]

    def _figure(self, rest: str) -> str:
        name = rest.partition(":")[0]
        terms = "[...document.querySelectorAll('#figures dt')]"
        rows = self.tab.value(f"{terms}.map(term => [term.textContent, term.nextSibling.textContent])")
        return f"figure {name}: {dict(rows)[name]}"

    def _save(self, rest: str) -> str:
        what = rest.partition(" ")[0]
        return f"save {what} as {self.tab.saved(f'save-{what.lower()}', self.folders[-1]).name}"


def _picture(desk: Desk) -> None:
    """Use larger pictures for the screenshots in the manual."""
    if SHOTS:
        desk.put("cover.png", data.coffee()[:384, :512])
        desk.put("secret.png", np.asarray(Image.fromarray(data.camera()).resize((256, 256))))


def _pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.array(image)
