"""The server of the page: who may use it, how large a request may be, and what is kept."""

from __future__ import annotations

import http.client
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk import Desk as Table
from PIL import Image

from stegcli.ui.desk import Desk
from stegcli.ui.server import Server

WISHES = {"method": "phase", "favor": "balanced", "target": None, "passphrase": "words"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(Desk(None, "cpu", 1 << 20), 0, 1 << 20) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _ask(
    server: Server, method: str, path: str, parts: list[bytes] | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    given = {"X-Key": server.key, "X-Lengths": ",".join(str(len(part)) for part in parts or ())}
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=120)
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, b"".join(parts or ()), given)
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


def _told(server: Server, path: str, *parts: Any) -> dict[str, Any]:
    framed = [json.dumps(part).encode() if isinstance(part, dict) else part for part in parts]
    status, body, _ = _ask(server, "POST", path, framed)
    assert status == 200
    return json.loads(body)


def test_hide_and_reveal(server: Server, desk: Table) -> None:
    cover, secret = ((desk.folder / name).read_bytes() for name in ("cover.png", "secret.png"))
    found = _told(server, "/hide", WISHES | {"cover_name": "../a/c.png"}, cover, secret)
    assert found["name"] == "c.stego.png"
    assert 0 <= found["risk"] < 0.1
    status, stego, headers = _ask(server, "GET", f"/made/{found['stego']}")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "image/png", "no-store")
    again = _told(server, "/reveal", {"passphrase": "words", "stego_name": "c.stego.png"}, stego)
    assert (again["name"], again["size"]) == ("c.stego.revealed.png", [256, 256])
    wrong = _told(server, "/reveal", {"passphrase": "others"}, stego)
    assert wrong["error"]["kind"] == "nothing-found"
    assert sorted(path.name for path in desk.folder.iterdir()) == ["cover.png", "secret.png"]


def test_any_file_under_its_name_in_a_jpeg(server: Server, desk: Table, cover_rgb: Any) -> None:
    desk.put("photo.jpg", cover_rgb, quality=92)
    wishes = WISHES | {"method": "coded", "cover_name": "photo.jpg", "secret_name": "note.txt"}
    found = _told(server, "/hide", wishes, (desk.folder / "photo.jpg").read_bytes(), b"a note")
    assert found["name"] == "photo.stego.jpg"
    assert 0.4 < found["risk"] < 0.5, "a few bits in a file that the lab has measured"
    stego = _ask(server, "GET", f"/made/{found['stego']}")[1]
    again = _told(server, "/reveal", {"passphrase": "words"}, stego)
    assert (again["name"], again["is_picture"]) == ("note.txt", False)
    assert _ask(server, "GET", f"/made/{again['secret']}")[1] == b"a note"


def test_what_survives_and_is_searched_for(server: Server, desk: Table, cover_rgb: Any) -> None:
    desk.put("photo.jpg", cover_rgb, quality=95)
    desk.put("small.png", cover_rgb[::8, ::8, 0])
    photo, small = ((desk.folder / name).read_bytes() for name in ("photo.jpg", "small.png"))
    wishes = WISHES | {"survive": "jpeg:75", "cover_name": "photo.jpg"}
    found = _told(server, "/hide", wishes, photo, small)
    assert found["name"] == "photo.stego.jpg"
    assert found["figures"]["model"] == "robust"
    assert found["risk"] is None
    stego = _ask(server, "GET", f"/made/{found['stego']}")[1]
    turned = io.BytesIO()
    Image.open(io.BytesIO(stego)).rotate(90, expand=True).save(turned, "JPEG", quality=90)
    asked = {"passphrase": "words"}
    assert "error" in _told(server, "/reveal", asked, turned.getvalue())
    assert _told(server, "/reveal", asked | {"search": True}, turned.getvalue())["size"] == [32, 32]


def test_a_limit_on_the_risk(server: Server, desk: Table) -> None:
    cover, secret = ((desk.folder / name).read_bytes() for name in ("cover.png", "secret.png"))
    found = _told(server, "/hide", WISHES | {"method": "coded", "risk": 0.45}, cover, secret)
    assert 0.44 <= found["risk"] <= 0.5


def test_nobody_without_the_key_or_by_another_name(server: Server) -> None:
    assert _ask(server, "POST", "/hide", [b"{}", b"", b""], X_Key="another")[0] == 403
    assert _ask(server, "GET", "/made/x", X_Key="")[0] == 403
    assert _ask(server, "GET", "/", Host="evil.example")[0] == 403
    assert _ask(server, "POST", "/reveal", [b"{}", b""], Host="evil.example")[0] == 403
    status, _, headers = _ask(server, "GET", "/", X_Key="")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", ["/nowhere", "/made/../page.html", "/made/", "/page.html"])
def test_what_is_not_there(server: Server, path: str) -> None:
    assert _ask(server, "GET", path)[0] == 404


def test_limits(server: Server) -> None:
    assert _ask(server, "POST", "/reveal", [], Content_Length=str(2 << 20))[0] == 413
    assert _ask(server, "POST", "/reveal", [], Content_Length="9" * 30)[0] == 413
    assert _ask(server, "POST", "/reveal", [], Content_Length="-1")[0] == 411


@pytest.mark.parametrize(
    "parts",
    [[b""], [b"{}"], [b"[]", b""], [b"{", b""], [b"[" * 100_000, b""], [b"{}", b"", b""], [b"{}"] * 9],
)  # fmt: skip
def test_a_request_that_makes_no_sense(server: Server, parts: list[bytes]) -> None:
    assert _told(server, "/reveal", *parts)["error"]["kind"] == "usage"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "x"},
        {"favor": 7},
        {"target": "a"},
        {"target": 1e9},
        {"passphrase": " "},
        {"survive": "fax"},
        {"risk": 0.4},
        {"method": "coded", "risk": 0.5},
        {"method": "coded", "risk": True},
    ],
)
def test_wishes_that_there_are_not(server: Server, desk: Table, change: dict[str, Any]) -> None:
    picture = (desk.folder / "cover.png").read_bytes()
    assert _told(server, "/hide", WISHES | change, picture, picture)["error"]["kind"] == "usage"


def test_what_is_no_picture(server: Server) -> None:
    assert _told(server, "/hide", WISHES, b"no picture", b"none either")["error"]["kind"] == "image"


def test_only_the_last_results_are_kept(server: Server, desk: Table) -> None:
    from stegcli.ui.desk import Made

    kept = [server.desk._keep(Made("a", "b", b"")) for _ in range(20)]
    assert [server.desk.made(name) is not None for name in kept] == [False] * 8 + [True] * 12


def test_the_port_is_taken(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    port = str(server.server_address[1])
    Table(tmp_path).refuses(2, "ui", "--no-browser", "--port", port, words=port)
