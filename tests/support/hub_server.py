"""A server with the routes of the Hugging Face Hub that its own client uses; it fails on request."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

TOKEN = "hf_test"
FIRST = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Content of the server, and how it behaves.

    Attributes:
        repos: name -> commit -> path -> content.
        private: repositories that require a token.
        break_after: bytes of a file after which the connection is cut, that many times.
        asked: method and path of every request, with its Range.
    """

    repos: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    break_after: int = 0
    breaks: int = 0
    asked: list[str] = field(default_factory=list)
    large: dict[str, bytes] = field(default_factory=dict)
    url: str = ""

    def put(self, name: str, files: dict[str, bytes]) -> str:
        """Add a commit to a repository."""
        commits = self.repos.setdefault(name, {})
        commit = f"{int(FIRST, 16) + len(commits):040x}"
        commits[commit] = files
        return commit

    def settings(self, home: Any) -> dict[str, str]:
        """Environment in which the client uses this server and keeps its files in `home`."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
            "HF_TOKEN": "",
        }


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield hub
        server.shutdown()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        self._note()
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[0] == "api" and parts[1] == "models":
            self._info(f"{parts[2]}/{parts[3]}", unquote(parts[5]) if len(parts) > 5 else "main")
        elif "resolve" in parts:
            self._file("/".join(parts[:2]), unquote(parts[3]), "/".join(map(unquote, parts[4:])))
        else:
            self._json({}, 404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self._note()
        content = self._body()
        digest = self.path.rpartition("/")[2]
        if hashlib.sha256(content).hexdigest() != digest:
            self._json({"error": "not what was promised"}, 400)
            return
        self.hub.large[digest] = content
        self._json({})

    def do_POST(self) -> None:
        self._note()
        body = self._body()
        path = self.path.partition("?")[0]
        if path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = [
                {"path": f["path"], "uploadMode": "lfs" if f["path"].endswith(".onnx") else "regular"}
                for f in files
            ]
            self._json({"files": [{**mode, "shouldIgnore": False} for mode in modes]})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            told = [
                {**each, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{each['oid']}"}}}
                for each in objects
            ]
            self._json({"transfer": "basic", "objects": told})
        elif "/commit/" in path:
            self._commit("/".join(path.split("/")[3:5]), body)
        else:
            self._json({}, 404)

    def _create(self, wanted: dict[str, Any]) -> None:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._json({"error": "Invalid username or password."}, 401)
            return
        name = f"{wanted.get('organization') or 'owner'}/{wanted['name']}"
        there = name in self.hub.repos
        self.hub.repos.setdefault(name, {})
        if wanted.get("private") or wanted.get("visibility") == "private":
            self.hub.private.add(name)
        told = {"url": f"{self.hub.url}/{name}", "name": name, "id": name}
        self._json(told, 409 if there else 200)

    def _commit(self, name: str, body: bytes) -> None:
        files: dict[str, bytes] = {}
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
        commit = self.hub.put(name, files)
        url = f"{self.hub.url}/{name}/commit/{commit}"
        self._json({"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""})

    def _info(self, name: str, revision: str) -> None:
        commits = self._allowed(name)
        if commits is None:
            return
        commit = (
            revision if revision in commits else list(commits)[-1] if revision == "main" and commits else None
        )
        if commit is None:
            self._json({"error": "Invalid rev id"}, 404, "RevisionNotFound")
            return
        siblings = [{"rfilename": path} for path in commits[commit]]
        told = {"_id": "1", "id": name, "modelId": name, "sha": commit, "siblings": siblings, "tags": []}
        self._json({**told, "private": False, "downloads": 0, "likes": 0})

    def _file(self, name: str, revision: str, path: str) -> None:
        commits = self._allowed(name)
        if commits is None:
            return
        if revision not in commits:
            self._json({"error": "Invalid rev id"}, 404, "RevisionNotFound")
            return
        if path not in commits[revision]:
            self._json({"error": "Entry not found"}, 404, "EntryNotFound", revision)
            return
        self._content(commits[revision][path], revision)

    def _content(self, content: bytes, commit: str) -> None:
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        rest = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(rest)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.hub.breaks and len(rest) > self.hub.break_after:
            self.hub.breaks -= 1
            self.wfile.write(rest[: self.hub.break_after])
            self.wfile.flush()
            self.connection.close()
            return
        self.wfile.write(rest)

    def _allowed(self, name: str) -> dict[str, dict[str, bytes]] | None:
        """Return the repository's commits; if it does not exist or is private, send the error."""
        keyed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if name not in self.hub.repos or (name in self.hub.private and not keyed):
            self._json({"error": "Invalid username or password."}, 404 if keyed else 401, "RepoNotFound")
            return None
        return self.hub.repos[name]

    def _json(self, told: Any, status: int = 200, code: str = "", commit: str = "") -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        if commit:
            self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _note(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path} {self.headers.get('Range') or ''}".strip())

    def log_message(self, *_: object) -> None:
        pass
