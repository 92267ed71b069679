"""The work that the page requests, in memory: files come as bytes, and results last until the session ends.

Nothing is written to disk, except for a stego that is a JPEG, which is in a private folder while it is made.
"""

from __future__ import annotations

import io
import secrets
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stegcli import pipeline
from stegcli.codecs.base import FileSecret
from stegcli.detection.forecast import risk_of
from stegcli.detection.risk import Bound
from stegcli.envelope.keys import Keyring
from stegcli.errors import ImageError, UsageError
from stegcli.methods import table
from stegcli.models.loading import Models
from stegcli.pictures import reading, writing
from stegcli.pictures.encoded import Encoded
from stegcli.pictures.files import is_jpeg
from stegcli.pipeline import HideSettings, Tools

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stegcli.reports import HideReport

__all__ = ["Desk", "Made"]

AMPLIFIED: Final = 32
"""Factor by which the residual that the page shows is amplified."""
_GRAY: Final = 128
_MOST_MADE: Final = 12
"""Number of results that are kept: three files from each of the last four runs."""
_METHODS: Final = ("phase", "coded", "isgan")
_FAVORS: Final = ("cover", "balanced", "secret")


@dataclass(frozen=True)
class Made:
    """A result for the browser.

    Attributes:
        name: name under which it is saved.
        kind: media type, such as `image/png`.
        content: content of the file.
    """

    name: str
    kind: str
    content: bytes


class Desk:
    """One session: the networks, and the latest results.

    Args:
        weights: folder of weights, or None for the program's own.
        device: "auto", "cpu" or "cuda".
        max_pixels: largest number of pixels of a picture.
    """

    def __init__(self, weights: str | None, device: str, max_pixels: int) -> None:
        self._models = Models(weights, device)
        self._max_pixels = max_pixels
        self._made: OrderedDict[str, Made] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def made(self, name: str) -> Made | None:
        """Return a result of this session, or None if it does not exist or is no longer kept."""
        return self._made.get(name)

    def hide(self, wishes: dict[str, Any], cover: bytes, secret: bytes) -> dict[str, Any]:
        """Hide; return the figures, the risk and the names of stego, amplified residual and revealed secret.

        Args:
            wishes: method, favor, target, survive, risk, passphrase, cover_name and secret_name as the page
                sends them; survive, if it is given, determines the method.
            cover: content of the cover's file.
            secret: content of the secret's file.

        Raises:
            StegError: one of its children, by what went wrong.
        """
        settings = self._settings(wishes)
        cover_file = Encoded(_name(wishes, "cover_name", "cover"), cover)
        secret_file = Encoded(_name(wishes, "secret_name", "secret"), secret)
        tools = Tools(self._models, Keyring(_passphrase(wishes)))
        with self._one_at_a_time:
            report, stego = _hidden(tools, cover_file, secret_file, settings)
        return self._answer(report, stego)

    def reveal(self, wishes: dict[str, Any], stego: bytes) -> dict[str, Any]:
        """Reveal; return the name of the result and what the report says of it.

        Args:
            wishes: passphrase, stego_name, and search to look for a stego that was resized or turned.
            stego: content of the stego's file.

        Raises:
            StegError: one of its children, by what went wrong.
        """
        name = _name(wishes, "stego_name", "stego")
        tools = Tools(self._models, Keyring(_passphrase(wishes)))
        with self._one_at_a_time:
            report = pipeline.reveal_with(
                tools,
                Encoded(name, stego),
                None,
                max_pixels=self._max_pixels,
                search=wishes.get("search") is True,
            )
        found = report.secret
        if isinstance(found, FileSecret):
            made = Made(found.name, "application/octet-stream", found.content)
        else:
            made = Made(f"{Path(name).stem}.revealed.png", "image/png", writing.png_bytes(found))
        answer = {"secret": self._keep(made), "name": made.name, "is_picture": made.kind == "image/png"}
        return {**answer, **report.as_json(), "notices": list(report.notices)}

    def _settings(self, wishes: dict[str, Any]) -> HideSettings:
        method, favor, survive = wishes.get("method"), wishes.get("favor"), wishes.get("survive")
        if method not in _METHODS or favor not in _FAVORS:
            raise UsageError("the page asks for a method that does not exist", "Load it again.")
        risk = _number(wishes, "risk", (0, 0.49), "detection error")
        if risk is not None and (survive or not table.has_ceiling(method)):
            raise UsageError("only coded can limit the risk", "Choose coded, or leave the risk empty.")
        return HideSettings(
            model=None if survive else method,
            favor=favor,
            target=_number(wishes, "target", (10, 60), "quality in decibels"),
            max_pixels=self._max_pixels,
            ceiling=None if risk is None else Bound(risk),
            survive=str(survive) if survive else None,
        )

    def _answer(self, report: HideReport, stego: Made) -> dict[str, Any]:
        risk = risk_of(report)
        residual = Made("residual.png", "image/png", writing.png_bytes(_amplified(report)))
        answer = {"stego": self._keep(stego), "name": stego.name, "residual": self._keep(residual)}
        revealed = report.revealed_secret
        if isinstance(revealed, np.ndarray):
            answer["revealed"] = self._keep(Made("revealed.png", "image/png", writing.png_bytes(revealed)))
        return {
            **answer,
            "risk": None if risk is None else round(risk.error, 3),
            "amplified": AMPLIFIED,
            "figures": report.as_json(),
            "notices": list(report.notices),
        }

    def _keep(self, made: Made) -> str:
        name = secrets.token_urlsafe(16)
        self._made[name] = made
        while len(self._made) > _MOST_MADE:
            self._made.popitem(last=False)
        return name


