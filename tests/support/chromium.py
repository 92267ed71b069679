"""A headless Chromium, driven through a pipe by its DevTools protocol, without a driver or a library."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--remote-debugging-pipe", "--window-size=1180,1000",
)  # fmt: skip
_PATIENCE_SECONDS = 120


@dataclass
class Page:
    """One tab.

    Attributes:
        asked: addresses of all requests that it made.
        said: errors on its console.
    """

    to: IO[bytes]
    answers: IO[bytes]
    session: str = ""
    number: int = 0
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command of the protocol, and return its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.to.write(json.dumps(message).encode() + b"\0")
        self.to.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; a promise is awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str) -> Any:
        """Evaluate an expression until it is true."""
        end = time.monotonic() + _PATIENCE_SECONDS
        waiting = f"new Promise(done => setTimeout(() => done({expression}), 50))"
        while time.monotonic() < end:
            found = self.value(waiting)
            if found:
                return found
        raise AssertionError(f"{expression} did not come true; the page says: {self.said}")

    def choose(self, element: str, *paths: Path) -> None:
        """Give files to a file input, as if the user had chosen or dropped them."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=f"#{element}")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def click(self, element: str) -> None:
        self.value(f"document.getElementById({element!r}).click()")

    def fill(self, element: str, text: str) -> None:
        self.value(f"document.getElementById({element!r}).value = {json.dumps(text)}")

    def text(self, element: str) -> str:
        return self.value(f"document.getElementById({element!r}).textContent")

    def drawn(self, element: str) -> bytes:
        """Return a picture on the page as a PNG."""
        encoded = self.value(
            f"(() => {{ const image = document.getElementById({element!r});"
            "const canvas = document.createElement('canvas');"
            "canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;"
            "canvas.getContext('2d').drawImage(image, 0, 0); return canvas.toDataURL('image/png'); })()"
        )
        return base64.b64decode(encoded.partition(",")[2])

    def saved(self, element: str, folder: Path) -> Path:
        """Click on a link that saves a file, and return the file's path."""
        name = self.value(f"document.getElementById({element!r}).download")
        self.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.click(element)
        end = time.monotonic() + _PATIENCE_SECONDS
        while not (folder / name).is_file() and time.monotonic() < end:
            self.value("new Promise(done => setTimeout(done, 50))")
        return folder / name

    def screenshot(self, path: Path) -> None:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _next(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "Chromium has ended"
            message += byte
        answer = json.loads(message)
        if answer.get("method") == "Network.requestWillBeSent":
            self.asked.append(answer["params"]["request"]["url"])
        level = answer.get("params", {}).get("entry", {}).get("level")
        if answer.get("method") == "Runtime.exceptionThrown" or level in ("error", "warning"):
            self.said.append(json.dumps(answer["params"]))
        return answer


@contextmanager
def page(address: str, profile: Path) -> Iterator[Page]:
    """Yield a tab that has loaded this address."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()

    def streams() -> None:
        commands, answers = os.dup(to_read), os.dup(from_write)  # out of the way, if they are 3 or 4
        os.dup2(commands, 3)
        os.dup2(answers, 4)

    # Chromium reads commands from descriptor 3 and answers on 4.
    process = subprocess.Popen(
        [PROGRAM or "", *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        close_fds=False,
        preexec_fn=streams,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(from_write)
    with os.fdopen(to_write, "wb") as to, os.fdopen(from_read, "rb") as answers:
        tab = Page(to, answers)
        try:
            target = tab.call("Target.createTarget", url="about:blank")["targetId"]
            tab.session = tab.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Network", "Runtime", "DOM", "Log"):
                tab.call(f"{domain}.enable")
            tab.call("Page.navigate", url=address)
            tab.until("document.readyState === 'complete'")
            yield tab
        finally:
            process.kill()
            process.wait()
            with suppress(BrokenPipeError):
                to.close()
