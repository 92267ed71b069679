"""The server of the page: on this machine's loopback address, for those who have the key, within limits.

    GET  /, /page.js, /page.css     the page, which contains no user's data
    POST /hide, /reveal             files and settings, framed as in `framing`; answers JSON
    GET  /made/NAME                 a result of this session

Everything except the page requires the key. The key is in the address that `stegcli ui` opens, behind a #,
so that it appears in no log and no Referer. Another site that the user visits meanwhile does not have the
key, and its host name is not accepted.
"""

from __future__ import annotations

import hmac
import json
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from stegcli.errors import StegError, UsageError, one_line, out_of_memory
from stegcli.ui.framing import LENGTHS, parts_of

if TYPE_CHECKING:
    from stegcli.ui.desk import Desk

__all__ = ["HOST", "KEY", "Server"]

HOST: Final = "127.0.0.1"
KEY: Final = "X-Key"
_PAGES: Final = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PATIENCE_SECONDS: Final = 60
"""Seconds after which a client that sends nothing is disconnected."""
_MADE: Final = "/made/"


class Server(ThreadingHTTPServer):
    """One session of the page.

    Args:
        desk: does the hiding and revealing.
        port: port to listen on; 0 takes a free one.
        max_bytes: largest size of a request in bytes.
    """

    daemon_threads = True

    def __init__(self, desk: Desk, port: int, max_bytes: int) -> None:
        self.desk = desk
        self.max_bytes = max_bytes
        self.key = secrets.token_urlsafe(24)
        super().__init__((HOST, port), _Handler)

    @property
    def address(self) -> str:
        """Address to open in a browser."""
        return f"http://{HOST}:{self.server_address[1]}/#{self.key}"

    @property
    def hosts(self) -> tuple[str, str]:
        """Host names that a request may use; another may be a foreign site's that resolves to it."""
        port = self.server_address[1]
        return f"{HOST}:{port}", f"localhost:{port}"


class _Refused(Exception):  # noqa: N818 - not an error of the program
    """Raised for a request that is answered with a status alone."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = _PATIENCE_SECONDS
    server_version = "stegcli"
    sys_version = ""

    def do_GET(self) -> None:
        """Send the page, or a result."""
        self._answered(self._get)

    def do_POST(self) -> None:
        """Hide or reveal."""
        self._answered(self._post)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

    def _answered(self, work: Any) -> None:  # noqa: ANN401 - () -> None
        try:
            if self.headers.get("Host") not in self.server.hosts:
                raise _Refused(HTTPStatus.FORBIDDEN)
            work()
        except _Refused as refusal:
            self.close_connection = True
            self._send(refusal.status, "text/plain", refusal.status.phrase.encode())
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _get(self) -> None:
        if self.path in _PAGES:
            name, kind = _PAGES[self.path]
            self._send(HTTPStatus.OK, kind, files("stegcli.ui").joinpath("page", name).read_bytes())
            return
        self._check_key()
        made = self.server.desk.made(self.path.removeprefix(_MADE)) if self.path.startswith(_MADE) else None
        if made is None:
            raise _Refused(HTTPStatus.NOT_FOUND)
        self._send(HTTPStatus.OK, made.kind, made.content)

    def _post(self) -> None:
        self._check_key()
        try:
            answer = self._worked(parts_of(self._body(), self.headers.get(LENGTHS, "")))
        except StegError as error:
            answer = _problem(error)
        except MemoryError:
            answer = _problem(out_of_memory())
        except _Refused:
            raise
        except Exception as error:  # noqa: BLE001 - reported to the user
            answer = {"error": {"message": f"a bug in stegcli: {one_line(error)}", "hint": ""}}
        self._send(HTTPStatus.OK, "application/json", json.dumps(answer).encode())

    def _worked(self, parts: list[bytes]) -> dict[str, Any]:
        desk = self.server.desk
        wanted = {"/hide": 3, "/reveal": 2}.get(self.path)
        if wanted is None:
            raise _Refused(HTTPStatus.NOT_FOUND)
        if len(parts) != wanted:
            raise UsageError("the page sent an incomplete request", "Load it again.")
        wishes = _wishes(parts[0])
        return desk.hide(wishes, *parts[1:]) if wanted == 3 else desk.reveal(wishes, *parts[1:])

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED)
        if len(length) > 12 or int(length) > self.server.max_bytes:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise _Refused(HTTPStatus.BAD_REQUEST)
        return body

    def _check_key(self) -> None:
        given = self.headers.get(KEY, "")
        if not hmac.compare_digest(given.encode(), self.server.key.encode()):
            raise _Refused(HTTPStatus.FORBIDDEN)

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _wishes(text: bytes) -> dict[str, Any]:
    try:
        wishes = json.loads(text)
    except (ValueError, RecursionError):
        wishes = None
    if not isinstance(wishes, dict):
        raise UsageError("the page sent an invalid request", "Load it again.")
    return wishes


def _problem(error: StegError) -> dict[str, Any]:
    return {"error": {"kind": error.kind, "message": error.message, "hint": error.hint}}