def _hidden(tools: Tools, cover: Encoded, secret: Encoded, settings: HideSettings) -> tuple[HideReport, Made]:
    """Return the report and the stego; with coded, a secret that is not a picture is hidden as a file."""
    try:
        return _hidden_as(tools, cover, secret, settings)
    except ImageError:
        if settings.model != "coded" or _is_picture(secret, settings.max_pixels):
            raise
        from dataclasses import replace

        return _hidden_as(tools, cover, secret, replace(settings, as_file=True))


def _hidden_as(
    tools: Tools, cover: Encoded, secret: Encoded, settings: HideSettings
) -> tuple[HideReport, Made]:
    stem = Path(cover.name).stem
    if (table.writes_jpeg(settings.model) or settings.survive) and is_jpeg(cover):
        with tempfile.TemporaryDirectory(prefix="stegcli-") as folder:
            out = Path(folder) / "stego.jpg"
            report = pipeline.hide_with(tools, cover, secret, out, settings)
            return report, Made(f"{stem}.stego.jpg", "image/jpeg", out.read_bytes())
    sink = io.BytesIO()
    report = pipeline.hide_with(tools, cover, secret, sink, settings)
    return report, Made(f"{stem}.stego.png", "image/png", sink.getvalue())


def _is_picture(secret: Encoded, max_pixels: int) -> bool:
    try:
        reading.load_upright(secret, max_pixels=max_pixels)
    except ImageError:
        return False
    return True


def _amplified(report: HideReport) -> NDArray[np.uint8]:
    """Return the residual around mid-gray, `AMPLIFIED` times as large: (H, W, 3) uint8."""
    steps = report.stego_rgb.astype(np.int32) - report.cover_rgb
    shown: NDArray[np.uint8] = np.clip(_GRAY + AMPLIFIED * steps, 0, 255).astype(np.uint8)
    return shown


def _passphrase(wishes: dict[str, Any]) -> str | None:
    """Return the passphrase, or None if there is none; the keyring checks it."""
    given = wishes.get("passphrase")
    return str(given) if given else None


def _name(wishes: dict[str, Any], key: str, otherwise: str) -> str:
    """Return a file's name as the browser gives it, without its folders."""
    given = str(wishes.get(key) or "").replace("\\", "/").rpartition("/")[2]
    shown = "".join(c for c in given if c.isprintable())[:200]
    return shown if shown.strip(". ") else otherwise


def _number(wishes: dict[str, Any], key: str, bounds: tuple[float, float], what: str) -> float | None:
    """Return a number within the bounds, or None if the page gives none."""
    given = wishes.get(key)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not bounds[0] <= given <= bounds[1]:
        raise UsageError(f"invalid {what}", f"Give {bounds[0]:g} to {bounds[1]:g}, or nothing.")
    return float(given)
